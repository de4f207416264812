"""What a document may write, what it means, and what the refusal of the rest says."""

from __future__ import annotations

import pytest

from mcp_guard.policy.constraints import (
    All,
    Anything,
    Constraint,
    ConstraintError,
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
    parse_constraint,
)

VARIABLES = {"project": "/srv/project", "who": "alice", "domain": "example.com", "root": "/", "none": "", "rel": "src",
             "up": "/srv/../etc", "bidi": "a\u202eb", "dots": "..", "money": "$who",
             "files": "file:///srv/files"}  # fmt: skip


def parse(data: object, *, in_grant: bool = True, home: str = "/home/ann") -> Constraint:
    return parse_constraint(data, in_grant=in_grant, variables=VARIABLES, home=home)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("any", Anything()),
        ("x", OneOf(texts=("x",))),
        (1, OneOf(numbers=(1,))),
        (False, OneOf(flags=(False,))),
        ("$who", OneOf(texts=("alice",))),
        ("$$who", OneOf(texts=("$who",))),
        ("US$$ 5", OneOf(texts=("US$ 5",))),
        ("to-$who", OneOf(texts=("to-alice",))),
        ("$money", OneOf(texts=("$who",))),
        ("$project/a", OneOf(texts=("/srv/project/a",), starts=(("/srv/project/a", "/srv/project"),))),
        ("~/a", OneOf(texts=("~/a", "/home/ann/a"))),
        ({"in": ["any", 1, True]}, OneOf(("any",), (1,), (True,))),
        ({"in": ["a", "a"]}, OneOf(("a",))),
        ({"not_in": ["$who"]}, NoneOf(OneOf(("alice",)))),
        ({"above": 0, "max": 100}, Range(0, 100, low_open=True)),
        ({"min": 0.5, "below": 2}, Range(0.5, 2, high_open=True)),
        ({"max_length": 0}, MaxLength(0)),
        ({"matches": "a$"}, Matches("a$")),
        ({"under": "/srv/"}, Under("/srv")),
        ({"under": "/"}, Under("/")),
        ({"under": "$project/src"}, Under("/srv/project/src", start="/srv/project")),
        ({"under": "~/Downloads"}, Under("/home/ann/Downloads")),
        ({"under": "file://$project"}, Under("/srv/project", uri=True)),
        ({"under": "file://$project/a"}, Under("/srv/project/a", uri=True, start="/srv/project")),
        ({"under": "$files/a"}, Under("/srv/files/a", uri=True, start="/srv/files")),
        ({"under": "/srv/$who/a/b"}, Under("/srv/alice/a/b", start="/srv/alice")),
        ({"within": "."}, Within()),
        ({"not_name": ["*.env", "$$x"]}, NotName(("*.env", "$x"))),
        ({"domain_in": ["Example.COM", ".$domain"]}, DomainIn((Domain("example.com"), Domain("example.com", True)))),
        ({"host_in": ["$domain"]}, HostIn((Place(Domain("example.com")),))),
        ({"host_in": ["http://localhost:8080"]}, HostIn((Place(Domain("localhost"), "http", 8080),))),
        ({"host_in": ["http://.a.example"]}, HostIn((Place(Domain("a.example", True), "http", 80),))),
        ({"host_in": ["[::1]"]}, HostIn((Place(Domain("[::1]")),))),
        ({"each": {"max": 1}, "max_items": 3}, All((Each(Range(high=1)), MaxItems(3)))),
        ({"fields": {"a": "any", "b": {"max": 1}}}, Fields((("a", Anything()), ("b", Range(high=1))))),
        ({"max": 1, "null": "ok"}, OrNull(Range(high=1))),
        ({"max": 1, None: "ok"}, OrNull(Range(high=1))),
        ({"max": 9, "in": [1, 20], "min": 0}, All((Range(0, 9), OneOf(numbers=(1, 20))))),
    ],
)
def test_a_document_may_write(data: object, expected: Constraint) -> None:
    assert parse(data) == expected


