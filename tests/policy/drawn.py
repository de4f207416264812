"""Documents, calls and facts as Hypothesis draws them: a small world, so that rules and calls meet often."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from mcp_guard.model import Admitted, Call, Described, EffectClass, Kind, Usage
from mcp_guard.policy.document import Document, load_text
from tests.policy.scene import NOON, Still

Written = dict[str, Any]
"""A document as plain data, without ids."""

SECRET = "zq7secret"  # no document holds it: wherever it shows up, a value has leaked

NAMES = ["s/read", "s/Read", "s/write", "t/read", "s/send"]
STRANGE = "s/se\u200bnd"  # a server may call a tool so; no document can
PATTERNS = [*NAMES, "s/*", "*/read", "s/re*d", "s/*", "*/*", "*/*"]
ARGUMENTS = ["a", "b", "A"]
PRINCIPALS = ["local", "ann", "Ann"]
URIS = ["file:///srv/project/x", "file:///srv/project/../x", "file:///etc/x", "db://x"]
MOMENTS = ["2026-11-20T11:59:59Z", "2026-11-20T12:00:00Z", "2027-01-01T00:00:00Z"]

_SCALARS = [0, 1, 5, 6, -1, 2.5, True, None, "x", "X", "5", SECRET]
_PATHS = ["/srv/project/a", "/srv/project/../a", "/etc/" + SECRET]
values = st.sampled_from([*_SCALARS, *_PATHS, [], ["x"], ["x", 5], {}, {"k": 1}])
_RANGES = [{"max": 5}, {"above": 0, "max": 5}, {"max": 5, "null": "ok"}]
_LISTS = [{"in": ["x", 1]}, {"not_in": ["x"]}, {"each": {"in": ["x"]}}]
constraints = st.sampled_from(
    ["any", "any", "any", 1, 5, "x", True, *_RANGES, *_LISTS, {"under": "/srv/project"}, {"max_length": 2}]
)
uris = st.sampled_from(["any", {"under": "file:///srv/project"}, "db://x"])
limits = st.dictionaries(st.sampled_from(ARGUMENTS), constraints, max_size=2)
LABELS = ["untrusted", "secret"]
whens = st.sampled_from(
    [
        *({"principal": "ann"}, {"principal": ["local", "a*"]}, {"time": {"after": "12:00"}}),
        *({"time": {"days": ["fri"]}}, {"labels": ["untrusted"]}, {"no_labels": ["untrusted"]}),
        *({"labels": LABELS}, {"no_labels": LABELS, "time": {"after": "12:00"}}),
    ]
)
orders: st.SearchStrategy[Written] = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2).map(
    lambda names: {"after": names}
)
gives: st.SearchStrategy[Written] = st.sampled_from(
    [{}, {"gives": "untrusted"}, {"gives": ["secret", {"label": "untrusted", "args": {"a": 5}}]}]
)
effects = st.lists(st.sampled_from(list(EffectClass)), min_size=1, max_size=3, unique=True).map(
    lambda found: [str(effect) for effect in found]
)


@st.composite
def _targets(draw: st.DrawFn, *, grant: bool) -> Written:
    kind = draw(st.sampled_from(["tool"] * 6 + ["effect", "prompt", "resource"]))
    if kind == "effect":
        return {"effect": draw(effects)}
    if kind == "resource":
        return {"resource": {"server": draw(st.sampled_from(["s", "t"])), **({"uri": draw(uris)} if grant else {})}}
    names = NAMES if grant and kind == "prompt" else PATTERNS
    return {kind: draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))}


@st.composite
def grants(draw: st.DrawFn) -> Written:
    rule: Written = draw(_targets(grant=True))
    if "resource" not in rule:
        rule["args"] = draw(st.one_of(st.just("any"), limits))
        if rule["args"] != "any":
            free = {k: v for k, v in draw(limits).items() if k not in rule["args"]}
            rule |= {"optional": free} if free else {}
            rule |= {"others": "any"} if draw(st.booleans()) else {}
        if rule["args"] == "any" or "a" in rule["args"]:
            budgets = [{"calls": 1}, {"calls": 2, "sum": {"a": 6}}, {"sum": {"a": 5.5}}]
            rule |= draw(st.sampled_from([{}, {}, *({"budget": budget} for budget in budgets)]))
    rule |= draw(st.sampled_from([{}, {}, {"ask": True}]))
    rule |= draw(st.sampled_from([{}, {}, {}, *({"until": moment} for moment in MOMENTS)]))
    rule |= draw(st.sampled_from([{}, {}, {"disclose": False}]))
    rule |= draw(st.sampled_from([{}] * 8 + [{"once": True}]))
    rule |= draw(orders) if draw(st.integers(0, 9)) == 0 else {}
    return rule | ({"when": draw(whens)} if draw(st.integers(0, 7)) == 0 else {})


@st.composite
def tightenings(draw: st.DrawFn) -> Written:
    """An ask or a deny."""
    rule: Written = draw(_targets(grant=False))
    if "resource" not in rule and draw(st.booleans()):
        rule["args"] = draw(limits)
    if draw(st.integers(0, 5)) == 0:
        rule |= draw(orders) | draw(st.sampled_from([{}, {}, {"times": 2}]))
    return rule | ({"when": draw(whens)} if draw(st.integers(0, 7)) == 0 else {})


@st.composite
def documents(draw: st.DrawFn) -> Written:
    """A policy as plain data; rules without ids."""
    return {
        "version": 1,
        "tools": {
            name: {"effect": draw(effects), **draw(gives)}
            for name in sorted(draw(st.sets(st.sampled_from(NAMES), max_size=4)))
        },
        "grants": draw(st.lists(grants(), min_size=1, max_size=4)),
        "ask": draw(st.lists(tightenings(), max_size=1)),
        "deny": draw(st.lists(tightenings(), max_size=1)),
    }


def with_ids(written: Written) -> Written:
    """The same with an id for every rule; what has one keeps it."""
    sections = ("grants", "ask", "deny")
    named = {name: [{"id": f"{name}{i}", **r} for i, r in enumerate(written.get(name, []))] for name in sections}
    return {**written, **named}


def loaded(written: Written, *, mandate: bool = False) -> Document:
    """The document; JSON is YAML, too."""
    content = with_ids(written)
    if mandate:
        content = {k: v for k, v in content.items() if k != "tools"} | {"task": "t", "expires": "2027-01-01T00:00:00Z"}
        return load_text(json.dumps(content).encode(), file="m.yaml", kind="mandate", home="/home/u")
    return load_text(json.dumps(content).encode(), file="p.yaml", kind="policy", home="/home/u")


@st.composite
def calls(draw: st.DrawFn) -> Call:
    principal = draw(st.sampled_from(PRINCIPALS))
    kind = draw(st.sampled_from([Kind.TOOL] * 6 + [Kind.PROMPT, Kind.RESOURCE]))
    server, _, target = draw(st.sampled_from([*NAMES, STRANGE])).partition("/")
    if kind is Kind.RESOURCE:
        uri = draw(st.sampled_from(URIS))
        return Call(principal, "resources/read", server, uri, {"uri": uri}, kind)
    arguments = draw(st.dictionaries(st.sampled_from(ARGUMENTS), values, max_size=2))
    return Call(principal, "tools/call", server, target, {"name": target, "arguments": arguments}, kind)


@st.composite
def facts(draw: st.DrawFn) -> Still:
    used = draw(st.sampled_from([Usage(), Usage(1, {"a": Decimal(1)}), Usage(2, {"a": Decimal("5.5")})]))
    names = st.sampled_from(NAMES)
    return Still(
        now=NOON + timedelta(hours=draw(st.sampled_from([-1, 0, 13]))),
        usage={f"{layer}/grants{i}": used for i in range(4) for layer in ("policy", "mandate")},
        added=draw(st.dictionaries(names, st.frozensets(st.sampled_from(list(EffectClass)), max_size=1), max_size=1)),
        catalogued=draw(
            st.dictionaries(names, st.builds(Described, st.frozensets(st.sampled_from(list(EffectClass)), min_size=1)))
        ),
        new=draw(st.frozensets(names, max_size=2)),
        exposed=draw(st.frozensets(st.sampled_from(LABELS))),
        done=draw(pasts),
    )


pasts = st.builds(
    Admitted,
    st.dictionaries(st.sampled_from([*NAMES, STRANGE]), st.integers(0, 2), max_size=2),
    st.dictionaries(st.sampled_from([f"policy/grants{i}" for i in range(4)]), st.integers(0, 1), max_size=2),
)
