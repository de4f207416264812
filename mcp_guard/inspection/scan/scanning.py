"""The scan itself: a text, a listed thing or a result in, findings out.

Core, pure and total: whatever the JSON, it answers. `scan_text` is for a text that stands alone, `scan_descriptor`
for a tool, prompt or resource as its server lists it, `scan_result` for what a call answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from mcp_guard.inspection.characters import may_have_hidden
from mcp_guard.inspection.scan import (
    addressed,
    concealed,
    disguised,
    encoded,
    exfiltration,
    hidden,
    languages,
    names,
    references,
    secrets_wanted,
    shadowing,
)
from mcp_guard.inspection.scan.finding import Finding, Place, Severity
from mcp_guard.inspection.scan.folding import fold, original
from mcp_guard.inspection.scan.glance import glance
from mcp_guard.inspection.scan.matching import MAX_WORK, Rule, Table, Work
from mcp_guard.inspection.scan.texts import TooMuch, joined, texts, written

MAX_SCANNED = 1 << 20
"""Characters of one text that are looked at; a longer one has a finding that says so."""
MAX_RESULT = 256 << 10
"""Characters of one answer that are looked at: while they are, nobody else is served."""

MAX_FINDINGS = 1000
"""Findings of one thing, beside the first of each kind."""
MAX_QUIET = 4096
"""Names of members that are known to have nothing in them: the same ones stand in every answer."""
_QUIET_LENGTH = 64
"""Characters of the longest of them: that of an ordinary name. Servers choose them, and they are kept."""

PROTOCOL_WORDS = frozenset(
    {"complete", "input_required", "task", "text", "image", "audio", "resource", "resource_link"}
)
"""Values that the protocol puts into answers: none has anything in it, which a test asks the scan."""

NOT_SCANNED = Rule("not-scanned", Severity.MINOR, "It is too long, or nested too deep, to be looked at whole.")

FAMILIES: dict[str, tuple[Rule, ...]] = {
    "hidden": hidden.RULES,
    "addressed": (*addressed.RULES, *languages.RULES[:1]),
    "concealed": (*concealed.RULES, *languages.RULES[1:]),
    "shadowing": shadowing.RULES,
    "secrets": secrets_wanted.RULES,
    "encoded": encoded.RULES,
    "exfiltration": exfiltration.RULES,
    "disguised": disguised.RULES,
    "names": (*names.RULES, *references.RULES),
    "bounds": (NOT_SCANNED,),
}
"""Every rule there is, by what an attack does."""


@cache
def _table(place: Place) -> Table:
    """The rules of words for this place. A parameter's name is prose, too: its table has all that any other has."""
    sought = {place, Place.PROSE} if place is Place.NAME else {place}
    rules = (rule for family in FAMILIES.values() for rule in family)
    return Table(rule for rule in rules if rule.patterns and sought & rule.places)


_PLAIN_ENOUGH = frozenset({"addressed", "concealed"})
_SPOKEN = frozenset(rule.id for name in _PLAIN_ENOUGH for rule in FAMILIES[name])


def scan_text(text: str, place: Place = Place.RESULT, where: str = "", work: Work | None = None) -> tuple[Finding, ...]:
    """What one text has in it, each rule at most once; spans are of `text`. Several texts may share their `work`."""
    work = work or Work()
    findings: list[Finding] = []
    if len(text) > MAX_SCANNED:
        findings.append(_finding(NOT_SCANNED, _unlooked(place), (MAX_SCANNED, len(text)), where))
        text = text[:MAX_SCANNED]
    is_plain = text.isascii() and not may_have_hidden(text)  # as nearly every text is
    if is_plain:
        folded = text.lower()
    else:
        findings += [
            _finding(rule, severity, (start, end), where) for rule, severity, start, end in hidden.found(text, place)
        ]
        folded = fold(text)
    for rule, start, end in _table(place).matches(folded, work):
        findings.append(_finding(rule, rule.severity_in(place), original(text, start, end), where))
    may_be = glance(text, folded, is_plain=is_plain)
    if may_be.blank or not is_plain:
        for rule, severity, start, end in disguised.found(text, place, may_be.blank):
            findings.append(_finding(rule, severity, (start, end), where))
    findings += _encoded(text, place, where, work, may_have_runs=may_be.runs)
    if (may_be.turned or not is_plain) and any(_speaks(one, work) for one in encoded.turned_round(text, may_be.turned)):
        findings.append(_finding(encoded.DEMAND, encoded.DEMAND.severity_in(place), (0, len(text)), where))
    if may_be.apart and disguised.set_apart(folded) and not any(one.rule in _SPOKEN for one in findings):
        rule = disguised.SET_APART
        findings.append(_finding(rule, rule.severity_in(place), (0, len(text)), where))
    if work.left < 0:
        findings.append(_finding(NOT_SCANNED, _unlooked(place), (0, len(text)), where))
    return tuple(findings)


