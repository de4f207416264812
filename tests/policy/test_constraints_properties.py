"""What holds of every constraint and every value."""

from __future__ import annotations

import posixpath
import unicodedata
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.model import Answer
from mcp_guard.policy.constraints import (
    All,
    Anything,
    Constraint,
    Domain,
    DomainIn,
    Each,
    Fields,
    HostIn,
    Matches,
    MaxItems,
    MaxLength,
    NoneOf,
    NotName,
    OneOf,
    OrNull,
    Place,
    Range,
    Some,
    Under,
    Within,
    compile_check,
    failure,
    json_types,
    narrow,
    words,
)
from tests.policy.constraint_doubles import PLAIN, FakeFiles
from tests.policy.test_canonical import AMBIGUOUS_MAIL, AMBIGUOUS_URLS

TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "a\n",
    "/srv",
    "/srv/a",
    "/srv/.env",
    "/srv/../a",
    "src/a",
    "x@a.example",
    "https://a.example/",
]
NUMBERS = [-1, 0, 1, 2, 0.1, 0.5, 1.0, 2**53 + 1, 2.0**53, 1e23, 10**23, 10**23 + 1, 2**64]

texts = st.sampled_from(TEXTS) | st.text(max_size=8)
numbers = st.sampled_from(NUMBERS) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars | st.sampled_from([float("nan"), float("inf"), "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abA") | texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def one_of(draw: st.DrawFn) -> OneOf:
    listed = draw(st.lists(texts | numbers | st.booleans(), min_size=1, max_size=3))
    return OneOf(
        tuple(value for value in listed if isinstance(value, str)),
        tuple(value for value in listed if not isinstance(value, (str, bool))),
        tuple(value for value in listed if isinstance(value, bool)),
    )


leaves: st.SearchStrategy[Constraint] = st.one_of(
    st.just(Anything()),
    one_of(),
    st.builds(NoneOf, one_of()),
    st.builds(Range, st.none() | numbers, numbers, st.booleans(), st.booleans()),
    st.builds(MaxLength, st.integers(0, 3)),
    st.sampled_from([Matches("a*"), Matches("a|b"), Matches("[^a]+"), Matches(".*"), Matches(r"\S*")]),
    st.sampled_from([Under("/srv"), Under("/"), Under("/srv", uri=True), Within(), NotName(("*.env", "a"))]),
    st.sampled_from([DomainIn((Domain("a.example"),)), HostIn((Place(Domain("a.example")),))]),
    st.builds(MaxItems, st.integers(0, 3)),
)
constraints: st.SearchStrategy[Constraint] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Each, inner),
        st.builds(Some, inner),
        st.builds(lambda part: Fields((("a", part),)), inner),
        st.builds(lambda one, other: All((one, other)), inner, inner),
        st.builds(OrNull, inner),
    ),
    max_leaves=4,
)


@settings(max_examples=400)
@given(constraints, values)
def test_every_value_gets_an_answer_and_a_failure_unless_it_is_yes(constraint: Constraint, value: object) -> None:
    answer = compile_check(constraint)(value, PLAIN)
    assert isinstance(answer, Answer)
    assert (failure(constraint, value, PLAIN) is None) == (answer is Answer.YES)
    assert words(constraint)


def fits(schema: dict[str, Any], value: object) -> bool:
    options = jsonschema_rs.RegexOptions()
    return bool(jsonschema_rs.validator_for(schema, pattern_options=options).is_valid(value))


@settings(max_examples=1000)
@given(constraints, st.data())
def test_what_is_permitted_satisfies_the_narrowed_schema(constraint: Constraint, data: st.DataObject) -> None:
    value = data.draw(fitting(constraint) | values)
    if compile_check(constraint)(value, PLAIN) is Answer.YES and jsonable(value):
        assert fits(narrow(constraint, {}), value)


@settings(max_examples=1000)
@given(
    constraints,
    st.data(),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "number", "integer", "array", "object", ["string", "null"]]),
            "enum": st.lists(scalars, min_size=1, max_size=3),
            "const": scalars,
            "minimum": numbers,
            "exclusiveMaximum": numbers,
            "maxLength": st.integers(0, 3),
            "pattern": st.sampled_from(["a", "^$"]),
            "minItems": st.integers(0, 3),
            "items": st.sampled_from([True, False, {"type": "string"}, {"minimum": 1}]),
            "prefixItems": st.just([{"type": "string"}]),
            "properties": st.sampled_from([{"a": {"type": "string"}}, {"b": {}}, {"a": False}]),
            "required": st.just(["a"]),
            "additionalProperties": st.sampled_from([True, False, {"type": "string"}]),
            "patternProperties": st.just({"a": {"minimum": 1}}),
            "unevaluatedItems": st.just(False),
            "unevaluatedProperties": st.just(False),
            "allOf": st.just([{"maxLength": 2}]),
            "anyOf": st.just([{"type": "string"}, {"type": "array"}]),
            "not": st.just({"const": "a"}),
        },
    ),
)
def test_narrowing_never_widens_and_never_refuses_what_both_permit(
    constraint: Constraint, data: st.DataObject, schema: dict[str, Any]
) -> None:
    value = data.draw(fitting(constraint) | values)
    if not jsonable(value):
        return
    server, client = fits(schema, value), fits(narrow(constraint, schema), value)
    assert server or not client
    if compile_check(constraint)(value, PLAIN) is Answer.YES:
        assert client == server


