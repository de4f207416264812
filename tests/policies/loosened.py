"""Policies with one restriction less: what a case file has to notice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from mcp_guard.policy.constraint_kinds import All, Anything, Each, MaxLength, Range
from mcp_guard.policy.constraints import Constraint, compile_check
from mcp_guard.policy.document import Document
from mcp_guard.policy.rules import Limit, Rule


def without_rule(document: Document, rule: Rule) -> Document:
    """The document as if the rule had never been written."""
    return dataclasses.replace(document, rules=tuple(other for other in document.rules if other is not rule))


def with_rule(document: Document, old: Rule, new: Rule) -> Document:
    """The document with one rule changed."""
    return dataclasses.replace(document, rules=tuple(new if rule is old else rule for rule in document.rules))


def looser_rules(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Every way to take one restriction out of a grant, with its name: a limit, a part of a limit, a budget, an ask."""
    arguments = rule.arguments
    if arguments is not None:
        for what, limits in _looser_limits(arguments.listed):
            changed = dataclasses.replace(arguments, listed=limits)
            yield f"{rule.ref.id}: {what}", dataclasses.replace(rule, arguments=changed)
        for what, limits in _looser_limits(arguments.optional):
            changed = dataclasses.replace(arguments, optional=limits)
            yield f"{rule.ref.id}: {what}", dataclasses.replace(rule, arguments=changed)
    if rule.budget is not None:
        for what, budget in (
            ("calls", dataclasses.replace(rule.budget, calls=None)),
            ("sums", dataclasses.replace(rule.budget, sums={})),
        ):
            if budget != rule.budget:
                yield f"{rule.ref.id}: budget without {what}", dataclasses.replace(rule, budget=budget)
    if rule.asks:
        yield f"{rule.ref.id}: not asking", dataclasses.replace(rule, asks=False)


def _looser_limits(limits: Mapping[str, Limit]) -> Iterator[tuple[str, Mapping[str, Limit]]]:
    for name, limit in limits.items():
        for what, constraint in _looser(limit.constraint):
            yield f"{name} without {what}", {**limits, name: Limit(constraint, compile_check(constraint))}


def _looser(constraint: Constraint) -> Iterator[tuple[str, Constraint]]:
    """The constraint with one part less. How long a text may be is left out: a case for it would be all text."""
    match constraint:
        case Anything() | MaxLength():
            return
        case All(parts):
            for index, part in enumerate(parts):
                others = parts[:index] + parts[index + 1 :]
                for what, looser in _looser(part):
                    yield what, All((*others, looser))
        case Each(element):
            for what, looser in _looser(element):
                yield what, Each(looser)
        case Range(low, high) if low is not None and high is not None:
            yield "its lower end", dataclasses.replace(constraint, low=None)
            yield "its upper end", dataclasses.replace(constraint, high=None)
        case _:
            yield type(constraint).__name__, Anything()
