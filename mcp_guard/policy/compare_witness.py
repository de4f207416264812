"""From an open end of a search to a call that really is judged in two ways, or to none.

Core. The judge has the last word: what it doesn't confirm isn't a witness.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from mcp_guard.model import Call, Decision, Json, Kind, Usage
from mcp_guard.policy.cases import ASKING
from mcp_guard.policy.compare_atoms import Before, Given, Missing, Named, Rest, Room, Uri, Who, Within
from mcp_guard.policy.compare_literals import Literal, Want
from mcp_guard.policy.compare_past import PastAtom, history_of
from mcp_guard.policy.compare_rules import Scene
from mcp_guard.policy.compare_samples import sample
from mcp_guard.policy.compare_search import State
from mcp_guard.policy.compare_sides import Side
from mcp_guard.policy.compare_supposed import ANY_DAY, Supposed
from mcp_guard.policy.compare_times import fitting_moment
from mcp_guard.policy.constraint_kinds import All, Constraint, Each, OneOf, OrNull, Range, Some, Under

ELSEWHERE = "/elsewhere"
MAX_LINKS = 8


@dataclass(frozen=True, slots=True)
class Witness:
    """A call that the new documents judge more mildly than the old ones, and under which circumstances."""

    call: Call
    supposed: Supposed
    new: Decision
    old: Decision

    @property
    def name(self) -> str:
        """`server/tool`; of a resource, its server."""
        return self.call.server if self.call.kind is Kind.RESOURCE else self.call.name


@dataclass(frozen=True, slots=True)
class Judged:
    """A call in an open end as the judge sees it on both sides."""

    call: Call
    supposed: Supposed
    new: Decision
    old: Decision

    @property
    def witness(self) -> Witness | None:
        """It is one if the new side is milder."""
        if self.new.effect < self.old.effect:
            return Witness(self.call, self.supposed, self.new, self.old)
        return None


def judged_calls(state: State, scene: Scene, old: Side, new: Side, supposed: Supposed) -> Iterator[Judged]:
    """Calls that were made up from this open end, judged under both sides."""
    for facts in _circumstances(state, supposed):
        for call in _calls(state, scene, facts):
            yield Judged(call, facts, new.judge(call, facts), old.judge(call, facts))


def _circumstances(state: State, supposed: Supposed) -> Iterator[Supposed]:
    windows = [(one.window, one.holds) for one in state.atoms() if isinstance(one, Within)]
    ends = [(one.end, one.holds) for one in state.atoms() if isinstance(one, Before)]
    now = fitting_moment(windows, ends, ANY_DAY)
    if now is None:
        return
    full = [one for one in state.atoms() if isinstance(one, Room) and not one.holds]
    labels, done = history_of(one for one in state.atoms() if isinstance(one, PastAtom))
    for used in _used_up(full):
        plain = replace(supposed, now=now, usage=used, exposed=labels, done=done)
        yield plain
        for root in list(dict.fromkeys(_roots(state)))[:MAX_LINKS]:
            yield replace(plain, links={root: ELSEWHERE})


def _used_up(full: Sequence[Room]) -> Iterator[Mapping[str, Usage]]:
    """All that these budgets allow is used; or only the calls, or only the sums; or nothing, for a large amount."""
    if not full:
        yield {}
        return
    yield {one.key: Usage(one.calls or 0, dict(one.sums)) for one in full}
    yield {one.key: Usage(one.calls or 0, {}) for one in full}
    yield {one.key: Usage(0, dict(one.sums)) for one in full}
    yield {}


def _roots(state: State) -> Iterator[str]:
    for atom in state.atoms():
        if isinstance(atom, (Given, Uri)) and atom.literal is not None:
            yield from _paths(atom.literal.constraint)


def _paths(constraint: Constraint) -> Iterator[str]:
    match constraint:
        case Under(root=root):
            yield root
        case OneOf(texts=texts):
            yield from (text for text in texts if text.startswith("/") and text != "/")
        case All(parts):
            for part in parts:
                yield from _paths(part)
        case Each(element=inner) | Some(element=inner) | OrNull(other=inner):
            yield from _paths(inner)
        case _:
            return


def _calls(state: State, scene: Scene, facts: Supposed) -> Iterator[Call]:
    arguments = _arguments(state, scene, facts)
    if arguments is None:
        return
    for server, target in _targets(state, scene, facts):
        method, params = _request(scene.kind, target, arguments)
        for principal in _principals(state):
            yield Call(principal, method, server, target, params, scene.kind)


def _request(kind: Kind, target: str, arguments: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
    match kind:
        case Kind.TOOL:
            return "tools/call", {"name": target, "arguments": arguments}
        case Kind.PROMPT:
            return "prompts/get", {"name": target, "arguments": arguments}
        case Kind.RESOURCE:
            return "resources/read", {"uri": target}
        case Kind.SERVER_REQUEST:
            return ASKING.get(target, target), {}
        case Kind.EXTENSION:
            return target, {}
        case _:
            assert_never(kind)


def _arguments(state: State, scene: Scene, facts: Supposed) -> Mapping[str, Json] | None:
    found: dict[str, Json] = {}
    for (kind, name), atoms in state.facets.items():
        if kind == "rest":
            found |= {_fresh(one.like, scene): "x" for one in atoms if isinstance(one, Rest) and one.given}
        if kind != "argument" or any(isinstance(atom, Missing) for atom in atoms):
            continue
        values = sample([*_wishes(atoms), *_amounts(name, state, facts)], facts, 1)
        if not values:
            return None
        found[name] = values[0]
    return found


def _wishes(atoms: tuple[Any, ...]) -> list[Literal]:
    return [atom.literal for atom in atoms if isinstance(atom, (Given, Uri)) and atom.literal is not None]


def _amounts(name: str, state: State, facts: Supposed) -> Iterator[Literal]:
    """What a budget that sums this argument wants: an amount that there is room for, and none where it is full."""
    rooms = [one for one in state.atoms() if isinstance(one, Room) and name in dict(one.sums)]
    for one in rooms:
        limit = float(dict(one.sums)[name])
        if one.holds:
            yield Literal(Range(0, limit), Want.YES)
        elif not facts.usage:
            yield Literal(Range(low=limit, low_open=True), Want.YES)


def _fresh(like: str, scene: Scene) -> str:
    """An argument's name that no rule has; reading like `like` if that is wished for."""
    name = like.removeprefix("~")
    variants = (name.upper(), name.title(), f"{name}\u200b") if like else ("another", "another_one")
    return next((one for one in variants if one not in scene.names), "yet_another")


def _targets(state: State, scene: Scene, facts: Supposed) -> Iterator[tuple[str, str]]:
    if scene.kind is Kind.RESOURCE:
        wishes = [literal for atom in state.atoms() if isinstance(atom, Uri) for literal in [atom.literal]]
        yield from ((scene.server, uri) for uri in sample(wishes, facts) if isinstance(uri, str))
    elif scene.named:
        yield scene.server, scene.target
    else:
        wanted = [one.pattern for one in state.atoms() if isinstance(one, Named) and one.holds]
        halves = [(pattern.server, pattern.target) for pattern in wanted] or [("*", "*")]
        for text in ("anything", "other", ""):
            yield from ((server.replace("*", text), target.replace("*", text)) for server, target in halves)
        yield from ((server.replace("*", "other"), target.replace("*", "anything")) for server, target in halves)


def _principals(state: State) -> Iterator[str]:
    wishes = [one for one in state.atoms() if isinstance(one, Who)]
    for one in wishes:
        if one.holds:
            yield from (pattern.replace("*", "x") for pattern in one.patterns)
    yield from ("somebody", *(pattern.replace("*", "x") for one in wishes for pattern in one.patterns))