def scan_descriptor(descriptor: Any) -> tuple[Finding, ...]:
    """What a tool, prompt or resource has in it, as listed: name, title, description, schemas, annotations."""
    try:
        spoken, names = joined(descriptor)
        if not scan_text(spoken, Place.PROSE) and not scan_text(names, Place.NAME):
            return ()
        return tuple(
            _few(one for steps, place, text in texts(descriptor) for one in scan_text(text, place, written(steps)))
        )
    except TooMuch:
        return (_finding(NOT_SCANNED, Severity.SEVERE, (0, 0), ""),)


def scan_result(result: Any) -> tuple[Finding, ...]:
    """What an answer or an error has in it: all texts of it, each looked at once."""
    return tuple(_few(_in_result(result)))


def _in_result(result: Any) -> Iterator[Finding]:
    seen: set[str] = set()
    long: list[str] = []  # those that are longer than is looked at: a few, and dear to hash
    left, work = MAX_RESULT, Work(2 * MAX_WORK)  # one for all texts: many small ones block no longer than a large one
    try:
        for steps, _, text in texts(result):
            if len(text) > MAX_RESULT:
                if text in long:
                    continue
                long.append(text)
            elif text in seen:
                continue
            else:
                seen.add(text)
            is_whole = left >= len(text)
            if not is_whole:
                yield _finding(NOT_SCANNED, NOT_SCANNED.severity, (left, len(text)), written(steps))
                if not left:  # nor is anything that follows
                    return
            elif text in _quiet or text in PROTOCOL_WORDS:
                left -= len(text)
                continue
            before = work.left
            found = scan_text(text[:left], Place.RESULT, "", work)
            left = max(0, left - len(text))
            if found:
                where = written(steps)
                for one in found:
                    yield replace(one, where=where)
            # A name with nothing in all of it, on which nothing was spent. Values aren't kept: they may be secrets.
            elif is_whole and work.left == before and steps is not None and steps[1] is text:
                _keep_quiet(text)
    except TooMuch:
        yield _finding(NOT_SCANNED, NOT_SCANNED.severity, (0, 0), "")


def _few(findings: Iterable[Finding]) -> Iterator[Finding]:
    """No more of them than anybody looks at, as each has its place written out; and the first of its kind always."""
    kinds: set[tuple[str, Severity]] = set()
    for number, one in enumerate(findings):
        kind = one.rule, one.severity
        if number < MAX_FINDINGS or kind not in kinds:
            kinds.add(kind)
            yield one


_quiet: set[str] = set()


def _keep_quiet(text: str) -> None:
    if len(text) > _QUIET_LENGTH:
        return
    if len(_quiet) >= MAX_QUIET:
        _quiet.clear()
    _quiet.add(text)


def severe(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that withhold, where findings withhold."""
    return tuple(one for one in findings if one.severity is Severity.SEVERE)


def rule_ids(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Which rules found something, each once, in the order found: what the record may keep."""
    return tuple(dict.fromkeys(one.rule for one in findings))


def _unlooked(place: Place) -> Severity:
    """Nobody describes a tool in so many words that it can't be looked at; a result may be long."""
    return Severity.MINOR if place is Place.RESULT else Severity.SEVERE


def _encoded(text: str, place: Place, where: str, work: Work, *, may_have_runs: bool) -> list[Finding]:
    """The first of its encoded runs that speaks."""
    for inside, start, end in encoded.decoded(text, may_have_runs):
        speaks = _inside(inside, place, work)
        if speaks is not None:
            return [_finding(speaks, speaks.severity_in(place), (start, end), where)]
    return []


def _inside(text: str, place: Place, work: Work) -> Rule | None:
    """What a decoded text is: a demand, a sentence where none should be hidden, or nothing to speak of."""
    if _speaks(text, work):
        return encoded.DEMAND
    return encoded.PROSE_INSIDE if place in (Place.PROSE, Place.NAME) and encoded.is_prose(text) else None


def _speaks(text: str, work: Work) -> bool:
    folded = fold(text)
    return next(_table(Place.PROSE).matches(folded, work), None) is not None or disguised.set_apart(folded)


def _finding(rule: Rule, severity: Severity, span: tuple[int, int], where: str) -> Finding:
    return Finding(rule.id, severity, rule.reason, span, where)
