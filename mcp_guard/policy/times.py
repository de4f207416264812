"""Points in time, spans and weekly windows as documents write them. No clock: the caller says what time it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_SPAN = re.compile(r"([1-9]\d{0,3})([smhd])", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?:(Z)|([+-])(\d\d):([0-5]\d))?", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_moment(text: str) -> datetime | None:
    """`2026-12-31T00:00:00Z`, or with an offset, in UTC; None if it is anything else (a zone is never guessed)."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_span(text: str) -> timedelta | None:
    """`30s`, `30m`, `2h` or `7d`; None if it is anything else, zero included."""
    match = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day. `offset` is None where none is written."""

    at: time
    offset: timedelta | None


def parse_clock(text: str) -> Clock | None:
    """`09:00`, `09:00Z` or `09:00+02:00`; None if it is anything else."""
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    offset = timedelta(0) if match[3] else None
    if match[4]:
        offset = timedelta(hours=int(match[5]), minutes=int(match[6])) * (-1 if match[4] == "-" else 1)
        if abs(offset) > timedelta(hours=14):
            return None
    return Clock(time(int(match[1]), int(match[2])), offset)


@dataclass(frozen=True, slots=True)
class Window:
    """`time: {after: "09:00", before: "17:00", days: [mon, fri]}`, in UTC unless an offset is written.

    From `after` on, up to but not including `before`; either may be missing. An `after` that is later than `before`
    means overnight. `days` are those of the moment itself, in the same zone: the early hours after a Friday night are
    Saturday.
    """

    after: time | None
    before: time | None
    days: frozenset[int]  # Monday is 0; empty means every day
    zone: timezone
    words: str

    def holds(self, now: datetime) -> bool:
        """Is the aware moment `now` inside the window?"""
        if now.tzinfo is None:
            raise ValueError("a moment without a zone")
        here = now.astimezone(self.zone)
        return (not self.days or here.weekday() in self.days) and self._within(here.time())

    def _within(self, clock: time) -> bool:
        if self.after is not None and self.before is not None and self.after > self.before:
            return clock >= self.after or clock < self.before
        return (self.after is None or clock >= self.after) and (self.before is None or clock < self.before)
