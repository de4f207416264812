"""A report as tables in words, for a terminal and for a page alike.

Core. Every name goes through `named`: it may be written by whoever the report is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mcp_guard.escaping import escaped
from mcp_guard.report.asked import ANSWERED, SILENT, AskedRule
from mcp_guard.report.beside import Beside
from mcp_guard.report.flagged import Flagged
from mcp_guard.report.making import Report
from mcp_guard.report.refused import Group
from mcp_guard.report.slack import Slack
from mcp_guard.report.use import MOST_VALUES, GrantUse

T = TypeVar("T")

MOST_LINES = 40
"""Lines of one table. What is beyond is counted in a line of its own, and `--json` has it."""
LONGEST = 120  # characters of a name


@dataclass(frozen=True, slots=True)
class Section:
    """One table. `bars`: for each row, numbers that are drawn (allowed, refused); empty: nothing is."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    bars: tuple[tuple[int, int], ...] = ()


def named(text: str) -> str:
    """A name that can't be mistaken for another: what isn't plain ASCII is written as its code, and a cut is marked."""
    plain = escaped(text).encode("ascii", "backslashreplace").decode()
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST // 2]}...[{len(plain)}]...{plain[-LONGEST // 4 :]}"


def headline(report: Report) -> str:
    """The report in one sentence or two."""
    if report.first is None or report.last is None:
        return "No decision is recorded that fits."
    allowed, asked, denied = (report.effects[effect] for effect in ("allow", "ask", "deny"))
    said = f"{allowed + asked + denied} decisions: {allowed} allowed, {denied} denied, {asked} asked about."
    if report.exercised is not None:
        used = len(report.granted) - len(report.unused)
        said += f" {used} of {len(report.granted)} grants carried a call (utilisation {report.exercised:.0%})."
    return said


def sections(report: Report) -> list[Section]:
    """The tables that have something in them."""
    found = [_grants(report), _arguments(report), _slack(report.slack), _refused(report), _asked(report.asked)]
    found.append(_flagged(report.flagged))
    found.append(_beside(report.beside))
    return [one for one in found if one.rows]


def _grants(report: Report) -> Section:
    kept, note = _kept(report.grants, lambda one: one.allowed + one.refused)
    rows = tuple(
        (named(one.rule), _state(one, report), str(one.allowed), str(one.refused), _tools(one)) for one in kept
    )
    bars = tuple((one.allowed, one.refused) for one in kept)
    return Section("Rules: granted and exercised", ("rule", "", "allowed", "refused", "tools"), rows, note, bars)


def _state(use: GrantUse, report: Report) -> str:
    if use.rule not in report.granted:
        return "not a grant, or no longer"
    return "used" if use.allowed else "never used"


def _tools(use: GrantUse) -> str:
    return ", ".join(f"{named(name)} {count}" for name, count in use.tools.most_common(5)) or "-"


def _arguments(report: Report) -> Section:
    rows = []
    for use in report.grants:
        for name, one in sorted(use.arguments.items()):
            more = " or more" if one.untold or len(one.values) >= MOST_VALUES else ""
            kinds = ", ".join(sorted(named(kind) for kind in one.kinds))
            rows.append(
                (named(use.rule), named(name), f"{one.given} of {use.allowed}", f"{len(one.values)}{more}", kinds)
            )
    kept, note = _kept(rows, lambda _: 1)
    return Section("Arguments", ("rule", "argument", "given", "different values", "types"), tuple(kept), note)


def _slack(found: Sequence[Slack] | None) -> Section:
    rows = [(named(one.rule), named(one.argument) or "-", named(one.says), named(one.at)) for one in found or ()]
    kept, note = _kept(rows, lambda _: 1)
    return Section("Wider than what was used", ("rule", "argument", "", "line"), tuple(kept), note)


def _refused(report: Report) -> Section:
    kept, note = _kept(report.refused, lambda one: one.count)
    totals = ", ".join(f"{named(reason)} {count}" for reason, count in sorted(report.reasons.items()))
    note = " ".join(filter(None, (note, f"In all: {totals}." if totals else "")))
    columns = ("likely cause", "because", "reason", "rule", "what", "times", "again", "last entry")
    return Section("Refused", columns, tuple(map(_refusal, kept)), note)


def _refusal(group: Group) -> tuple[str, ...]:
    rule, again = named(group.rule) or "-", str(group.repeated)
    words = (group.cause.value, group.why, named(group.reason), rule, named(group.name))
    return (*words, str(group.count), again, named(group.last))


def _asked(asked: Sequence[AskedRule]) -> Section:
    columns = ("rule", "asked", "yes", "no", "standing answer", "no answer", "median seconds")
    kept, note = _kept(asked, lambda one: one.asked)
    return Section("Questions to a person", columns, tuple(tuple(_question(one)) for one in kept), note)


def _flagged(found: Sequence[Flagged]) -> Section:
    kept, note = _kept(found, lambda one: one.times)
    rows = tuple(
        (named(one.flag), named(one.name), str(one.times), str(one.allowed), named(one.why), named(one.last))
        for one in kept
    )
    return Section("Out of the ordinary", ("flag", "what", "times", "allowed", "because", "last entry"), rows, note)


def _beside(found: Sequence[Beside]) -> Section:
    kept, note = _kept(found, lambda one: one.count)
    rows = tuple(
        (named(one.name), named(one.said), named(one.candidate), named(one.why) or "-", str(one.count), named(one.last))
        for one in kept
    )
    columns = ("call", "decided", "candidate", "because", "times", "last entry")
    return Section("What the candidate would have said", columns, rows, note)


def _question(one: AskedRule) -> Iterator[str]:
    yield from (named(one.rule), str(one.asked))
    yield from (str(one.became[what]) for what in ANSWERED)
    yield str(sum(one.became[what] for what in SILENT))
    yield "-" if one.seconds is None else f"{one.seconds:.1f}"


def _kept(rows: Sequence[T], weight: Callable[[T], int]) -> tuple[Sequence[T], str]:
    """The first lines, and what is to be said of the rest."""
    rest = rows[MOST_LINES:]
    if not rest:
        return rows, ""
    return rows[:MOST_LINES], f"And {len(rest)} lines more, about {sum(map(weight, rest))}: `--json` has all."
