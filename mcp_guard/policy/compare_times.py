"""Is there a moment inside some weekly windows and outside others, before some ends and after others?

Core. Windows repeat every week and change on whole minutes, so one look at each change decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from mcp_guard.policy.times import Window

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

Wished = tuple[Window, bool]
End = tuple[datetime | timedelta, bool]


def no_moment(windows: Sequence[Wished], ends: Sequence[End]) -> bool:
    """Proved: no moment satisfies all of these."""
    moments = [(end, holds) for end, holds in ends if isinstance(end, datetime)]
    spans = [(end, holds) for end, holds in ends if isinstance(end, timedelta)]
    if _crossed(moments) or _crossed(spans):
        return True
    # A window that has to hold also says that the time can be told; without one, an exception would be no refusal.
    return any(holds for _, holds in windows) and not any(_fits(at, windows) for at in changes(windows, MONDAY))


def changes(windows: Iterable[Wished], since: datetime) -> Iterator[datetime]:
    """`since`, and the moments of the eight days after it at which some window opens or closes."""
    yield since
    for window, _ in windows:
        here = since.astimezone(window.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        for day in range(9):
            start = here + timedelta(days=day)
            for clock in (window.after, window.before):
                at = start if clock is None else start.replace(hour=clock.hour, minute=clock.minute)
                if at >= since:
                    yield at.astimezone(UTC)
            if start >= since:
                yield start.astimezone(UTC)


def fitting_moment(windows: Sequence[Wished], ends: Sequence[End], started: datetime) -> datetime | None:
    """A moment that satisfies all of these, from `started` on or from the last end that is to be over."""
    times = [(end if isinstance(end, datetime) else started + end, holds) for end, holds in ends]
    since = max([end for end, holds in times if not holds], default=started)
    first = min([end for end, holds in times if holds], default=None)
    if first is not None and since >= first:
        since = first - timedelta(minutes=1)
    for at in changes(windows, since):
        if _fits(at, windows) and all((at < end) == holds for end, holds in times):
            return at
    return None


def _crossed(ends: Sequence[tuple[datetime, bool]] | Sequence[tuple[timedelta, bool]]) -> bool:
    """Some end is to be over that isn't before one that is to be ahead."""
    return any(
        over >= ahead  # type: ignore[operator]
        for over, over_holds in ends
        if not over_holds
        for ahead, ahead_holds in ends
        if ahead_holds
    )


def _fits(at: datetime, windows: Iterable[Wished]) -> bool:
    return all(window.holds(at) == holds for window, holds in windows)
