"""What a session remembers of its calls, for rules that go by where a value comes from. Nothing, where no rule does.

Between a call on its way (`passage.py`) and the record. What counts is in `history/`; here it is fetched in slices
between which other calls go on, and handed to the record in the transaction that it belongs to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mcp_guard import log
from mcp_guard.context import Context
from mcp_guard.history.index import Reading, Row, carrying, gained
from mcp_guard.history.reading import Given, carried_by, given
from mcp_guard.history.sources import describe, may_write, reading_of
from mcp_guard.model import UNTRUSTED, Call
from mcp_guard.patience import patiently
from mcp_guard.record.entries import Entry
from mcp_guard.record.sightings import Read, Sightings
from mcp_guard.record.usage import UsageView


def carry(context: Context, call: Call, view: UsageView) -> None:
    """An allowed call: what it carries to a server that may keep it gains nothing from then on."""
    guard = context.guard
    if guard.asked.history and may_write(guard.authority, call, context.facts(call.server, view)):
        view.carried = carrying(carried_by(call.params), guard.record.digests, view.seen)


def carried_answer(context: Context, answer: dict[str, Any]) -> Read | None:
    """What a client answers to a server's question is carried to it as a call's arguments are."""
    if not context.guard.asked.history or not isinstance(answer.get("result"), dict):
        return None
    return partial(carrying, carried_by(answer["result"]), context.guard.record.digests)


def sources(context: Context, call: Call, view: UsageView) -> dict[str, str]:
    """Where the values of a call come from, in words: what a person who is asked should see."""
    guard = context.guard
    return describe(guard.authority, call, context.facts(call.server, view)) if guard.asked.active else {}


def reads(context: Context, call: Call, answer: dict[str, Any]) -> bool:
    """Does any rule go by what this answer gives? Only the plain result of a tool counts: no error, no question, no
    task.
    """
    asked, result = context.guard.asked, answer.get("result")
    if not asked.history or not isinstance(result, dict) or not asked.reads(call):
        return False
    return result.get("isError") is not True and result.get("resultType", "complete") == "complete"


def remember(
    context: Context,
    entry: Entry,
    call: Call,
    answer: dict[str, Any],
    then: Callable[[Read | None], None],
    failed: Callable[[], None],
) -> None:
    """Read a result before the client does, if it `reads`. `then` gets what is to be kept together with the outcome.

    If not all of it can be read and kept, it is `failed`: a deny may hang on what a stranger's result held.
    """
    guard = context.guard
    reading = reading_of(guard.asked, guard.authority, call, context.facts(call.server), carried_by(call.params))
    if UNTRUSTED in entry.decision.gives:  # as it was admitted, whatever its server lists by now
        reading = replace(reading, trusted=False)
    return _Slices(context, entry, reading, given(answer["result"]), then, failed).step()


@dataclass(slots=True)
class _Slices:
    """A result on its way into the record: one slice at a time, the last one with the outcome."""

    context: Context
    entry: Entry
    reading: Reading
    found: Iterator[list[Given]]
    then: Callable[[Read | None], None]
    failed: Callable[[], None]
    _held: list[Given] | None = None

    def step(self) -> None:
        """Take the next slice."""
        try:
            following = next(self.found, None)
        except Exception as error:
            log.warning("a result could not be read for its values", error=type(error).__name__)
            return self.failed()
        if following == []:  # nothing in it to be kept, and others may go on meanwhile
            asyncio.get_running_loop().call_soon(self.step)
            return None
        held, self._held = self._held, following
        if following is None:
            return self.then(None if held is None else partial(self._rows, held))
        if held is None:
            return self.step()
        return patiently(lambda: self._keep(held), self.failed)

    def _keep(self, held: list[Given]) -> None:
        self.context.guard.record.saw(self.entry, partial(self._rows, held))
        asyncio.get_running_loop().call_soon(self.step)

    def _rows(self, found: list[Given], rows: Sightings) -> list[Row]:
        return gained(found, self.reading, self.context.guard.record.digests, rows)
