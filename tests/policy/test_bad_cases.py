"""Case files that must not load: each ends in exactly one `InputError` that says where, and how to mend it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.errors import InputError
from mcp_guard.policy.cases import bind, load_cases
from mcp_guard.policy.cases_run import play, problems
from tests.policy.bad.traps import YAML_TRAPS
from tests.policy.scene import policy

POLICY = policy("grants: [{id: a, tool: s/t, args: {x: {max: 5}}, budget: {calls: 2}}]")
C = "cases:\n  - "  # a case in flow style follows: it stands at 2:5
W = C + "{why: w, call: s/t, expect: deny, "  # a further key follows: it stands at 2:38
S = C + "{why: w, call: s/t, expect: deny, after: [{call: s/t, "  # a further key of a step: 2:57

# (file, line:column, a piece of the message)
FILES: list[tuple[str, str, str]] = [
    # the file
    ("[]", "1:1", "a case file is a mapping"),
    ("cases", "1:1", "a case file is a mapping"),
    ("{}", "1:1", "`cases` is missing"),
    ("set: {}\n", "1:1", "`cases` is missing"),
    ("cases: []\n", "1:8", "an empty list"),
    ("cases:\n", "1:1", "`cases` is empty"),
    ("cases: {}\n", "1:8", "`cases` must be a list"),
    ("cases: [x]\n", "1:9", "must be a mapping"),
    ("cases: [null]\n", "1:9", "this entry is empty"),
    ("cases: [[]]\n", "1:9", "must be a mapping"),
    ("version: 1\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:1", "a case file has no version"),
    ("grants: []\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:1", "unknown key `grants`"),
    ("case: []\n", "1:1", "did you mean `cases`?"),
    ("cases: [{why: w, call: s/t, expect: deny}]\ntools: {}\n", "2:1", "did you mean `effects`"),
    ("cases: [{why: w, call: s/t, expect: deny}]\neffects: {}\n", "2:10", "an empty mapping says nothing"),
    ("cases: [{why: w, call: s/t, expect: deny}]\neffects: {t: read}\n", "2:10", "write `server/name`"),
    ("cases: [{why: w, call: s/t, expect: deny}]\neffects: {s/*: read}\n", "2:10", "isn't one name"),
    ("cases: [{why: w, call: s/t, expect: deny}]\neffects: {s/t: reed}\n", "2:16", "`reed` isn't an effect"),
    ("cases: [{why: w, call: s/t, expect: deny}]\nmandate: required\n", "2:1", "unknown key `mandate`"),
    # variables
    ("set: []\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:6", "`set` must be a mapping"),
    ("set: {project: 5}\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:16", "`project` must be text"),
    ("set: {project: .}\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:16", "write an absolute path"),
    ("set: {project: /}\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:16", "`project` can't be `/`"),
    ("set: {project: /srv/../etc}\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:16", "`project` can't be"),
    ("set: {x: /}\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:10", "`x` can't be `/`"),
    ("set: {x: ''}\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:10", "`x` can't be"),
    ("set: {x-y: a}\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:12", "a name has letters"),
    ("set: {x: null}\ncases: [{why: w, call: s/t, expect: deny}]\n", "1:7", "`x` is empty"),
    # a case
    (C + "{call: s/t, expect: deny}", "2:5", "`why` is missing in case number 1"),
    (C + "{why: w, call: s/t}", "2:5", "write `expect: deny`"),
    (C + "{why: w, expect: deny}", "2:5", "a case that calls nothing in case `w`"),
    (C + "{why: w, call: s/t, prompt: s/p, expect: deny}", "2:5", "has `call` and `prompt`"),
    (C + "{why: w, call: s/t, resource: {server: s, uri: u}, expect: deny}", "2:5", "exactly one of"),
    (C + "{why: w, call: s/t, extension: s/x, expect: deny}", "2:5", "has `call` and `extension`"),
    (C + "{why: w, server_request: s/elicit, expect: deny}", "2:30", "write `server/`, and one of elicitation, roots"),
    (C + "{why: w, server_request: elicitation, expect: deny}", "2:30", "`elicitation` isn't a name"),
    (C + "{why: w, server_request: [s/roots, s/*], expect: deny}", "2:40", "isn't one name"),
    (C + "{why: w, server_request: s/roots, args: {}, expect: deny}", "2:5", "its name is all there is"),
    (C + "{why: w, extension: s/x, long: {a: 5}, expect: deny}", "2:5", "its name is all there is"),
    (C + "{why: w, extension: s/*, expect: deny}", "2:25", "isn't one name"),
    (C + "{why: w, server_requests: s/roots, expect: deny}", "2:14", "did you mean `server_request`?"),
    (C + "{why: w, extensions: s/x, expect: deny}", "2:14", "did you mean `extension`?"),
    (W + "after: [{extension: [s/x, s/y]}]}", "2:47", "several calls in one entry"),
    (C + "{why: , call: s/t, expect: deny}", "2:6", "`why` is empty in case number 1"),
    (C + "{why: ' ', call: s/t, expect: deny}", "2:11", "an empty text"),
    (C + "{why: 5, call: s/t, expect: deny}", "2:11", "`why` must be text"),
    (C + "{why: w, call: t, expect: deny}", "2:20", "`t` isn't a name"),
    (C + "{why: w, call: s/, expect: deny}", "2:20", "isn't a name"),
    (C + "{why: w, call: /t, expect: deny}", "2:20", "isn't a name"),
    (C + "{why: w, call: s/*, expect: deny}", "2:20", "`s/*` isn't one name"),
    (C + "{why: w, call: [], expect: deny}", "2:20", "an empty list"),
    (C + "{why: w, call: [s/t, u], expect: deny}", "2:26", "`u` isn't a name"),
    (C + "{why: w, call: 7, expect: deny}", "2:20", "must be text"),
    (C + "{why: w, call: {server: s}, expect: deny}", "2:20", "must be text"),
    (C + "{why: w, call: , expect: deny}", "2:14", "`call` is empty in case `w`"),
    (C + "{why: w, prompt: p, expect: deny}", "2:22", "isn't a name"),
    (C + "{why: w, call: s/t, expect: refuse}", "2:33", "`refuse` can't be expected"),
    (C + "{why: w, call: s/t, expect: [deny]}", "2:33", "can't be expected"),
    (C + "{why: w, call: s/t, expect: no}", "2:33", "write allow, ask, deny"),
    (C + "{why: w, call: s/t, expect: DENY}", "2:33", "can't be expected"),
    (C + "{why: w, call: s/t, expect: }", "2:25", "`expect` is empty"),
    (C + "{why: w, tool: s/t, expect: deny}", "2:14", "did you mean `call`?"),
    (C + "{why: w, call: s/t, arguments: {}, expect: deny}", "2:25", "did you mean `args`?"),
    (C + "{why: w, call: s/t, expected: deny}", "2:25", "did you mean `expect`?"),
    (W + "zzz: 1}", "2:39", "known here: after, args"),
    (W + "why2: 1}", "2:39", "did you mean `why`?"),
    (W + "why: again}", "2:39", "`why` stands here twice"),
    # what the language has and this version doesn't
    (W + "labels: []}", "2:47", "an empty list says nothing in case `w`"),
    (W + "labels: [Untrusted]}", "2:48", "`Untrusted` can't be an id"),
    (W + "no_labels: [untrusted]}", "2:39", "a session has only the labels that it is given"),
    (W + "result: {x: 1}}", "2:39", "`result` isn't in this version yet"),
    (S + "labels: [x]}]}", "2:59", "what the session had at its start stands beside `call`"),
    # arguments
    (W + "args: any}", "2:45", "arguments can't be `any`"),
    (W + "args: }", "2:39", "`args` is empty"),
    (W + "args: x}", "2:45", "arguments can't be `x`"),
    (W + "args: []}", "2:45", "an empty list"),
    (W + "args: [x]}", "2:46", "arguments can't be `x`"),
    (W + "args: [[]]}", "2:46", "arguments can't be"),
    (W + "args: {x: 1, x: 2}}", "2:52", "`x` stands here twice"),
    (W + "args: {1: 2}}", "2:46", "key `1` isn't text"),
    (W + "args: {x: *a}}", "2:49", "YAML alias"),
    (W + "args: {x: .nan}}", "2:49", "`.nan`"),
    (W + "long: {}}", "2:45", "an empty mapping"),
    (W + "long: 5}", "2:45", "`long` must be a mapping"),
    (W + "long: {x: -1}}", "2:49", "`-1` isn't a length"),
    (W + "long: {x: 1.5}}", "2:49", "isn't a length"),
    (W + "long: {x: true}}", "2:49", "isn't a length"),
    (W + "long: {x: many}}", "2:49", "isn't a length"),
    (W + "long: {x: 2000001}}", "2:49", "up to 2000000"),
    (W + "args: {x: 1}, long: {x: 5}}", "2:5", "`x` is both in `args` and `long`"),
    (C + "{why: w, resource: {server: s, uri: u}, args: {}, expect: deny}", "2:5", "a resource has no arguments"),
    (C + "{why: w, resource: s, expect: deny}", "2:24", "`resource` must be a mapping"),
    (C + "{why: w, resource: {server: s}, expect: deny}", "2:24", "`uri` is missing"),
    (C + "{why: w, resource: {server: s, uri: u, path: p}, expect: deny}", "2:44", "unknown key `path`"),
    # what is expected
    (W + "rule: 5}", "2:45", "`rule` must be text"),
    (W + "rule: []}", "2:45", "`rule` must be text"),
    (W + "rule: ''}", "2:45", "an empty text"),
    (W + "reason: because}", "2:47", "`because` isn't a reason"),
    (W + "reason: protected}", "2:47", "isn't a reason that documents give"),
    (W + "reason: needs_approval}", "2:5", "`needs_approval` is no reason for `expect: deny`"),
    (C + "{why: w, call: s/t, expect: allow, reason: no_grant}", "2:5", "leave `reason` out"),
    (C + "{why: w, call: s/t, expect: ask, reason: denied}", "2:5", "write needs_approval"),
    # who and when
    (W + "principal: [a]}", "2:50", "`principal` must be text"),
    (W + "principal: ''}", "2:50", "an empty text"),
    (W + "at: 10:00}", "2:43", "isn't a point in time"),
    (W + "at: 2026-01-02}", "2:43", "with its zone"),
    (W + "at: 5}", "2:43", "`at` must be text"),
    (W + "at: 2026-02-30T00:00:00Z}", "2:43", "isn't a point in time"),
    (W + "at: 9999-12-31T23:59:59Z}", "2:43", "write a time in the years 2000 to 2999"),
    (W + "at: 0001-01-01T00:00:00Z}", "2:43", "is no time of a case"),
    # history
    (W + "after: []}", "2:46", "an empty list"),
    (W + "after: {call: s/t}}", "2:46", "`after` must be a list"),
    (W + "after: [s/t]}", "2:47", "must be a mapping"),
    (W + "after: [{args: {}}]}", "2:47", "calls nothing"),
    (W + "after: [{call: [s/t, s/u]}]}", "2:47", "an entry for each"),
    (W + "after: [{call: s/t, args: [{}, {}]}]}", "2:47", "an entry for each"),
    (S + "times: 0}]}", "2:66", "`0` isn't a number of calls"),
    (S + "times: 1001}]}", "2:66", "from 1 to 1000"),
    (S + "times: true}]}", "2:66", "isn't a number of calls"),
    (S + "expect: maybe}]}", "2:67", "can't be expected"),
    (S + "why: x}]}", "2:59", "only the case itself says why"),
    (S + "mandate: m.yaml}]}", "2:59", "binds the whole case"),
    (S + "principal: x}]}", "2:59", "one principal makes all calls"),
    (S + "rule: x}]}", "2:59", "only the last call"),
    (S + "after: []}]}", "2:59", "stand in one list"),
    (S + "at: 2026-01-03T00:00:00Z}]}", "2:63", "an earlier call at a later time in case `w`"),
    (W + "after: [{call: s/t, at: 2026-01-01T00:00:01Z}, {call: s/t, at: 2026-01-01T00:00:00Z}]}", "2:63", "order"),
    (W + "times: 2}", "2:39", "only an earlier call is repeated"),
    # mandates and links
    (W + "mandate: /etc/passwd}", "2:48", "a mandate can't be `/etc/passwd`"),
    (W + "mandate: ../m.yaml}", "2:48", "a mandate can't be"),
    (W + "mandate: ~/m.yaml}", "2:48", "a mandate can't be"),
    (W + "mandate: .}", "2:48", "a mandate can't be"),
    (W + "mandate: 5}", "2:48", "a mandate can't be `5`"),
    (W + "mandate: }", "2:39", "`mandate` is empty"),
    (W + "mandate: []}", "2:48", "a mandate can't be"),
    (W + "mandate: {}}", "2:48", "a mandate has both"),
    (W + "mandate: {version: 1, task: t, expires: soon}}", "2:79", "`soon` is no span"),
    (W + "mandate: {version: 1, task: t, expires: 3m, grants: [{id: a, tool: s/t}]}}", "2:92", "`args` is missing"),
    (W + "links: {}}", "2:46", "an empty mapping"),
    (W + "links: [a]}", "2:46", "`links` must be a mapping"),
    (W + "links: {a: /b}}", "2:46", "both ends absolute"),
    (W + "links: {/a: b}}", "2:51", "both ends absolute"),
    (W + "links: {/a: /b/../c}}", "2:51", "both ends absolute"),
    (W + "links: {/a: 5}}", "2:51", "must be text"),
]


def load(data: bytes) -> None:
    bind(load_cases(data, "p.cases.yaml"), POLICY, {})


@pytest.mark.parametrize(("text", "place", "piece"), FILES, ids=[text[-40:] for text, _, _ in FILES])
def test_a_bad_case_file_is_one_error_with_its_place_and_a_way_out(text: str, place: str, piece: str) -> None:
    with pytest.raises(InputError) as caught:
        load(text.encode())
    said = str(caught.value)
    assert piece in said
    assert f"(p.cases.yaml:{place})" in said
    assert "\n" not in said


@pytest.mark.parametrize(("data", "place", "piece"), YAML_TRAPS)
def test_what_is_no_plain_yaml_is_no_case_file_either(data: str | bytes, place: str, piece: str) -> None:
    with pytest.raises(InputError, match=r"\(p\.cases\.yaml:\d+:\d+\)"):
        load(data.encode() if isinstance(data, str) else data)


def test_a_small_file_can_not_make_a_large_run() -> None:
    many = ", ".join(["s/t"] * 200)
    sets = ", ".join(["{x: 1}"] * 200)
    with pytest.raises(InputError, match="more than 20000 cases up to here"):
        load(f"cases: [{{why: w, call: [{many}], args: [{sets}], expect: deny}}]".encode())
    steps = ", ".join(["{call: s/t, times: 1000}"] * 201)
    with pytest.raises(InputError, match="more than 200000 earlier calls"):
        load(f"cases: [{{why: w, call: s/t, after: [{steps}], expect: deny}}]".encode())
    long = ", ".join(f"{{why: w, call: s/t, long: {{x: {2_000_000 - number}}}, expect: deny}}" for number in range(26))
    with pytest.raises(InputError, match="more than 50000000 characters"):
        load(f"cases: [{long}]".encode())


GOOD: dict[str, Any] = {
    "set": {"project": "/srv/project"},
    "cases": [
        {
            "why": "w",
            "call": ["s/t"],
            "args": [{"x": 1}],
            "expect": "allow",
            "rule": "a",
            "principal": "local:me",
            "at": "2026-01-02T10:00:00Z",
            "links": {"/a": "/b"},
            "after": [{"call": "s/t", "args": {"x": 2}, "times": 1, "expect": "allow", "result": None}],
            "mandate": {
                "version": 1,
                "task": "t",
                "expires": "30m",
                "grants": [{"id": "m", "tool": "s/*", "args": "any"}],
            },
        }
    ],
}
_PLACES: list[tuple[str | int, ...]] = []


def _collect(value: Any, path: tuple[str | int, ...]) -> None:
    _PLACES.append(path)
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in parts:
        _collect(inner, (*path, part))


_collect(GOOD, ())
_STRANGE = st.recursive(
    st.sampled_from([None, True, 0, -1, 1.5, "", "x", "s/t", "any", "/", "*", "deny", "\u202e", "$project"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["why", "call", "x", "args"]), inner),
    max_leaves=4,
)


def _put(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _put(copied[path[0]], path[1:], new)
    return copied


def test_the_file_that_is_bent_below_is_a_good_one() -> None:
    found = bind(load_cases(json.dumps(GOOD).encode(), "p.cases.yaml"), POLICY, {})
    assert [problems(play(found, case)) for case in found.cases] == [[]]


@settings(max_examples=300)
@given(st.sampled_from(_PLACES), _STRANGE)
def test_a_file_with_something_strange_in_one_place_loads_or_is_one_error(
    path: tuple[str | int, ...], new: Any
) -> None:
    """And what loads can be played and told, whatever it says."""
    try:
        found = bind(load_cases(json.dumps(_put(GOOD, path, new)).encode(), "p.cases.yaml"), POLICY, {})
    except InputError as error:
        assert re.search(r"p\.cases\.yaml:\d+:\d+", str(error))  # noqa: PT017 - what loads is no failure
        return
    for case in found.cases:
        played = play(found, case)
        assert (problems(played) == []) is played.passed
