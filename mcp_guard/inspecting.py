"""What a server says, on its way to the client, under the obligations of the documents (`inspection/results.py`).

Bound to a call: its answer and its progress, under what the grants want that carried it. Bound to none (log messages,
notices, questions, instructions, what an extension answers): under what all grants of that server want, since nobody
can tell which of its tools speaks. Where nothing is wanted, nothing is looked at, and it passes as it came (law 9).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from mcp_guard import found, log, rounds
from mcp_guard.aside import is_light, look
from mcp_guard.catalog import Tool, compile_schema
from mcp_guard.context import Context
from mcp_guard.deliveries import UPDATED
from mcp_guard.eras import SUBSCRIPTION_KEY
from mcp_guard.inspection.obligations import NOTHING, Obligations
from mcp_guard.inspection.results import Inspected, inspect, links
from mcp_guard.model import Call, Effect, Kind, Reason
from mcp_guard.quarantining import held_why, hold
from mcp_guard.record.entries import Entry
from mcp_guard.scans import Scans

LOG = "notifications/message"
MAX_LINKS = 1000
"""Links of one answer that are judged; those beyond count as nothing that may be read."""
_NUMBERS = frozenset({"progress", "total"})
_STATE = "requestState"
_DURATIONS = frozenset({"ttl", "ttlMs", "pollInterval", "pollIntervalMs"})
_DATES = frozenset({"createdAt", "lastUpdatedAt"})
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,20}(?:Z|[+-][0-9:]{4,6})?")
_STATES = {
    "resultType": frozenset({"task", "complete"}),
    "status": frozenset({"working", "input_required", "completed", "failed", "cancelled"}),
    "cacheScope": frozenset({"public", "private"}),
}
_ABOUT = {UPDATED: "uri", "notifications/elicitation/complete": "elicitationId"}
_ABOUT_TASKS = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})
_ASKS = "it asks before it answers, which a call may not whose answer a person releases"


class Job(NamedTuple):
    """One reply and what is wanted done to it: all that a thread needs."""

    reply: dict[str, Any]
    wanted: Obligations
    state: Mapping[str, Any] = MappingProxyType({})  # the server's own, which isn't looked at
    fits: Callable[[Any], bool] | None = None

    def run(self, readable: Collection[str]) -> Inspected:
        return inspect(self.reply, self.wanted, fits=self.fits, may_read=readable.__contains__)


def look_at(
    context: Context,
    inspection: Inspection | None,
    call: Call,
    reply: dict[str, Any],
    then: Callable[[Job, Inspected, tuple[str, ...]], None],
    failed: Callable[[Exception], None],
) -> None:
    """Look at all of a reply: what is wanted done to it, then what the scan finds in what is left.

    Beside the loop if it is long; what judges stays in the loop.
    """
    try:
        job = Job(reply, NOTHING) if inspection is None else inspection.job(reply)
    except Exception as error:
        return failed(error)
    return _look_by(context, inspection, call, job, partial(then, job), failed)


def look_again(
    context: Context,
    inspection: Inspection,
    call: Call,
    kept: dict[str, Any],
    then: Callable[[Inspected, tuple[str, ...]], None],
    failed: Callable[[Exception], None],
) -> None:
    """The same of an answer that a person released, under what is wanted now. It isn't held a second time."""
    return _look_by(context, inspection, call, inspection.released(kept), then, failed)


def _look_by(
    context: Context,
    inspection: Inspection | None,
    call: Call,
    job: Job,
    then: Callable[[Inspected, tuple[str, ...]], None],
    failed: Callable[[Exception], None],
) -> None:
    lane, reply = call.server, job.reply
    run = partial(_looked, context.guard.scans, lane, job)

    def give(looked: tuple[Inspected, tuple[str, ...]]) -> None:
        then(*looked)

    if inspection is None or job.wanted == NOTHING:
        return look(lane, reply, run, give, failed)

    def go_on(uris: list[str]) -> None:
        look(lane, reply, partial(run, inspection.readable(uris)), give, failed)

    return look(lane, reply, partial(links, reply), go_on, failed)


