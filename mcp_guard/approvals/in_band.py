"""Asking the client itself, where a rule says `by: client`: its accept is the client's claim, no proof of a person.

In the handshake era by an elicitation during the call; in 2026-07-28 by an answer that asks (`input_required`), whose
`requestState` is a handle of the guard's: for one retry of this very call. Only clients that said that they can be
asked. The answer goes into the one queue, where a person may be faster; everything but a plain accept means no.

A call that is itself the answer to a server's questions is asked about like any other: what it answered is kept in the
guard's handle meanwhile, with the handle of the server's round, which is still to be used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from mcp_guard import log, rounds
from mcp_guard.answers import ROUND_METHODS
from mcp_guard.approvals.port import Question
from mcp_guard.context import Context
from mcp_guard.eras import Era
from mcp_guard.handles import Opened
from mcp_guard.model import By, Call
from mcp_guard.patience import patiently
from mcp_guard.record import questions
from mcp_guard.record.shown import escaped
from mcp_guard.record.writer import Transaction
from mcp_guard.session import InFlight
from mcp_guard.shown import not_offered

KEY = "mcp-guard/approval"
_KIND = "approval"
_MOST = 2000  # characters of a value; who needs to see more asks a person at the desk
_NOT_SHOWN = frozenset({"name", "arguments", "uri", "_meta", "requestState"})
"""Shown otherwise, the client's own, or a server's that says nothing to a person. What else there is, is shown."""
_FORM = {"type": "object", "properties": {}}


def may_ask_now(context: Context, request: InFlight, question: Question) -> bool:
    """Handshake era: do the rules leave it to the client, and did it say that it can be asked?"""
    if context.session.era is not Era.LEGACY or question.tier is not By.CLIENT:
        return False
    way = request.ask or context.session.ask
    return way is not None and not not_offered("elicitation", {}, context.session.capabilities or {})


def may_ask_by_answer(context: Context, request: InFlight, question: Question) -> bool:
    """2026-07-28: the same."""
    if context.session.era is not Era.MODERN or question.tier is not By.CLIENT:
        return False
    return question.call.method in ROUND_METHODS and not not_offered("elicitation", {}, request.offered)


def ask_now(context: Context, request: InFlight, question: Question) -> Callable[[], None]:
    """Put an elicitation to the client. Returns how to take it back."""
    ask = request.ask or context.session.ask
    if ask is None:
        return _nothing
    try:
        take_back = ask("elicitation/create", _elicitation(question), partial(_replied, context, question))
    except Exception as error:
        log.warning("the client could not be asked", error=type(error).__name__)
        return _nothing
    return lambda: take_back("answered otherwise")


def _replied(context: Context, question: Question, reply: Mapping[str, Any]) -> None:
    result = reply.get("result")
    take(context, question.entry, _accepts(result))


def asking_answer(context: Context, question: Question, continues: Opened | None) -> dict[str, Any] | None:
    """The answer that asks; None if its handle would be too large. `continues`: the server's round that waits."""
    bound = rounds.bound(context, question.call)
    inner = {"entry": question.entry, "members": _members(question.call, continues)}
    state = context.guard.handles.mint(_KIND, bound, inner, context.guard.now(), questions.QUESTION_LIFE)
    if state is None:
        return None
    asked = {KEY: {"method": "elicitation/create", "params": {"mode": "form", **_elicitation(question)}}}
    return {"result": {"resultType": "input_required", "inputRequests": asked, "requestState": state}}


def _members(call: Call, continues: Opened | None) -> dict[str, Any]:
    """What the client had sent beside the call: the retry carries its answer to the guard in that place."""
    theirs = {name: call.params[name] for name in rounds.MEMBERS if name in call.params}
    return theirs if continues is None else rounds.as_the_client_has_it(theirs, continues)


def reopened(context: Context, call: Call) -> tuple[Call, str, bool] | None:
    """A retry that answers: the call as the client had made it, its question, and whether the client accepts.

    None if its state isn't a handle that was given out for this very call, or was used before.
    """
    handles = context.guard.handles
    state = call.params.get("requestState")
    opened: Opened | None = handles.open(_KIND, rounds.bound(context, call), state, context.guard.now())
    if opened is None:
        return None
    handles.spend(opened)  # before it is looked at: a second retry with it finds nothing
    responses = call.params.get("inputResponses")
    only = isinstance(responses, Mapping) and set(responses) == {KEY}
    accepts = only and isinstance(responses, Mapping) and _accepts(responses[KEY])
    params = {name: value for name, value in call.params.items() if name not in rounds.MEMBERS}
    params |= opened.inner["members"]
    return replace(call, params=params), str(opened.inner["entry"]), accepts


def take(context: Context, entry: str, accepts: bool) -> None:
    """Put the client's answer into the queue. One that comes too late, or second, changes nothing."""
    by = f"client {context.session.client}".strip()

    def answer(moment: Transaction) -> None:
        try:
            if accepts:
                questions.approve(moment, entry, by, By.CLIENT)
            else:
                questions.refuse(moment, entry, by)
        except questions.Settled:
            return

    patiently(lambda: context.guard.record.change(answer), lambda: None)
    context.guard.answered_here()


def _accepts(answer: Any) -> bool:
    return isinstance(answer, Mapping) and answer.get("action") == "accept"


def _elicitation(question: Question) -> dict[str, Any]:
    """Fixed words, then the call: one line a fact, whose text can't begin a line of its own or hide."""
    call = question.call
    lines = [f"[mcp-guard] May {escaped(call.name)} be called, once?"]
    beside = {name: value for name, value in call.params.items() if name not in _NOT_SHOWN}
    for name, value in (*call.arguments.items(), *beside.items()):
        text = escaped(json.dumps(value, ensure_ascii=False))
        lines.append(
            f"| {escaped(name)} = {text if len(text) <= _MOST else f'{text[:_MOST]} … ({len(text)} characters)'}"
        )
    rules = ", ".join(escaped(rule.id) for rule in question.rules)
    return {"message": "\n".join([*lines, f"Asked by: {rules}"]), "requestedSchema": _FORM}


def _nothing() -> None:
    """There is nothing to take back."""
