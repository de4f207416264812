"""What could be taken away from one grant, given the calls that it carried: each an edit of the document, with reasons.

Core. An edit has alternatives, tightest first; which one is made is settled by a proof (`proving.py`). Where not every
call's value is known, an argument stays as it is: a call that nobody can look at was observed all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mcp_guard.policy.budgets import Per, exact_amount
from mcp_guard.policy.rules import Rule
from mcp_guard.report.seen import Seen
from mcp_guard.report.slack import Digest
from mcp_guard.suggesting import rounding
from mcp_guard.suggesting.shapes import Shape, Written, number, shapes

REMOVED = object()
"""Stands for a key, or a whole rule, that is taken out."""
SESSIONS = 3  # before a number of calls a session says anything about the next one
MOST_ENTRIES = 3  # that are named for one line

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """New values by their place within the rule, and what they are."""

    changes: Mapping[Path, Any]
    name: str


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that is taken away. `at`: its place within the rule; empty: the rule as a whole."""

    rule: str  # its id
    at: Path
    alternatives: tuple[Alternative, ...]
    calls: int
    entries: tuple[str, ...]  # of calls that it rests on: the first, one in the middle, the last


@dataclass(frozen=True, slots=True)
class Means:
    """What edits are made with."""

    written: Written
    accepts: Callable[[Any, Any], bool]  # does a limit, as it is written, accept a value?
    digest: Digest | None = None  # of a value under an argument's name, to know it in calls of which no value is kept


@dataclass(slots=True)
class Limits:
    """The arguments of one grant as they could be said, and what each limit is."""

    listed: dict[str, Any] = field(default_factory=dict)
    optional: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


def edits(plain: Mapping[str, Any], rule: Rule, calls: Sequence[Seen], means: Means) -> Iterator[Edit]:
    """For the grant that is written as `plain` and means `rule`."""

    def edit(at: Path, *alternatives: Alternative, of: Sequence[Seen] = calls) -> Edit:
        return Edit(rule.ref.id, at, alternatives, len(of), _some(of))

    if not calls:
        yield edit((), Alternative({(): REMOVED}, "never used"))
        return
    if (tools := _tools(plain, rule, calls)) is not None:
        yield edit(("tool",), Alternative({("tool",): tools}, "the tools that were called"))
    if isinstance(plain.get("args"), Mapping):
        for at, found, of in _arguments(plain, calls, means):
            yield edit(at, *found, of=of)
    elif plain.get("args") == "any" and (opened := _closed({}, {}, calls, means)) is not None:
        yield edit(("args",), *opened)
    yield from (edit(("budget", *at), one) for at, one in _budget(plain, rule, calls))


def _tools(plain: Mapping[str, Any], rule: Rule, calls: Sequence[Seen]) -> Any:
    """The names that were used; a pattern stays if it reached a call that no exact name did. None: all of them.

    A pattern isn't replaced by names: it reaches only what was there at first sight, and a name would reach more.
    """
    if "tool" not in plain:
        return None
    written = plain["tool"] if isinstance(plain["tool"], list) else [plain["tool"]]
    if len(written) != len(rule.names):
        return None
    called = {call.name for call in calls}
    exact = {str(name) for name in rule.names if name.exact}
    beyond = called - exact
    kept = [
        text
        for text, name in zip(written, rule.names, strict=True)
        if (str(name) in called if name.exact else any(name.matches(*one.split("/", 1)) for one in beyond))
    ]
    if not kept or len(kept) == len(written):
        return None
    return kept if len(kept) > 1 else kept[0]


def _arguments(
    plain: Mapping[str, Any], calls: Sequence[Seen], means: Means
) -> Iterator[tuple[Path, list[Alternative], Sequence[Seen]]]:
    """Closer limits of arguments that are listed; optional ones that were never given; other ones by name."""
    for name, present in plain["args"].items():
        found = [Alternative({("args", name): one.limit}, one.name) for one in limits(name, present, calls, means)]
        if found:
            yield ("args", name), found, calls
    optional = plain.get("optional", {})
    given = {name: [call for call in calls if name in call.given] for name in optional}
    for name, present in optional.items():
        if not given[name]:
            gone: Any = REMOVED
            yield ("optional", name), [Alternative({("optional", name): gone}, "never given")], calls
            continue
        shaped = limits(name, present, given[name], means)
        if found := [Alternative({("optional", name): one.limit}, one.name) for one in shaped]:
            yield ("optional", name), found, given[name]
    if "others" in plain and (closed := _closed(plain["args"], optional, calls, means)) is not None:
        yield ("others",), closed, calls


