"""A call that repeats one whose answer a person has released: that is looked at again, and given in the answer's place.

Edge. It is looked at beside the loop like any answer, so whatever comes meanwhile (a cancellation, a stop, another
repetition that was faster) counts before it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_guard import inspecting, quarantining, rounds
from mcp_guard.context import Context
from mcp_guard.inspecting import Inspection
from mcp_guard.inspection.results import Inspected
from mcp_guard.model import Call, Outcome
from mcp_guard.patience import patiently
from mcp_guard.record.entries import Entry
from mcp_guard.scans import noted

Deliver = Callable[[str, "dict[str, Any] | None"], None]
"""Takes the entry of the call that was answered, and the answer as it may be passed on. None: it may not be
passed on as things are now, or another repetition has got it."""


def found(context: Context, inspection: Inspection, call: Call) -> tuple[str, dict[str, Any]] | None:
    """The entry and the answer that a person released for a call like this one."""
    return quarantining.released(context, call) if inspection.wanted.quarantine else None


def look_at(
    context: Context,
    inspection: Inspection,
    call: Call,
    found: tuple[str, dict[str, Any]],
    deliver: Deliver,
    failed: Callable[[Exception], None],
) -> None:
    """Look at it under what is wanted now, and go on in the loop: with one of the two."""
    origin, kept = found

    def looked(done: Inspected, rules: tuple[str, ...]) -> None:
        try:
            asks = rounds.is_asking(done.answer, call.method, context.session.era)
            if done.withheld or asks or not quarantining.is_kept(context, origin):
                return deliver(origin, None)
            inspection.note = "; ".join(filter(None, (noted(rules), done.note)))
            return deliver(origin, done.answer)
        except Exception as error:
            return failed(error)

    return inspecting.look_again(context, inspection, call, kept, looked, failed)


def give(
    context: Context, entry: Entry, origin: str, note: str, then: Callable[[], None], lost: Callable[[], None]
) -> None:
    """Record that it is given, and go on. Nothing was sent, so the charge goes back."""
    told = "; ".join(filter(None, (f"given: the answer to {origin}, which a person released", note)))

    def step() -> None:
        context.guard.record.finish(entry, Outcome.NOT_SENT, duration_ms=0.0, refund=True, note=told)
        quarantining.given(context, origin)
        then()

    patiently(step, lost)
