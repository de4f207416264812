"""What a client gets instead of a result: text for the model and a decision for programs (law 6).

Core. A refusal says which rule, why, and what is permitted. It never says what a deny looks like, where an ask begins,
what is left of a budget, or anything of files and commands.
"""

from __future__ import annotations

from typing import Any

from mcp_guard.eras import OWN_META_PREFIX, Era
from mcp_guard.model import Decision, Effect, Reason
from mcp_guard.wire import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND

DECISION_KEY = f"{OWN_META_PREFIX}decision"
REFUSED = -32011
"""The code of an error that is a decision, where a result can't carry one (`resources/read`, `prompts/get`)."""

_TEXT = {
    Reason.NO_AUTHORITY: "nothing is granted in this session.",
    Reason.NO_GRANT: "no grant covers this call.",
    Reason.DENIED: "a rule denies this call.",
    Reason.NEEDS_APPROVAL: "this call needs a person's approval, and there is nobody to ask.",
    Reason.NOT_APPROVED: "a person was asked, or would be, and did not approve this call.",
    Reason.STOPPED: "this is stopped until a person lets it go on; nothing was sent.",
    Reason.EXPIRED: "the grant for this call has expired.",
    Reason.BUDGET_SPENT: "the budget of the grant for this call is used up.",
    Reason.INVALID_ARGUMENTS: "the arguments do not fit the tool's schema.",
    Reason.NOT_CANONICAL: "a path, host or address is not written in its plain form.",
    Reason.PROTECTED: "the call names something that belongs to the guard itself.",
    Reason.UNEXPECTED_MEMBER: "the request has members that nothing allows.",
    Reason.UNKNOWN_HANDLE: "its state is missing, was not given out for this call, was used before, or is too old.",
    Reason.TOO_MANY: "too much is under way at once.",
    Reason.UNRECORDED: "the decision could not be recorded, so the call was not made.",
    Reason.UNAVAILABLE: "the tool server is not available at the moment; nothing was sent.",
    Reason.HISTORY: "what this session has read or done so far closes the grant for this call.",
    Reason.NO_MANDATE: "nothing is granted without a mandate for a task, and this session has none.",
    Reason.TOO_OFTEN: "the grant for this call has been used as much as it may be for now.",
    Reason.SCANNED: "a scanner that a person set up spoke against this call.",
    Reason.INTERNAL: "the guard could not judge this call, so it was not made.",
}
_RETRY = {
    Reason.UNAVAILABLE: "The same call may work in a while.",
    Reason.UNKNOWN_HANDLE: "Begin the call anew, without it.",
    Reason.TOO_MANY: "The same call may work in a while.",
    Reason.TOO_OFTEN: "The same call may be permitted later.",
    Reason.UNRECORDED: "The same call may work once the person has made room for the record.",
    Reason.HISTORY: "It stays so in this session, unless the grant names a call that has to come first.",
    Reason.INVALID_ARGUMENTS: "A call whose arguments fit the schema may be permitted.",
    Reason.NOT_CANONICAL: "Write it without `..`, doubled separators, encodings or look-alike letters.",
}
_PENDING = (
    "A person has been asked to approve this very call and has not answered yet. Nothing was sent. "
    "Once they approve, the identical call succeeds, one time; do something else meanwhile, or tell them."
)
_FINAL = "Repeating the call will not change this."


def reason_text(reason: Reason) -> str:
    """A reason as a sentence."""
    return _TEXT.get(reason, "this call is not permitted.")


def refusal_text(decision: Decision, detail: str = "") -> str:
    """What the model reads: the boundary, and the permitted next step."""
    reason = decision.reason or Reason.INTERNAL
    parts = [f"Refused by policy: {reason_text(reason)}"]
    if detail:
        parts.append(f"{detail[0].upper()}{detail[1:]}.")
    parts.extend(decision.advice)
    if decision.permitted:
        parts.append("Permitted: " + "; ".join(decision.permitted) + ".")
    parts.append(_RETRY.get(reason, _FINAL))
    return " ".join(parts)


def decision_meta(decision: Decision, entry: str | None) -> dict[str, Any]:
    """The decision as `_meta` carries it. `entry` is the record's id of it, which `mcp-guard explain` takes."""
    meta: dict[str, Any] = {
        "entry": entry,
        "kind": "denied",
        "effect": "ask" if decision.effect is Effect.ASK else "deny",
        "rule": decision.rules[0].shown if decision.rules else None,
        "reason": (decision.reason or Reason.INTERNAL).value,
        "advice": " ".join(decision.advice) or None,
    }
    if decision.permitted:
        meta["permitted"] = list(decision.permitted)
    return {DECISION_KEY: meta}


def pending_text(decision: Decision) -> str:
    """What the model reads while a person is being asked."""
    return " ".join([_PENDING, *decision.advice])


