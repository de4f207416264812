"""Events of a record, and the documents if they are named, to one report; and that as plain data.

Core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mcp_guard.policy.document import Document
from mcp_guard.report.asked import AskedRule, questions
from mcp_guard.report.beside import Beside, differences
from mcp_guard.report.flagged import Flagged, flagged
from mcp_guard.report.refused import Group, refusals
from mcp_guard.report.seen import Event, Loaded, Seen
from mcp_guard.report.slack import Digest, Slack, slack
from mcp_guard.report.use import ArgumentUse, GrantUse, uses


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says, in the order in which it is shown."""

    first: datetime | None  # of the decisions that it is about
    last: datetime | None
    effects: Counter[str]  # decisions by effect
    reasons: Counter[str]  # refusals by reason: no grouping hides one of these
    grants: tuple[GrantUse, ...]  # what is loaded, and what came into play
    granted: frozenset[str]  # keys of the grants that are loaded
    refused: tuple[Group, ...]
    asked: tuple[AskedRule, ...]
    slack: tuple[Slack, ...] | None  # None: no document was named
    flagged: tuple[Flagged, ...] = ()
    beside: tuple[Beside, ...] = ()  # where a candidate would have said something else

    @property
    def unused(self) -> list[str]:
        """Grants that are loaded and carried no call."""
        return sorted(one.rule for one in self.grants if one.rule in self.granted and not one.allowed)

    @property
    def exercised(self) -> float | None:
        """Grant utilisation: the share of the loaded grants that carried a call. Excess authority is the rest."""
        return 1 - len(self.unused) / len(self.granted) if self.granted else None


def make(events: Iterable[Event], documents: Sequence[Document] = (), digest: Digest | None = None) -> Report:
    """One report over events in the order of the record. With `documents`, also where they are wider than their use."""
    all_of_it = list(events)
    decisions = [event for event in all_of_it if isinstance(event, Seen)]
    loaded = {event.file: event.grants for event in all_of_it if isinstance(event, Loaded)}
    granted = {key for grants in loaded.values() for key in grants}
    granted |= {rule.key for document in documents for rule in document.rules if rule.is_grant}
    used = uses(decisions, granted)
    effects: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for one in decisions:
        effects[one.effect] += one.count
        if one.reason:
            reasons[one.reason] += one.count
    return Report(
        first=decisions[0].time if decisions else None,
        last=decisions[-1].time if decisions else None,
        effects=effects,
        reasons=reasons,
        grants=tuple(sorted(used.values(), key=lambda one: (-one.allowed, -one.refused, one.rule))),
        granted=frozenset(granted),
        refused=tuple(refusals(all_of_it)),
        asked=tuple(questions(all_of_it)),
        slack=tuple(one for document in documents for one in slack(document, used, digest)) if documents else None,
        flagged=flagged(decisions),
        beside=tuple(differences(decisions)),
    )


def as_data(report: Report) -> dict[str, Any]:
    """The whole report for programs: nothing is left out of it, and times are ISO 8601."""
    return {
        "first": _moment(report.first),
        "last": _moment(report.last),
        "decisions": dict(sorted(report.effects.items())),
        "reasons": dict(sorted(report.reasons.items())),
        "grant_utilisation": report.exercised,
        "unused": report.unused,
        "grants": [_grant(one, report) for one in report.grants],
        "refused": [_group(one) for one in report.refused],
        "asked": [
            {"rule": one.rule, "asked": one.asked, "became": dict(sorted(one.became.items())), "seconds": one.seconds}
            for one in report.asked
        ],
        "flagged": [
            {"flag": one.flag, "name": one.name, "times": one.times, "allowed": one.allowed, "last": one.last}
            for one in report.flagged
        ],
        "slack": None
        if report.slack is None
        else [
            {"rule": one.rule, "at": one.at, "argument": one.argument, "says": one.says, "untold": one.untold}
            for one in report.slack
        ],
        "candidate": [
            {
                "name": one.name,
                "said": one.said,
                "candidate": one.candidate,
                "why": one.why,
                "count": one.count,
                "last": one.last,
                "looser": one.looser,
            }
            for one in report.beside
        ],
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _grant(use: GrantUse, report: Report) -> dict[str, Any]:
    return {
        "rule": use.rule,
        "granted": use.rule in report.granted,
        "allowed": use.allowed,
        "refused": use.refused,
        "last": _moment(use.last),
        "sessions": len(use.sessions),
        "tools": dict(sorted(use.tools.items())),
        "arguments": {name: _argument(one) for name, one in sorted(use.arguments.items())},
    }


def _argument(use: ArgumentUse) -> dict[str, Any]:
    return {"given": use.given, "kinds": sorted(use.kinds), "different": len(use.values), "untold": use.untold}


def _group(group: Group) -> dict[str, Any]:
    return {
        "cause": group.cause.value,
        "why": group.why,
        "reason": group.reason,
        "rule": group.rule,
        "name": group.name,
        "count": group.count,
        "repeated": group.repeated,
        "sessions": len(group.sessions),
        "first": group.first,
        "last": group.last,
        "when": _moment(group.when),
    }
