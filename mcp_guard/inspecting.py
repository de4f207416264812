"""What a server says, on its way to the client, under the obligations of the documents (`inspection/results.py`).

Bound to a call: its answer and its progress, under what the grants want that carried it. Bound to none (log messages,
notices, questions, instructions, what an extension answers): under what all grants of that server want, since nobody
can tell which of its tools speaks. Where nothing is wanted, nothing is looked at, and it passes as it came (law 9).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp_guard import log, rounds
from mcp_guard.catalog import Tool, compile_schema
from mcp_guard.context import Context
from mcp_guard.eras import SUBSCRIPTION_KEY
from mcp_guard.inspection.obligations import NOTHING, Obligations
from mcp_guard.inspection.results import inspect
from mcp_guard.model import Call, Effect, Kind, Reason
from mcp_guard.quarantining import held_why, hold
from mcp_guard.record.entries import Entry

LOG = "notifications/message"
_NUMBERS = ("progressToken", "progress", "total")
_STATE = "requestState"
_STANDING = (
    *("resultType", "taskId", "status", "createdAt", "lastUpdatedAt", "ttl", "ttlMs", "pollInterval"),
    *("pollIntervalMs", "cacheScope"),
)
_ASKS = "it asks before it answers, which a call may not whose answer a person releases"


@dataclass(slots=True)
class Inspection:
    """Of one call. `withheld`: why its answer isn't passed on; `note`: what was done to it, for the record."""

    context: Context
    call: Call
    tool: Tool | None
    wanted: Obligations
    withheld: str = ""
    held: bool = False  # kept for a person, so that a repetition may get it
    note: str = ""

    def answer(self, entry: Entry, reply: dict[str, Any]) -> dict[str, Any]:
        """The server's reply as it may be passed on; `withheld` says why it may not."""
        wanted, asking = self.wanted, rounds.is_asking(reply, self.call.method, self.context.session.era)
        if asking:
            wanted |= self.context.guard.wants_of(self.call.server).in_passing
        if wanted.quarantine and (asking or not _has_an_end(reply, self.call)):
            self.withheld = _ASKS if asking else ""
            wanted, reply = wanted.in_passing, reply if asking else _without_words(reply)
        if wanted == NOTHING or self.withheld:
            return reply
        state = _state(reply) if asking else {}
        found = inspect(_without(reply, state), wanted, fits=self._fits(), may_read=self._may_read)
        self.note, self.withheld = found.note, found.withheld
        if wanted.quarantine and not self.withheld:
            self._hold(entry, found.answer)
        return _with(found.answer, state)

    def _hold(self, entry: Entry, answer: dict[str, Any]) -> None:
        digest = hold(self.context, self.call, entry, answer)
        self.held = bool(digest)
        self.withheld = held_why(self.held)
        # The digest first: a note is cut when it is long, and without the digest nothing could be released.
        self.note = ", ".join(filter(None, [f"held, digest {digest}" if digest else "not kept", self.note]))

    def again(self, kept: dict[str, Any]) -> dict[str, Any] | None:
        """An answer that a person released, under what is wanted now; None if it may not be passed on."""
        found = inspect(kept, self.wanted, fits=self._fits(), may_read=self._may_read)
        self.note = found.note
        return None if found.withheld else found.answer

    def progress(self, told: dict[str, Any]) -> dict[str, Any]:
        """A line of progress. Of a call whose answer is held, only the numbers."""
        token = {name: told[name] for name in ("progressToken",) if name in told}
        if self.wanted.quarantine:
            return {name: told[name] for name in _NUMBERS if name in told}
        found = _quietly({name: value for name, value in told.items() if name not in token}, self.wanted)
        return {**(found if found is not None else {"progress": told.get("progress", 0)}), **token}

    def _fits(self) -> Callable[[Any], bool] | None:
        schema = None if self.tool is None else self.tool.descriptor.get("outputSchema")
        if schema is None:
            return None

        def fits(content: Any) -> bool:
            check, _ = compile_schema(schema)
            return check is not None and check(content) is None

        return fits

    def _may_read(self, uri: str) -> bool:
        """Judged as the client's own reading would be (law 3), budgets aside."""
        call = Call(self.call.principal, "resources/read", self.call.server, uri, {"uri": uri}, Kind.RESOURCE)
        return self.context.judged(call, None).effect is not Effect.DENY