def waiting(answer: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """A refusal made into one of kind `pending`: a person is being asked, and repeating it is not pointless."""
    holder = answer.get("result") or answer["error"]
    meta = holder.get("_meta") or holder["data"]
    meta[DECISION_KEY]["kind"] = "pending"
    if "result" in answer:
        holder["content"] = [{"type": "text", "text": pending_text(decision)}]
    else:
        holder["message"] = pending_text(decision)
    return answer


def refused_call(decision: Decision, entry: str | None, era: Era | None, detail: str = "") -> dict[str, Any]:
    """A refused `tools/call`: a normal result with `isError`, since an error would look like a crash to a client.

    But for a state that isn't the guard's: that is no call to judge, and the protocol has an error for it.
    """
    if decision.reason is Reason.UNKNOWN_HANDLE:
        return refused_request(decision, entry)
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": refusal_text(decision, detail)}],
        "isError": True,
        "_meta": decision_meta(decision, entry),
    }
    if era is Era.MODERN:
        result["resultType"] = "complete"
    return {"result": result}


def refused_request(decision: Decision, entry: str | None) -> dict[str, Any]:
    """A refused request of another method: a JSON-RPC error with the decision in `data`."""
    # A server "MUST reject state that fails verification" (2026-07-28, multi round-trip requests).
    code = INVALID_PARAMS if decision.reason is Reason.UNKNOWN_HANDLE else REFUSED
    return {
        "error": {"code": code, "message": refusal_text(decision), "data": decision_meta(decision, entry)},
    }


def refused_asking(reason: Reason) -> dict[str, Any]:
    """What a server hears that asked the client in vain: neither rule nor limit, which are not its business."""
    late = {Reason.TOO_MANY: "too much is asked at once", Reason.UNAVAILABLE: "no answer came in time"}
    return {"error": {"code": REFUSED, "message": f"The client is not asked: {late.get(reason, 'it is not granted')}."}}


def unknown_tool(name: object) -> dict[str, Any]:
    """One answer for a tool that doesn't exist and one that is hidden: the client can't tell them apart."""
    shown = name[:128] if isinstance(name, str) else ""
    return {"error": {"code": INVALID_PARAMS, "message": f"Unknown tool: {shown}"}}


def unknown_prompt(name: object) -> dict[str, Any]:
    """As `unknown_tool`, for prompts."""
    shown = name[:128] if isinstance(name, str) else ""
    return {"error": {"code": INVALID_PARAMS, "message": f"Unknown prompt: {shown}"}}


def unknown_resource(uri: object) -> dict[str, Any]:
    """As `unknown_tool`, for resources."""
    shown = uri[:512] if isinstance(uri, str) else ""
    return {"error": {"code": INVALID_PARAMS, "message": f"Resource not found: {shown}"}}


def unknown_method() -> dict[str, Any]:
    """A method that the guard doesn't know, or that the revision doesn't have."""
    return {"error": {"code": METHOD_NOT_FOUND, "message": "Method not found"}}


def invalid_request(message: str) -> dict[str, Any]:
    """A request that can't be taken as it is."""
    return {"error": {"code": INVALID_REQUEST, "message": message}}


def invalid_params(message: str) -> dict[str, Any]:
    """`params` that the method doesn't have."""
    return {"error": {"code": INVALID_PARAMS, "message": message}}


def internal_error() -> dict[str, Any]:
    """An error in the guard, in fixed words: the text of an exception may carry a secret."""
    return {"error": {"code": INTERNAL_ERROR, "message": "The guard could not handle this request; nothing was sent."}}


def withheld(entry: str | None, why: str, era: Era | None, *, held: bool = False) -> dict[str, Any]:
    """A call that was sent and whose answer isn't passed on. It may have happened, and it is not to be repeated; unless
    the answer is `held` for a person, so that a repetition gets it.
    """
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": _withheld_text(why, held)}],
        "isError": True,
        "_meta": _withheld_meta(entry),
    }
    if era is Era.MODERN:
        result["resultType"] = "complete"
    return {"result": result}


def withheld_request(entry: str | None, why: str, *, held: bool = False) -> dict[str, Any]:
    """As `withheld`, for a request of another method, whose result has no place for it."""
    return {"error": {"code": REFUSED, "message": _withheld_text(why, held), "data": _withheld_meta(entry)}}


def _withheld_text(why: str, held: bool) -> str:
    if held:
        return f"The call was made, and its answer is withheld: {why}. Until then, do not repeat it."
    return f"The call was made, and its answer is withheld: {why}. Do not repeat it: it may have taken effect."


def _withheld_meta(entry: str | None) -> dict[str, Any]:
    meta = {"entry": entry, "kind": "withheld", "effect": "allow", "rule": None, "reason": "withheld", "advice": None}
    return {DECISION_KEY: meta}


def unknown_outcome(entry: str | None, why: str) -> dict[str, Any]:
    """A call that was sent and never answered: it may have happened, and the guard doesn't send it again."""
    meta = {"entry": entry, "kind": "unknown", "effect": "allow", "rule": None, "reason": "unknown", "advice": None}
    return {
        "error": {
            "code": REFUSED,
            "message": f"{why} The call may have taken effect.",
            "data": {DECISION_KEY: meta},
        }
    }
