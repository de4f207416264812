"""A busy record is never waited for inside the event loop: the step is tried again in a moment, for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_guard import log
from mcp_guard.errors import GuardError, RecordBusy

AGAIN_AFTER = 0.002
DEADLINE = 3.0
"""Seconds. Two processes that write flat out were seen to hold each other up for 0.63 s."""


def patiently(step: Callable[[], object], failed: Callable[[], None], started: float | None = None) -> None:
    """Run `step`; while the record is busy, again soon. Any other error, or no luck by the deadline: `failed`."""
    try:
        step()
    except RecordBusy:
        loop = asyncio.get_running_loop()
        started = loop.time() if started is None else started
        if loop.time() - started > DEADLINE:
            log.warning("the record was busy for too long", seconds=DEADLINE)
            failed()
        else:
            loop.call_later(AGAIN_AFTER, patiently, step, failed, started)
    except Exception as error:
        # Only our own errors are shown: the text of another one may carry an argument's value.
        shown = str(error) if isinstance(error, GuardError) else type(error).__name__
        log.warning("the record took no entry", error=shown)
        failed()
