"""What the record says of the servers' health: how often each ended by itself of late, and whether it is ill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, open_for_reading

SPAN = timedelta(hours=24)


@dataclass(slots=True)
class Lately:
    """One server over the last 24 hours."""

    ended: int = 0
    ill: bool = False  # the last that was said of it
    why: str = ""  # of the latest end or illness

    def __bool__(self) -> bool:
        return self.ended > 0 or self.ill

    @property
    def words(self) -> str:
        """For a person; empty if there is nothing to say."""
        if not self:
            return ""
        times = f"ended by itself {self.ended} time{'' if self.ended == 1 else 's'} in 24 hours" if self.ended else ""
        state = "was ill when it was last used" if self.ill else ""
        return ", ".join(part for part in (state, times) if part) + (f": {self.why}" if self.why else "")


def lately(directory: Path, now: datetime) -> dict[str, Lately]:
    """By server. What one guard saw counts for all: they share servers, not processes."""
    found: dict[str, Lately] = {}
    with open_for_reading(directory) as query:
        for row in query.entries(Filter(since=now - SPAN)):
            data = row.body.get("data")
            if row.kind in _TELLING and isinstance(data, Mapping):
                _note(found.setdefault(str(data.get("server")), Lately()), row.kind, str(data.get("why", "")))
    return found


_TELLING = (EntryKind.SERVER_EXITED, EntryKind.SERVER_ILL, EntryKind.SERVER_WELL)


def _note(one: Lately, kind: EntryKind, why: str) -> None:
    if kind is EntryKind.SERVER_WELL:
        one.ill = False
        return
    one.why = why
    if kind is EntryKind.SERVER_ILL:
        one.ill = True
    else:
        one.ended += 1
