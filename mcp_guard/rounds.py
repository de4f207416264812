"""Calls of several rounds (modern era): a server answers with questions, and the client calls again with the answers.

The questions are judged as a server's requests are, each in its own entry, and shown under the server's name; one that
isn't granted withholds them all. The server's `requestState` stays what it is for the server; the client holds a handle
of the guard's in its place, good for one retry of the same call to the same server by the same principal. The retry is
a call like any other: judged, charged and recorded, with its answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from mcp_guard.answers import MAX_QUESTIONS, ROUND_METHODS, asks_for_urls, look_alikes
from mcp_guard.context import Context
from mcp_guard.eras import CLIENT_CAPABILITIES_KEY, Era
from mcp_guard.handles import Opened
from mcp_guard.model import Call, Decision, Kind, Outcome
from mcp_guard.offers import ASKED, may_ask, may_extend
from mcp_guard.patience import patiently
from mcp_guard.record.entries import Entry
from mcp_guard.record.usage import UsageView
from mcp_guard.shown import as_shown, not_offered, why_not_shown
from mcp_guard.wire import digest, keyed_digest

_ANSWERS, _STATE = "inputResponses", "requestState"
MEMBERS = frozenset({_ANSWERS, _STATE})
"""What a retry carries beside the call that it repeats."""
MAX_KEY = 256
"""Characters of a question's name: those of tasks are kept."""
LIFETIME = timedelta(hours=1)
_KIND = "round"

Question = tuple[str, dict[str, Any]]
"""The method and the params of what a server wants to know."""
Judged = Callable[["dict[str, dict[str, Any]] | None", str], None]
"""Takes the questions as the client sees them, by the server's key, or None and why not."""
UNKNOWN_FORM = "the server asked in a way that the guard doesn't know"
Delivered = Callable[["dict[str, Any] | None", str], None]
"""Takes what the client may see, or None and why not."""


def bound(context: Context, call: Call) -> dict[str, Any]:
    """What a retry has to share with the call whose questions it answers: all but the answers and `_meta`."""
    same = {name: value for name, value in call.params.items() if name not in MEMBERS and name != "_meta"}
    record, session = context.guard.record, context.session
    return {
        "principal": call.principal,
        "session": session.key,
        "method": call.method,
        "server": call.server,
        "target": call.target,
        "params": keyed_digest(record.key, same),
        "authority": context.guard.authority_digest,
        "chain": record.chain,  # used handles are remembered by one process: another one opens none of its
    }


def claims_to_continue(context: Context, call: Call) -> bool:
    """Does a call present itself as the next round of an earlier one? Then it is that, or it is refused.

    A state always claims so. Answers without one claim it too, unless a document grants them by name: then they are a
    member like any that the guard can't inspect, judged and recorded as that, and continue nothing (law 1).
    """
    if context.session.era is not Era.MODERN or call.method not in ROUND_METHODS:
        return False
    if _STATE in call.params:
        return True
    return _ANSWERS in call.params and not may_extend(context, call.server, _ANSWERS)


def reopened(context: Context, call: Call) -> tuple[Call, Opened] | None:
    """The retry as the server gets it, with its own state; None if it continues no round of this very call."""
    handle = call.params.get(_STATE)
    opened = context.guard.handles.open(_KIND, bound(context, call), handle, context.guard.now())
    answers = call.params.get(_ANSWERS, {})
    if opened is None or not isinstance(answers, dict) or not answers.keys() <= set(opened.inner["asked"]):
        return None
    params = {name: value for name, value in call.params.items() if name != _STATE}
    if opened.inner["state"] is not None:
        params[_STATE] = opened.inner["state"]
    return replace(call, params=params, continues=True), opened


def as_the_client_has_it(members: Mapping[str, Any], opened: Opened) -> dict[str, Any]:
    """The members of a retry that was opened, with the guard's handle where the server's own state is now."""
    return {**members, _STATE: opened.handle}


def is_asking(reply: Mapping[str, Any], method: str, era: Era | None) -> bool:
    """Does the server want to know something before it answers?"""
    if "result" in reply:
        return era is Era.MODERN and method in ROUND_METHODS and reply["result"].get("resultType") == "input_required"
    return "error" in reply and asks_for_urls(reply["error"])


def deliver(context: Context, call: Call, entry: Entry, reply: dict[str, Any], done: Delivered) -> None:
    """Judge what the server wants to know. `done` gets what the client may see, or None and why not."""
    try:
        questions = questions_in(reply)
    except (AttributeError, KeyError, TypeError, ValueError):
        return done(None, UNKNOWN_FORM)
    handle = _handle(context, call, entry, reply, list(questions))
    if handle is None:
        return done(None, "the server's state is too large to be carried")
    offered = _offered(context, call)

    def judged(shown: dict[str, dict[str, Any]] | None, why: str) -> None:
        done(None if shown is None else _rewritten(reply, shown, handle), why)

    return _Round(context, call, entry, offered, judged, list(questions.items())).next()


def judge_questions(
    context: Context, call: Call, entry: Entry, asked: Any, judged: Judged, known: Mapping[str, str]
) -> None:
    """Judge `inputRequests` that come elsewhere than in an answer of several rounds; `judged` gets them as they are
    shown. Those of `known`, whose digest is the same, were judged before: they are charged once, and still have to be
    granted.
    """
    try:
        questions = _input_requests(asked)
    except (AttributeError, KeyError, TypeError, ValueError):
        return judged(None, UNKNOWN_FORM)
    return _Round(context, call, entry, _offered(context, call), judged, list(questions.items()), known).next()