@pytest.mark.parametrize(
    ("data", "path", "said"),
    [
        (None, (), "write `any`"),
        ([1], (), "write `in: [...]`"),
        ({}, (), "write `any`"),
        ({"null": "ok"}, (), "says nothing"),
        ({"undr": "/srv"}, ("undr",), "did you mean `under`?"),
        ({"not_like": ["x"]}, ("not_like",), "did you mean `not_name`?"),
        ({"maximum": 5}, ("maximum",), "did you mean `max`?"),
        ({"zzz": 5}, ("zzz",), "known are in, "),
        ({5: 5}, (), "is not text"),
        ({"any": True}, ("any",), "stands alone"),
        ({"from": "task"}, ("from",), "must be a list"),
        ({"not_from": ["taks"]}, ("not_from", 0), "did you mean `task`?"),
        ({"from": ["bank/*"]}, ("from", 0), "no source"),
        ({"from": [{"field": "iban"}]}, ("from", 0), "names no tool"),
        ({"from": [{"tool": "bank/list", "fields": "iban"}]}, ("from", 0), "unknown key `fields`"),
        ({"from": [{"tool": "bank/list", "field": "a..b"}]}, ("from", 0, "field"), "no name"),
        ({"from": ["task"], "text": "prose"}, ("text",), "takes only `free`"),
        ({"max_length": 3, "text": "free"}, ("text",), "beside `from`"),
        ({"from": ["task"], "max_items": 3}, (), "different types"),
        ({"max": 5, "null": True}, ("null",), "only `ok`"),
        ({"in": "a"}, ("in",), "must be a list"),
        ({"in": []}, ("in",), "empty"),
        ({"in": ["a", None]}, ("in", 1), "null: ok"),
        ({"in": ["a", ["b"]]}, ("in", 1), "only text, numbers"),
        ({"in": ["a", float("nan")]}, ("in", 1), "finite"),
        ({"max": "5"}, ("max",), "must be a number"),
        ({"max": True}, ("max",), "must be a number"),
        ({"max": float("inf")}, ("max",), "finite"),
        ({"min": 1, "above": 1}, ("above",), "keep the one you mean"),
        ({"max": 1, "below": 1}, ("below",), "keep the one you mean"),
        ({"min": 2, "max": 1}, (), "no number"),
        ({"min": 2, "below": 2}, (), "no number"),
        ({"max_length": -1}, ("max_length",), "whole number"),
        ({"max_length": True}, ("max_length",), "whole number"),
        ({"max_items": 1.5}, ("max_items",), "whole number"),
        ({"max": 5, "max_length": 5}, (), "different types"),
        ({"in": [1], "under": "/srv"}, (), "different types"),
        ({"matches": "("}, ("matches",), "not a valid regular expression"),
        ({"matches": "a)|(b"}, ("matches",), "not a valid regular expression"),
        ({"matches": "(?=a)"}, ("matches",), "look-around"),
        ({"matches": "(?<!a)b"}, ("matches",), "look-around"),
        ({"matches": "(?m)^a$"}, ("matches",), "no flags"),
        ({"matches": "(?x)a # b"}, ("matches",), "no flags"),
        ({"matches": r"(a)\1"}, ("matches",), "back-reference"),
        ({"matches": r"a\Z"}, ("matches",), "whole text is matched anyway"),
        ({"matches": "(a{1000}){1000}"}, ("matches",), "too large"),
        ({"matches": "a" * 1001}, ("matches",), "longer than"),
        ({"matches": 5}, ("matches",), "must be text"),
        ({"under": "src"}, ("under",), "absolute"),
        ({"under": "."}, ("under",), "`$project`"),
        ({"under": ""}, ("under",), "empty"),
        ({"under": "/srv/../etc"}, ("under",), "dots"),
        ({"under": "/srv//x"}, ("under",), "//"),
        ({"under": "~root/x"}, ("under",), "~"),
        ({"under": ["/srv"]}, ("under",), "one directory"),
        ({"under": "file://host/srv"}, ("under",), "absolute"),
        ({"under": "$nope"}, ("under",), "no value for the variable `$nope`"),
        ({"under": "$projet"}, ("under",), "did you mean `$project`?"),
        ({"under": "$root"}, ("under",), "is the root"),
        ({"under": "$dots"}, ("under",), "is the root or a relative path"),
        ({"under": "$none"}, ("under",), "is empty"),
        ({"under": "$rel"}, ("under",), "absolute"),
        ({"under": "$up"}, ("under",), "dots"),
        ({"under": "$project/../x"}, ("under",), "dots"),
        ({"under": "/srv/$bidi"}, ("under",), "invisible"),
        ("$up", (), "dots"),
        ("$none", (), "is empty"),
        ("~/../x", (), "dots"),
        ("cost $5", (), "write `$$`"),
        ({"within": "src"}, ("within",), "only `.`"),
        ({"not_name": "*.env"}, ("not_name",), "must be a list"),
        ({"not_name": ["a", "b/*"]}, ("not_name", 1), "slash"),
        ({"not_name": ["[ab]"]}, ("not_name", 0), "only `*` and `?`"),
        ({"not_name": ["**"]}, ("not_name", 0), "only `*` and `?`"),
        ({"not_name": [""]}, ("not_name", 0), "empty"),
        ({"not_name": ["$who"]}, ("not_name", 0), "not expanded"),
        ({"domain_in": ["a.example", "a@b.example"]}, ("domain_in", 1), "whole addresses"),
        ({"domain_in": ["*.example.com"]}, ("domain_in", 0), "`.example.com`"),
        ({"domain_in": ["example.com."]}, ("domain_in", 0), "plain ASCII"),
        ({"domain_in": ["b\u00fccher.example"]}, ("domain_in", 0), "plain ASCII"),
        ({"domain_in": [".127.0.0.1"]}, ("domain_in", 0), "sub-domains"),
        ({"domain_in": [5]}, ("domain_in", 0), "must be text"),
        ({"host_in": ["example.com/x"]}, ("host_in", 0), "without a path: `example.com`"),
        ({"host_in": ["https://docs.python.org/3/"]}, ("host_in", 0), "without a path: `docs.python.org`"),
        ({"host_in": ["ftp://example.com"]}, ("host_in", 0), "host"),
        ({"host_in": ["example.com:0"]}, ("host_in", 0), "port"),
        ({"host_in": ["0x7f.1"]}, ("host_in", 0), "IP address"),
        ({"host_in": [""]}, ("host_in", 0), "no host"),
        ({"host_in": [".xn--a.example"]}, ("host_in", 0), "sub-domains"),
        ({"some": {"in": ["a"]}}, ("some",), "use `each`"),
        ({"each": {"some": "any"}}, ("each", "some"), "use `each`"),
        ({"fields": {"a": {"some": "any"}}}, ("fields", "a", "some"), "use `each`"),
        ({"fields": {}}, ("fields",), "mapping"),
        ({"fields": {"a": {"each": {"in": [1, None]}}}}, ("fields", "a", "each", "in", 1), "null: ok"),
    ],
)
def test_a_slip_is_refused_at_its_place_with_the_way_out(data: object, path: tuple[object, ...], said: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        parse(data)
    assert said in str(caught.value)
    assert caught.value.path == path


def test_some_may_stand_in_asks_and_denies() -> None:
    assert parse({"some": {"in": ["a"]}}, in_grant=False) == Some(OneOf(texts=("a",)))


@pytest.mark.parametrize("home", ["/", "", "home", "/home/../x"])
def test_a_home_that_means_everything_or_nothing_is_refused(home: str) -> None:
    with pytest.raises(ConstraintError, match="home directory"):
        parse({"under": "~/x"}, home=home)


def test_a_home_that_is_not_used_is_not_looked_at() -> None:
    assert parse({"under": "/srv"}, home="") == Under("/srv")


def test_endless_nesting_is_refused() -> None:
    data: object = "any"
    for _ in range(5000):
        data = {"each": data}
    with pytest.raises(ConstraintError, match="too deeply"):
        parse(data)


def test_true_and_one_are_different_constraints() -> None:
    assert parse(True) != parse(1)
