"""What a document may say about one argument, and every way of knowing it. Start here; the parts are small files.

    canonical             is this text read in one way only?
    constraint_kinds      the closed union, and ConstraintError
    constraint_parse      data of a document -> Constraint      (constraint_variables, constraint_pattern)
    constraint_check      Constraint -> function with three answers     (constraint_paths, _hosts, _sources)
    constraint_narrow     Constraint + the server's schema -> what the client sees
    constraint_words      Constraint -> a phrase; the clause that a value fails

Core. Each way is a `match` over the union that ends in `assert_never`, so a constraint can't be half-known.
"""

from mcp_guard.policy.constraint_check import Check, compile_check
from mcp_guard.policy.constraint_kinds import (
    All,
    Anything,
    Constraint,
    ConstraintError,
    Domain,
    DomainIn,
    Each,
    Fields,
    From,
    HostIn,
    Matches,
    MaxItems,
    MaxLength,
    NoneOf,
    NotFrom,
    NotName,
    OneOf,
    OrNull,
    Place,
    Range,
    Some,
    Source,
    Under,
    Within,
    json_types,
)
from mcp_guard.policy.constraint_narrow import narrow
from mcp_guard.policy.constraint_parse import parse_constraint
from mcp_guard.policy.constraint_words import failure, words

__all__ = [
    "parse_constraint",
    "compile_check",
    "narrow",
    "words",
    "failure",
    "json_types",
    "Check",
    "Constraint",
    "ConstraintError",
    "Anything",
    "OneOf",
    "NoneOf",
    "Range",
    "MaxLength",
    "Matches",
    "Under",
    "Within",
    "NotName",
    "Domain",
    "DomainIn",
    "Place",
    "HostIn",
    "Each",
    "Some",
    "MaxItems",
    "Fields",
    "All",
    "OrNull",
    "Source",
    "From",
    "NotFrom",
]
