"""That a person reported a call: an entry of its own, which `suggest` goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcp_guard.record.entries import EntryKind, bounded_text, note_body
from mcp_guard.record.writer import Transaction


@dataclass(frozen=True, slots=True)
class Report:
    """Which call, and what followed from it."""

    entry: str
    session: str
    server: str
    target: str
    values: Mapping[str, str]  # keyed digests of its arguments, as its own entry has them
    rule: str  # the deny that holds from here on
    reason: str
    by: str


def report(moment: Transaction, one: Report) -> None:
    """Append it."""
    said = {
        "entry": one.entry,
        "server": one.server,
        "target": one.target,
        "values": dict(one.values),
        "rule": one.rule,
        "reason": bounded_text(one.reason),
        "by": bounded_text(one.by),
    }
    moment.append(note_body(EntryKind.REPORTED, one.session, said))