def _looked(scans: Scans, lane: str, job: Job, readable: Collection[str] = ()) -> tuple[Inspected, tuple[str, ...]]:
    done = job.run(readable)
    goes_on = not done.withheld and not job.wanted.quarantine
    return done, scans.in_answer(done.answer, lane) if goes_on else ()


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

    def job(self, reply: dict[str, Any]) -> Job:
        """What is to be done to the server's reply. Prepared in the loop; what it does belongs to no thread."""
        wanted, asking = self.wanted, rounds.is_asking(reply, self.call.method, self.context.session.era)
        if asking:
            wanted |= self.context.guard.wants_of(self.call.server).in_passing
        if wanted.quarantine and (asking or not _has_an_end(reply, self.call)):
            self.withheld = _ASKS if asking else ""
            wanted, reply = wanted.in_passing, reply if asking else _without_words(reply)
        state = _state(reply) if asking else {}
        return Job(_without(reply, state), NOTHING if self.withheld else wanted, state, self._fits())

    def readable(self, uris: Collection[str]) -> Collection[str]:
        """Of the resources that an answer links to, those that the client may read."""
        return {uri for uri in islice(uris, MAX_LINKS) if self._may_read(uri)}

    def taken(self, entry: Entry, job: Job, done: Inspected) -> dict[str, Any]:
        """The reply as it may be passed on; `withheld` says why it may not."""
        self.note, self.withheld = done.note, self.withheld or done.withheld
        if job.wanted.quarantine and not self.withheld:
            self._hold(entry, done.answer)
        return _with(done.answer, job.state)

    def _hold(self, entry: Entry, answer: dict[str, Any]) -> None:
        digest = hold(self.context, self.call, entry, answer)
        self.held = bool(digest)
        self.withheld = held_why(self.held)
        # The digest first: a note is cut when it is long, and without the digest nothing could be released.
        self.note = ", ".join(filter(None, [f"held, digest {digest}" if digest else "not kept", self.note]))

    def released(self, kept: dict[str, Any]) -> Job:
        """What is to be done to an answer that a person released."""
        return Job(kept, replace(self.wanted, quarantine=False), fits=self._fits())

    def progress(self, told: dict[str, Any]) -> dict[str, Any]:
        """A line of progress. Of a call whose answer is held, only the numbers."""
        token = {name: told[name] for name in ("progressToken",) if name in told}
        if self.wanted.quarantine:
            return {**_numbers(told), **token}
        rest = {name: value for name, value in told.items() if name not in token}
        passed = rest if self.wanted == NOTHING else _in_passing(rest, self.wanted)
        return {**(passed if passed is not None else {"progress": 0, **_numbers(told)}), **token}

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
    if (wanted is NOTHING or wanted == NOTHING) and context.guard.wants_of(call.server) == NOTHING:
        return None
    return Inspection(context, call, tool, wanted)


def told(
    context: Context, server: str, method: str, params: dict[str, Any] | None
) -> tuple[bool, dict[str, Any] | None]:
    """Something that a server says unasked: may it be passed on, and as what?"""
    wanted = context.guard.wants_of(server)
    if params is None:
        return True, params
    if wanted.quarantine:
        if method == LOG:
            return _not_told(context, server, method)
        return True, _bare(method, params)
    passed = params if wanted == NOTHING else _in_passing(params, wanted)
    if passed is None:
        return _not_told(context, server, method)
    found.tell_of_words(context, server, method, context.guard.scans.in_passing(passed, server))
    return True, passed


def question(
    context: Context,
    server: str,
    method: str,
    params: dict[str, Any],
    then: Callable[[dict[str, Any] | None, tuple[str, ...]], None],
) -> None:
    """A server's question of the client, and what the scan finds in it; None: it may not be put.

    A person reads a form; sampling is for the model, and may be long.
    """
    wanted, scans = context.guard.wants_of(server), context.guard.scans
    if wanted.quarantine and method == "sampling/createMessage":
        return then(None, ())

    def job() -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        passed = params if wanted == NOTHING else _quietly(params, wanted)
        return passed, () if passed is None else scans.in_answer(passed, server)

    return look(server, params, job, lambda looked: then(*looked), lambda _: then(None, ()))


def line(context: Context, server: str, text: str) -> str:
    """A text that a server says of itself: its instructions."""
    passed = _quietly({"text": text}, context.guard.wants_of(server))
    return "" if passed is None else str(passed["text"])


def _quietly(params: dict[str, Any], wanted: Obligations) -> dict[str, Any] | None:
    try:
        done = inspect(params, wanted.in_passing, may_read=lambda uri: True)
    except Exception as error:
        log.warning("what a server says could not be inspected", error=type(error).__name__)
        return None
    return None if done.withheld else done.answer


def _in_passing(params: dict[str, Any], wanted: Obligations) -> dict[str, Any] | None:
    """One line of many is looked at where it comes, so it has to be short."""
    if not is_light(params):
        log.warning("what a server says in passing is too long to be inspected")
        return None
    return _quietly(params, wanted)


def _numbers(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name in _NUMBERS and type(value) in (int, float)}


def _bare(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """A notice without a word of the server's own: at most the name of what the client itself asked to be told of."""
    meta, about = params.get("_meta"), _ABOUT.get(method)
    kept: dict[str, Any] = {about: params[about]} if about in params else {}
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
    is_about_one = call.method in _ABOUT_TASKS  # any other extension's `taskId` is whatever its server says
    if not isinstance(result, dict) or not (is_about_one or result.get("resultType") == "task"):
        return True
    return "result" in result or "error" in result or "taskId" not in result


def _without_words(reply: dict[str, Any]) -> dict[str, Any]:
    """How a task stands, without what its server says of it."""
    return {"result": {name: value for name, value in reply["result"].items() if _is_standing(name, value)}}


def _is_standing(name: str, value: Any) -> bool:
    """Is it what the protocol has there? By its form: under such a name, too, a server could say what it likes."""
    if name == "taskId":  # the client gets the guard's handle for it
        return isinstance(value, str)
    if name in _DURATIONS:
        return value is None or type(value) in (int, float)
    if name in _DATES:
        return isinstance(value, str) and _DATE.fullmatch(value) is not None
    return isinstance(value, str) and value in _STATES.get(name, ())


def _state(reply: dict[str, Any]) -> dict[str, Any]:
    """A server's state of a round: the client gets the guard's handle for it, so it stays what it is."""
    result = reply.get("result")
    return {_STATE: result[_STATE]} if isinstance(result, dict) and _STATE in result else {}


def _without(reply: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    if not state:
        return reply
    return {**reply, "result": {name: value for name, value in reply["result"].items() if name not in state}}


def _with(answer: dict[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    return {**answer, "result": {**answer["result"], **state}} if state else answer
