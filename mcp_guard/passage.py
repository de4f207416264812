"""The path of one judged request, from judgement to recorded outcome. Read this after `gateway.py`.

Judged, charged and recorded in one transaction; only then sent, or refused (law 2). What the server answers is recorded
before the client sees it. It is carried by callbacks: the client's line starts it, the server's line ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_guard import log, refusal
from mcp_guard.catalog import Tool
from mcp_guard.context import Context
from mcp_guard.downstream import Downstream
from mcp_guard.eras import strip_own_data, strip_own_meta, strip_own_result
from mcp_guard.errors import ServerGone
from mcp_guard.guard import without_made_up_names
from mcp_guard.model import Call, Decision, Effect, Outcome, Reason
from mcp_guard.patience import patiently
from mcp_guard.record.entries import Entry, Request
from mcp_guard.record.usage import UsageView
from mcp_guard.session import InFlight

Refuse = Callable[[Decision, "str | None"], dict[str, Any]]
"""What the client gets for a decision and the id of its entry."""


@dataclass(slots=True)
class Passage:
    """One judged request on its way: who waits, what is asked, of whom, and how a refusal looks."""

    context: Context
    request: InFlight
    call: Call
    server: Downstream
    tool: Tool | None
    refusal: Refuse
    _started: float = 0.0
    _timer: asyncio.TimerHandle | None = None
    _cancel: Callable[[str | None], None] = field(default=lambda _: None)

    def begin(self, beside: Collection[str] = ()) -> None:
        """Judge it, then send or refuse it. `beside` are members of `params` that nothing allows."""
        if beside:
            return self.refuse(Decision(Effect.DENY, Reason.UNEXPECTED_MEMBER))
        return patiently(self._judge, self._unrecorded)

    def refuse(self, decision: Decision) -> None:
        """Refuse it without a judgement, once that is recorded."""

        def step() -> None:
            entry = self.context.guard.record.refuse(self._described(), decision)
            self.request.finish(self.refusal(decision, entry.id))

        patiently(step, self._unrecorded)

    def _described(self) -> Request:
        session = self.context.session
        return self.context.guard.describe(self.call, session.key, session.client, self._argument_names)

    @property
    def _argument_names(self) -> Mapping[str, Any]:
        """Those that the tool's schema has; others are the client's own, and aren't recorded (law 8)."""
        return self.tool.argument_names if self.tool is not None else {}

    def _judge(self) -> None:
        guard = self.context.guard
        entry = guard.record.step(self._described(), self._judged)
        guard.latest = entry.time
        if not entry.decision.allowed:
            return self.request.finish(self.refusal(entry.decision, entry.id))
        try:
            return self._send(entry)
        except Exception as error:  # it may have left: an error from here on is never a refusal (law 6)
            log.warning("a call could not be sent as it should", error=type(error).__name__)
            why = "The guard could not carry this call."
            return self._settle(entry, Outcome.UNKNOWN, refusal.unknown_outcome(entry.id, why), type(error).__name__)

    def _judged(self, view: UsageView) -> Decision:
        try:
            decision = self.context.guard.judge(self.call, self.tool, self.context.facts(self.call.server, view))
            return without_made_up_names(decision, self.call, self._argument_names)
        except Exception as error:  # unclear means no (law 4); its text may carry a value, so it isn't shown
            log.warning("a call could not be judged", error=type(error).__name__)
            return Decision(Effect.DENY, Reason.INTERNAL, detail=type(error).__name__)

    def _unrecorded(self) -> None:
        self.request.finish(self.refusal(Decision(Effect.DENY, Reason.UNRECORDED), None))

    def _send(self, entry: Entry) -> None:
        """From here on the call counts as made, until the transport says that it took no byte."""
        if not self.request.waiting:  # cancelled while the record was busy
            return self._not_sent(entry, "the client gave up")
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        try:
            self._cancel = self.server.request(
                self.call.method, dict(self.call.params), lambda reply: self._answered(entry, reply), self._progress
            )
        except ServerGone as gone:
            return self._not_sent(entry, str(gone))
        if self.request.waiting:
            self.request.sent(lambda reason: self._cancelled(entry, reason))
            self._timer = loop.call_later(self.server.spec.timeout, self._timed_out, entry)
        return None

    def _progress(self, params: dict[str, Any]) -> None:
        self.request.progress(strip_own_meta(params))

    def _answered(self, entry: Entry, reply: dict[str, Any]) -> None:
        if "unsent" in reply:  # only a link says that: no connection could be made, so that no byte of it left
            return self._not_sent(entry, str(reply["gone"]))
        outcome, answer, note = self._outcome(entry, reply)
        return self._settle(entry, outcome, answer, note)

    def _cancelled(self, entry: Entry, reason: str | None) -> None:
        self._cancel(reason)
        self._settle(entry, Outcome.CANCELLED, {}, "")

    def _timed_out(self, entry: Entry) -> None:
        self._cancel("timed out")
        why = f"The tool server did not answer within {self.server.spec.timeout:g} seconds."
        self._settle(entry, Outcome.UNKNOWN, refusal.unknown_outcome(entry.id, why), "timed out")

    def _settle(self, entry: Entry, outcome: Outcome, answer: dict[str, Any], note: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        duration = (asyncio.get_running_loop().time() - self._started) * 1000

        def step() -> None:
            self.context.guard.record.finish(entry, outcome, duration_ms=duration, note=note)
            self.request.finish(answer)  # Invariant: nobody sees a result whose outcome isn't committed

        why = "its outcome could not be recorded"
        patiently(step, lambda: self.request.finish(self._withheld(entry, why)))

    def _not_sent(self, entry: Entry, why: str) -> None:
        """No byte left: the charges go back, and the client learns that nothing happened."""
        if self._timer is not None:
            self._timer.cancel()
        record = self.context.guard.record
        patiently(
            lambda: record.finish(entry, Outcome.NOT_SENT, duration_ms=0.0, refund=True, note=why),
            lambda: None,
        )
        self.request.finish(self.refusal(Decision(Effect.DENY, Reason.UNAVAILABLE), entry.id))

    def _withheld(self, entry: Entry, why: str) -> dict[str, Any]:
        if self.call.method == "tools/call":
            return refusal.withheld(entry.id, why, self.context.session.era)
        return refusal.withheld_request(entry.id, why)

    def _outcome(self, entry: Entry, reply: dict[str, Any]) -> tuple[Outcome, dict[str, Any], str]:
        """What became of it, what the client is given, and a note for the record."""
        if "gone" in reply:
            why = f"The tool server gave no answer ({reply['gone']})."
            return Outcome.UNKNOWN, refusal.unknown_outcome(entry.id, why), str(reply["gone"])
        if "error" in reply:
            return Outcome.ERROR, {"error": strip_own_data(reply["error"])}, ""
        result = strip_own_result(reply["result"])
        if result.get("resultType", "complete") != "complete":  # in both eras: a client may look at it in either
            why = "the server asked for input, or answered in a way that nothing grants"
            return Outcome.WITHHELD, self._withheld(entry, why), "resultType"
        return (Outcome.TOOL_ERROR if result.get("isError") is True else Outcome.OK), {"result": result}, ""
