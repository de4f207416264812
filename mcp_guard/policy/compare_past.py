"""What a rule wants of the history, as atoms: labels, what came before, once. And what tools give on both sides.

Core. A comparison judges every call at equal history: the same labels, the same calls before it. That holds for whole
sessions only if both sides give the same labels, or the new one more where labels only close.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mcp_guard.model import UNTRUSTED, Admitted, Effect
from mcp_guard.policy.building import Gives, ToolFacts
from mcp_guard.policy.names import NamePattern
from mcp_guard.policy.order import After
from mcp_guard.policy.rules import Rule


@dataclass(frozen=True, slots=True)
class Exposed:
    """The session has the label, or hasn't."""

    label: str
    has: bool


@dataclass(frozen=True, slots=True)
class Came:
    """A tool of this name, to the letter or loosely, was called in the session, or wasn't."""

    tool: NamePattern
    loosely: bool
    happened: bool


@dataclass(frozen=True, slots=True)
class Carried:
    """The grant of this key, which says this, carried a call in the session, or didn't."""

    key: str
    meaning: str
    happened: bool


@dataclass(frozen=True, slots=True)
class Often:
    """What is named carried so many calls together, or fewer."""

    after: After
    happened: bool


@dataclass(frozen=True, slots=True)
class Unused:
    """The grant of this key has carried no call in the session, or has."""

    key: str
    holds: bool


PastAtom: TypeAlias = Exposed | Came | Carried | Often | Unused
Ways: TypeAlias = tuple[tuple[PastAtom, ...], ...]


def conditions(rule: Rule, *, holds: bool) -> Iterator[Ways]:
    """What has to be so of the history for the rule to speak; or (`holds` False) each way in which it isn't."""
    if rule.when is not None:
        yield from (((Exposed(label, holds),),) for label in rule.when.labels)
        yield from (((Exposed(label, not holds),),) for label in rule.when.no_labels)
    if rule.once:
        yield ((Unused(rule.key, holds),),)
    if rule.after is None:
        return
    if rule.after.times > 1:
        yield ((Often(rule.after, holds),),)
        return
    named = tuple(_named(rule.after, loosely=not rule.is_grant, happened=holds))
    if rule.is_grant:
        yield from (((one,),) for one in named)
    else:
        yield tuple((one,) for one in named) if holds else (named,)


def _named(after: After, *, loosely: bool, happened: bool) -> Iterator[Came | Carried]:
    yield from (Came(name, loosely, happened) for name in after.tools)
    for key, meaning in zip(after.grants, after.meanings, strict=True):
        yield Carried(key, meaning, happened)


def no_past(atoms: Iterable[PastAtom]) -> bool:
    """Proved: no history satisfies all of these."""
    atoms = list(atoms)
    return any(_excludes(one, other) for one in atoms for other in atoms)


def _excludes(one: PastAtom, other: PastAtom) -> bool:
    match one, other:
        case Exposed(label=label, has=True), Exposed(label=same, has=False):
            return label == same
        case Carried(happened=True), Carried(happened=False):
            return (one.key, one.meaning) == (other.key, other.meaning)
        case Often(happened=True), Often(happened=False):
            return one.after == other.after
        case Unused(holds=True), Unused(holds=False):
            return one.key == other.key
        case Came(happened=True), Came(happened=False):
            return _is_among(one, other)
        case _:
            return False


def _is_among(happened: Came, absent: Came) -> bool:
    """Is every tool that the first one could mean one that the second one means, too?"""
    if happened.loosely and not absent.loosely:
        return False
    if happened.tool == absent.tool:
        return True
    if not happened.tool.exact:
        return False
    if absent.loosely:
        return absent.tool.covers(happened.tool.loose_server, happened.tool.loose_target)
    return absent.tool.matches(happened.tool.server, happened.tool.target)


def history_of(atoms: Iterable[PastAtom]) -> tuple[frozenset[str], Admitted]:
    """A history that satisfies these, as far as it can be made up: labels, and what was called."""
    labels: set[str] = set()
    tools: dict[str, int] = {}
    grants: dict[str, int] = {}
    for atom in atoms:
        match atom:
            case Exposed(label=label, has=True):
                labels.add(label)
            case Came(tool=tool, happened=True):
                tools.setdefault(_some(tool), 1)
            case Carried(key=key, happened=True) | Unused(key=key, holds=False):
                grants.setdefault(key, 1)
            case Often(after=after, happened=True) if after.tools:
                tools[_some(after.tools[0])] = after.times
            case Often(after=after, happened=True):
                grants[after.grants[0]] = after.times
            case _:
                pass
    return frozenset(labels), Admitted(tools, grants)


def _some(name: NamePattern) -> str:
    return str(name).replace("*", "x")


def gives_less(
    old: Mapping[str, ToolFacts],
    new: Mapping[str, ToolFacts],
    old_says: Mapping[str, frozenset[str]],
    new_says: Mapping[str, frozenset[str]],
    rules: Iterable[Rule],
) -> bool:
    """Could a session under the new documents lack a label that it had under the old ones, or have one more, and
    could one of the new `rules` then be milder? What can't be told counts as yes.
    """
    going = [rule for rule in rules if rule.when is not None and (rule.when.labels or rule.when.no_labels)]
    if not going:
        return False
    if _all_given(old, new, old_says, new_says):
        closing = all(_only_closes(rule) for rule in going)
        return not closing and not _all_given(new, old, new_says, old_says)
    return True


def _only_closes(rule: Rule) -> bool:
    """Can a label more only make the rule stricter?"""
    assert rule.when is not None  # noqa: S101 - asked for rules that go by labels
    return not (rule.when.labels if rule.ref.effect is Effect.ALLOW else rule.when.no_labels)


def _all_given(
    old: Mapping[str, ToolFacts],
    new: Mapping[str, ToolFacts],
    old_says: Mapping[str, frozenset[str]],
    new_says: Mapping[str, frozenset[str]],
) -> bool:
    """Is every label that the old documents give given by the new ones, too? Of a tool that only one of them
    describes, the catalogue may speak, or nobody: it gives `untrusted`, or nothing.
    """
    unsaid = frozenset({UNTRUSTED})
    servers = old_says.keys() | new_says.keys()
    return all(old_says.get(one, unsaid) <= new_says.get(one, unsaid) for one in servers) and all(
        any(_covers(more, one) for more in (new[name].gives if name in new else ()))
        for name in old.keys() | new.keys()
        for one in (old[name].gives if name in old else (Gives(UNTRUSTED),))
    )


def _covers(new: Gives, old: Gives) -> bool:
    return new.label == old.label and (new.arguments is None or new.arguments == old.arguments)