def _closed(
    listed: Mapping[str, Any], optional: Mapping[str, Any], calls: Sequence[Seen], means: Means
) -> list[Alternative] | None:
    """What stands for `others: any` or `args: any`: the arguments that were given, by name, with limits or without."""
    if any(call.given.keys() & {"*", "left_out"} for call in calls):
        return None  # a name that isn't known was given
    names = sorted({name for call in calls for name in call.given} - listed.keys() - optional.keys())
    tight, open_ = Limits(), Limits()
    for name in names:
        of = [call for call in calls if name in call.given]
        shape = next(limits(name, "any", of, means), Shape("any", "given"))
        always = not listed and len(of) == len(calls)  # beside listed ones, a name that is new stays optional
        for target, limit in ((tight, shape.limit), (open_, "any")):
            (target.listed if always else target.optional)[name] = limit
    return [_as_changes(one, optional, bool(listed)) for one in (tight, open_)]


def _as_changes(found: Limits, optional: Mapping[str, Any], beside: bool) -> Alternative:
    changes: dict[Path, Any] = {("others",): REMOVED}
    changes |= {("optional", name): limit for name, limit in found.optional.items()}
    if not beside:
        changes |= {("args",): {}} | {("args", name): limit for name, limit in found.listed.items()}
    return Alternative(changes, "the arguments that were given")


def limits(name: str, present: Any, calls: Sequence[Seen], means: Means) -> Iterator[Shape]:
    """Closer limits of an argument that all these calls gave."""
    if all(name in call.known for call in calls):
        values = [call.known[name] for call in calls]
        for shape in shapes(values, present, means.written):
            if shape.limit != present and all(means.accepts(shape.limit, value) for value in values):
                yield shape
    elif isinstance(present, Mapping) and "in" in present and means.digest is not None:
        yield from _by_digest(name, dict(present), [call.values.get(name) for call in calls], means.digest)


def _by_digest(name: str, present: dict[str, Any], given: Sequence[str | None], digest: Digest) -> Iterator[Shape]:
    """The listed values that were used, known without their values. A text that may be written in two ways is kept."""
    if None in given:
        return
    members = [one for one in present["in"] if _has_two_forms(one) or digest(name, one) in given]
    if members and len(members) < len(present["in"]):
        yield Shape({**present, "in": members}, "the listed values that were used")


def _has_two_forms(member: Any) -> bool:
    return isinstance(member, float | int) or (isinstance(member, str) and ("$" in member or member[:1] in "~/"))


def _budget(plain: Mapping[str, Any], rule: Rule, calls: Sequence[Seen]) -> Iterator[tuple[Path, Alternative]]:
    """Calls and sums a session, with room; a new limit only once there were some sessions to tell it from."""
    if rule.asks or (rule.budget is not None and rule.budget.per is not Per.SESSION):
        return
    counts: dict[str, int] = {}
    for call in calls:
        counts[call.session] = counts.get(call.session, 0) + call.count
    most = rounding.calls(max(counts.values()))
    said = plain.get("budget", {}).get("calls")
    if (said is not None and most < said) or (rule.budget is None and len(counts) >= SESSIONS):
        name = f"at most {max(counts.values())} in a session, rounded up"
        yield ("calls",), Alternative({("budget", "calls"): most}, name)
    for name, limit in (rule.budget.sums if rule.budget is not None else {}).items():
        if (most_of := _sum(name, calls)) is not None and (summed := rounding.up(most_of)) < limit:
            found = Alternative({("budget", "sum", name): number(summed)}, f"{name}: at most {most_of} in a session")
            yield ("sum", name), found


def _sum(name: str, calls: Sequence[Seen]) -> Decimal | None:
    """The largest sum of an argument in one session; None if it isn't known in every call."""
    sums: dict[str, Decimal] = {}
    for call in calls:
        amount = exact_amount(call.known.get(name))
        if amount is None:
            return None
        sums[call.session] = sums.get(call.session, Decimal(0)) + amount
    return max(sums.values(), default=None)


def _some(calls: Sequence[Seen]) -> tuple[str, ...]:
    places = sorted({0, len(calls) // 2, len(calls) - 1}) if calls else []
    return tuple(dict.fromkeys(calls[place].entry for place in places))[:MOST_ENTRIES]
