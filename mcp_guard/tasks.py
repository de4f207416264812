"""The tasks extension (2026-07-28, `io.modelcontextprotocol/tasks`), where a document grants it for a server.

A task outlives its call, so a client holds the guard's own handle for it: bound to the principal, the server and the
documents that judged the call. Whoever polls it is judged again, by the extension's grant and by that of the tool that
began it: a tool that isn't granted any more gives nothing more, except that its task can be cancelled. What a task asks
for is judged like any question of that server, once. Nothing else of a task is inspected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp_guard import listing, refusal, rounds
from mcp_guard.answers import is_complete, plain_error
from mcp_guard.context import Context
from mcp_guard.downstream import Downstream
from mcp_guard.eras import strip_own_result
from mcp_guard.handles import Opened
from mcp_guard.model import Call, Decision, Effect, Kind, Reason
from mcp_guard.offers import TASKS, may_extend
from mcp_guard.passage import Passage
from mcp_guard.record.entries import Entry
from mcp_guard.session import InFlight
from mcp_guard.task_handles import opened

if TYPE_CHECKING:
    from mcp_guard.gateway import Gateway

METHODS = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})
MAX_KEPT = 1000
"""Tasks of one client at one server whose questions are remembered, and questions of one of them."""
_MEMBERS = {
    "tasks/get": frozenset({"taskId", "_meta"}),
    "tasks/update": frozenset({"taskId", "inputResponses", "_meta"}),
    "tasks/cancel": frozenset({"taskId", "_meta"}),
}


def carry(gateway: Gateway, request: InFlight, method: str, params: dict[str, Any]) -> None:
    """A request about a task."""
    found = opened(gateway.context, params.get("taskId"))
    if found is None:
        answer = refusal.invalid_params("Unknown task")
        granted = any(may_extend(gateway.context, one.name, TASKS) for one in gateway.session.servers)
        return gateway.not_there(
            request,
            answer if granted else refusal.unknown_method(),
            method,
            "",
            "",
            Kind.EXTENSION,
            Reason.UNKNOWN_HANDLE if granted else Reason.UNKNOWN_METHOD,
        )
    server, task = found
    gateway.guard.record.read(gateway.guard.renew)  # a tool that was taken away just now gives nothing more
    call = gateway.call(method, server, TASKS, {**params, "taskId": task.inner["task"]}, Kind.EXTENSION)
    passage = Passage(gateway.context, request, call, server, None, refusal.refused_request)
    if method != "tasks/cancel" and not tool_is_granted(gateway.context, server, task):
        return passage.refuse(Decision(Effect.DENY, Reason.NO_GRANT, detail="the tool isn't granted any more"))
    if method == "tasks/update" and not _answers_what_was_asked(gateway.context, call):
        return passage.refuse(Decision(Effect.DENY, Reason.UNKNOWN_HANDLE, detail="it answers what wasn't asked"))
    passage.takes = partial(_answered, gateway.context, call, str(params["taskId"]))
    return passage.begin(params.keys() - _MEMBERS[method])


def tool_is_granted(context: Context, server: Downstream, task: Opened) -> bool:
    """Is the tool that began the task granted now?"""
    tool = str(task.inner["tool"])
    return listing.shows_call(context, Call(context.session.principal, "tools/call", server.name, tool, {}))


def _answers_what_was_asked(context: Context, call: Call) -> bool:
    answers = call.params.get("inputResponses")
    shown = context.session.task_questions.get((call.server, call.params["taskId"]), {})
    return isinstance(answers, dict) and answers.keys() <= shown.keys()


def _answered(
    context: Context, call: Call, handle: str, entry: Entry, reply: dict[str, Any], done: rounds.Delivered
) -> bool:
    """Take a server's answer about a task; False for one that is no result."""
    if "result" not in reply or reply["result"].get("resultType", "complete") != "complete":
        return False
    result = cleaned(reply["result"])
    if isinstance(result.get("result"), dict) and not is_complete(result["result"]):
        done(None, "what the task ended with asks for something")
        return True
    if "taskId" in result:
        if result["taskId"] != call.params["taskId"]:
            done(None, "the server answered about another task")
            return True
        result["taskId"] = handle
    asked = result.get("inputRequests")
    if asked is None:
        done({"result": result}, "")
        return True
    _ask(context, call, entry, result, done)
    return True


def _ask(context: Context, call: Call, entry: Entry, result: dict[str, Any], done: rounds.Delivered) -> None:
    """What a task wants to know: judged once for each key, however often the client polls; all is shown, or nothing."""
    kept = context.session.task_questions
    place = (call.server, call.params["taskId"])
    if len(kept.get(place, {})) >= MAX_KEPT:
        return done(None, "the task asks too much")
    if place not in kept and sum(server == call.server for server, _ in kept) >= MAX_KEPT:
        del kept[next(other for other in kept if other[0] == call.server)]  # what that one asks is judged anew

    def judged(shown: dict[str, dict[str, Any]] | None, why: str) -> None:
        if shown is None:
            return done(None, why)
        kept.setdefault(place, {}).update({key: rounds.question_digest(one) for key, one in shown.items()})
        requests = {key: {**one, "params": shown[key]} for key, one in result["inputRequests"].items()}
        return done({"result": {**result, "inputRequests": requests}}, "")

    return rounds.judge_questions(context, call, entry, result["inputRequests"], judged, kept.get(place, {}))


def cleaned(result: Mapping[str, Any]) -> dict[str, Any]:
    """Without the guard's own keys, also where a task's own result or error stands in it."""
    cleaned = strip_own_result(dict(result))
    if isinstance(cleaned.get("result"), dict):
        cleaned = {**cleaned, "result": strip_own_result(cleaned["result"])}
    if isinstance(cleaned.get("error"), dict):
        cleaned = {**cleaned, "error": plain_error(cleaned["error"])}
    return dict(cleaned)