def fitting(constraint: Constraint) -> st.SearchStrategy[Any]:
    """Values that have a chance: of a type that the constraint speaks about, from its own limits where it has some."""
    match constraint:
        case OneOf():
            return st.sampled_from(constraint.values)
        case Range(low, high):
            return st.sampled_from([limit for limit in (low, high) if limit is not None]) | numbers
        case Each(element):
            return st.lists(fitting(element), min_size=1, max_size=3)
        case Some(element):
            return st.lists(fitting(element) | scalars, min_size=1, max_size=3)
        case Fields(named):
            return st.fixed_dictionaries({name: fitting(part) for name, part in named})
        case All(parts):
            return st.one_of([fitting(part) for part in parts])
        case OrNull(other):
            return st.none() | fitting(other)
        case MaxItems():
            return st.lists(scalars, max_size=3)
        case _:
            return numbers if "number" in json_types(constraint) else texts


def jsonable(value: object) -> bool:
    """Could this value have come in at all? Not NaN, not infinity, not a lone surrogate."""
    try:
        jsonschema_rs.validator_for(True).is_valid(value)
        jsonschema_rs.validator_for({"enum": ["x"], "maxLength": 1}).is_valid(value)
    except ValueError:
        return False
    return "inf" not in repr(value) and "nan" not in repr(value)


PIECES = [
    *("/", "//", "srv", "project", "project2", "..", ".", "...", "\\", "~", "\0", " ", "-", ":", "etc", "out"),
    *("%2e", "%2E%2E", "%2f", "%5c", "%00", "%252e", "$HOME", "ENV", ".env", "SRV", "Project", "file://"),
    *("\uff0e\uff0e", "\uff0f", "\u202e", "\u2024", "e\u0301", "\u200b", "\u2215"),
]
mixes = st.lists(st.sampled_from(PIECES), max_size=9).map("".join) | st.lists(st.sampled_from(PIECES), max_size=6).map(
    lambda pieces: "/srv/project/" + "/".join(pieces)
)
OUT = FakeFiles(links={"/srv/project/out": "/etc", "/srv/project/project": "/srv/project/.env"})


def repaired(text: str) -> str:
    """`text` as the most helpful server reads it: everything that hides a path undone."""
    for _ in range(4):
        text = unicodedata.normalize("NFKC", unquote(text)).replace("\\", "/")
    return posixpath.normpath(text)


@settings(max_examples=1000)
@given(mixes)
def test_no_spelling_of_a_path_escapes(text: str) -> None:
    under, within = compile_check(Under("/srv/project")), compile_check(Within())
    real = OUT.resolve(repaired(text)) or ""
    if under(text, OUT) is Answer.YES or within(text, OUT) is Answer.YES:
        assert real == "/srv/project" or real.startswith("/srv/project/")
        assert not real.startswith("/etc")
        assert repaired(text) == (text.rstrip("/") or "/")


@settings(max_examples=1000)
@given(mixes)
def test_no_spelling_of_a_path_slips_by_a_deny(text: str) -> None:
    real = OUT.resolve(repaired(text)) or ""
    if real == "/srv/project" or real.startswith("/srv/project/"):
        assert compile_check(Under("/srv/project"))(text, OUT) is not Answer.NO
    if real == "/etc":
        assert compile_check(OneOf(texts=("/etc",)))(text, OUT) is not Answer.NO


@settings(max_examples=1000)
@given(mixes)
def test_no_spelling_of_a_name_is_granted(text: str) -> None:
    check = compile_check(NotName(("*.env",)))
    if check(text, OUT) is Answer.YES:
        real = OUT.resolve(repaired(text)) or ""
        assert ".env" not in [segment[-4:].casefold() for path in (real, repaired(text)) for segment in path.split("/")]


@given(st.sampled_from(AMBIGUOUS_URLS) | st.sampled_from(AMBIGUOUS_MAIL))
def test_an_ambiguous_place_is_neither_granted_nor_out_of_reach(text: str) -> None:
    names = ("example.com", "evil.org", "127.0.0.1", "localhost")
    domains = (*(Domain(name) for name in names), Domain("com", True), Domain("org", True))
    places = tuple(Place(domain, *origin) for domain in domains for origin in (("https", 443), ("http", 80)))
    assert compile_check(HostIn(places))(text, PLAIN) is Answer.UNSURE
    mail = compile_check(DomainIn(domains))(text, PLAIN)
    assert mail is Answer.UNSURE or text == "example.com"


@given(constraints, values)
def test_a_value_of_another_type_is_never_a_clear_no(constraint: Constraint, value: object) -> None:
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    plain = constraint.other if isinstance(constraint, OrNull) else constraint
    if not isinstance(plain, All) and kinds.get(type(value), "null") not in json_types(constraint):
        assert compile_check(constraint)(value, PLAIN) is Answer.UNSURE