def of_call(context: Context, call: Call, tool: Tool | None, wanted: Obligations) -> Inspection | None:
    """The inspection of a judged call; None if nothing is wanted. An extension may carry any tool's answer."""
    if call.kind is Kind.EXTENSION:
        wanted |= context.guard.wants_of(call.server)
    if wanted == NOTHING and context.guard.wants_of(call.server) == NOTHING:
        return None
    return Inspection(context, call, tool, wanted)


def told(
    context: Context, server: str, method: str, params: dict[str, Any] | None
) -> tuple[bool, dict[str, Any] | None]:
    """Something that a server says unasked: may it be passed on, and as what?"""
    wanted = context.guard.wants_of(server)
    if wanted == NOTHING or params is None:
        return True, params
    if wanted.quarantine:
        if method == LOG:
            return _not_told(context, server, method)
        return True, _bare(params)
    found = _quietly(params, wanted)
    return (True, found) if found is not None else _not_told(context, server, method)


def question(context: Context, server: str, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """A server's question of the client; None: it may not be put. A person reads a form; sampling is for the model."""
    wanted = context.guard.wants_of(server)
    if wanted == NOTHING:
        return params
    if wanted.quarantine and method == "sampling/createMessage":
        return None
    return _quietly(params, wanted)


def line(context: Context, server: str, text: str) -> str:
    """A text that a server says of itself: its instructions."""
    found = _quietly({"text": text}, context.guard.wants_of(server))
    return "" if found is None else str(found["text"])


def _quietly(params: dict[str, Any], wanted: Obligations) -> dict[str, Any] | None:
    try:
        found = inspect(params, wanted.in_passing, may_read=lambda uri: True)
    except Exception as error:
        log.warning("what a server says could not be inspected", error=type(error).__name__)
        return None
    return None if found.withheld else found.answer


def _bare(params: dict[str, Any]) -> dict[str, Any]:
    """A notice without a word of the server's own."""
    meta = params.get("_meta")
    kept: dict[str, Any] = {name: params[name] for name in ("uri", "elicitationId") if name in params}
    ours = {SUBSCRIPTION_KEY: meta[SUBSCRIPTION_KEY]} if isinstance(meta, dict) and SUBSCRIPTION_KEY in meta else {}
    return {**kept, "_meta": ours} if ours else kept


def _not_told(context: Context, server: str, method: str) -> tuple[bool, None]:
    if context.session.counts_now(server, method):
        why = "what this server answers is held until a person releases it, or could not be inspected"
        context.refused(method, server, "", Kind.TOOL, Reason.NO_GRANT, why)
    return False, None


def _has_an_end(reply: dict[str, Any], call: Call) -> bool:
    """Is this what the call came to? Not while it goes on as a task; what that comes to is held when it is there."""
    result = reply.get("result")
    if not isinstance(result, dict) or not (call.kind is Kind.EXTENSION or result.get("resultType") == "task"):
        return True
    return "result" in result or "error" in result or "taskId" not in result


def _without_words(reply: dict[str, Any]) -> dict[str, Any]:
    """How a task stands, without what its server says of it."""
    kept = {name: value for name, value in reply["result"].items() if name in _STANDING}
    return {"result": {name: value for name, value in kept.items() if not isinstance(value, str) or len(value) <= 256}}


def _state(reply: dict[str, Any]) -> dict[str, Any]:
    """A server's state of a round: the client gets the guard's handle for it, so it stays what it is."""
    result = reply.get("result")
    return {_STATE: result[_STATE]} if isinstance(result, dict) and _STATE in result else {}


def _without(reply: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    if not state:
        return reply
    return {**reply, "result": {name: value for name, value in reply["result"].items() if name not in state}}


def _with(answer: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "result": {**answer["result"], **state}} if state else answer