def question_digest(params: Mapping[str, Any]) -> str:
    """Tells whether a question is still the one that was judged."""
    return digest(dict(params))


def _handle(context: Context, call: Call, entry: Entry, reply: dict[str, Any], asked: list[str]) -> str | None:
    """What the client holds instead of the server's state, also of none: it says which call a retry continues."""
    if "error" in reply:
        return ""
    inner = {"state": reply["result"].get(_STATE), "asked": asked, "origin": entry.id}
    return context.guard.handles.mint(_KIND, bound(context, call), inner, context.guard.now(), LIFETIME)


def questions_in(reply: dict[str, Any]) -> dict[str, Question]:
    """By the server's key. Raises for what isn't of the form that the protocol has."""
    if "error" in reply:
        error = reply["error"]
        if look_alikes(error, ("code", "data")) or look_alikes(error["data"], ("elicitations",)):
            raise ValueError
        listed = error["data"]["elicitations"]
        found = {str(number): ("elicitation/create", _object(one)) for number, one in enumerate(listed)}
    else:
        result = reply["result"]
        asked, state = result.get("inputRequests"), result.get(_STATE)
        if not isinstance(state, str | None) or (asked is None and state is None):
            raise ValueError
        found = _input_requests({} if asked is None else asked)
    if len(found) > MAX_QUESTIONS:
        raise ValueError
    return found


def _input_requests(asked: Any) -> dict[str, Question]:
    if (
        len(asked) > MAX_QUESTIONS
        or any(len(key) > MAX_KEY for key in asked)
        or any(look_alikes(one, ("method", "params")) for one in asked.values())
    ):
        raise ValueError
    return {key: (str(one["method"]), _object(one.get("params", {}))) for key, one in asked.items()}


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _offered(context: Context, call: Call) -> Mapping[str, Any] | None:
    """What the client said that it can be asked; in the modern era as far as this server was told."""
    if context.session.era is not Era.MODERN:
        return context.session.capabilities
    meta = call.params.get("_meta")
    found = meta.get(CLIENT_CAPABILITIES_KEY) if isinstance(meta, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _rewritten(reply: dict[str, Any], shown: dict[str, dict[str, Any]], handle: str) -> dict[str, Any]:
    """The answer as the client sees it: the questions as they are shown, and the guard's handle for the retry."""
    if "error" in reply:
        data = {**reply["error"]["data"], "elicitations": list(shown.values())}
        return {"error": {**reply["error"], "data": data}}
    kept = {**reply["result"], _STATE: handle}
    if isinstance(kept.get("inputRequests"), dict):
        kept["inputRequests"] = {
            key: {**one, "params": shown[key]} if shown[key] or "params" in one else one
            for key, one in kept["inputRequests"].items()
        }
    return {"result": kept}


@dataclass(slots=True, eq=False)
class _Round:
    """The questions of one answer, judged one after the other; all are shown, or none."""

    context: Context
    call: Call
    origin: Entry
    offered: Mapping[str, Any] | None
    done: Judged
    left: list[tuple[str, Question]]
    known: Mapping[str, str] = field(default_factory=dict)  # judged before: digests by key
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def next(self) -> None:
        """Judge the next one; after the last, let all be shown."""
        if not self.left:
            return self._finish(Outcome.OK, f"in the answer to {self.origin.id}", "")
        key, (method, params) = self.left.pop(0)
        kind = ASKED.get(method)
        why = "it asks for what no server may ask" if kind is None else ""
        if kind is not None and not_offered(kind, params, self.offered):
            why = "it asks for what the client didn't offer"
        why = why or why_not_shown(method, params, several=self.context.guard.prefixed)
        if why or kind is None:
            return self._finish(Outcome.NOT_SENT, "not shown", why)
        shown = as_shown(method, params, self.call.server)
        if self.known.get(key) == question_digest(shown) and may_ask(self.context, self.call.server, kind):
            self.shown[key] = shown
            return self.next()
        asked = Call(self.call.principal, method, self.call.server, kind, shown, Kind.SERVER_REQUEST)
        return patiently(
            lambda: self._judge(key, asked), lambda: self._finish(Outcome.NOT_SENT, "", "it can't be recorded")
        )

    def _judge(self, key: str, asked: Call) -> None:
        guard, session = self.context.guard, self.context.session

        def judged(view: UsageView) -> Decision:
            return self.context.judged(asked, view)

        entry = guard.record.step(guard.describe(asked, session.key, session.client, {}), judged)
        guard.latest = entry.time
        if not entry.decision.allowed:
            return self._finish(Outcome.NOT_SENT, "not shown", "the server asked for what nothing grants")
        self.shown[key] = dict(asked.params)
        self.entries.append(entry)
        return self.next()

    def _finish(self, outcome: Outcome, note: str, why: str) -> None:
        """Record what became of those that were allowed; what isn't shown costs nothing."""
        refund = outcome is Outcome.NOT_SENT

        def step() -> None:
            while self.entries:
                self.context.guard.record.finish(self.entries[0], outcome, duration_ms=0.0, refund=refund, note=note)
                self.entries.pop(0)
            for params in () if why else self.shown.values():
                self.context.session.note_elicitation(self.call.server, params.get("elicitationId"))
            self.done(None if why else self.shown, why)

        patiently(step, lambda: self.done(None, "it can't be recorded"))
