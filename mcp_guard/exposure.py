"""What a server says beside its tools' answers, and the labels that this gives a session: set before it is passed on.

A call's labels are set when it is admitted, and whatever belongs to it comes after that: its answer, its progress, its
questions. Here is what belongs to no call: log messages, notifications that only a document's extension knows, and the
instructions of a server of which the operator says what they give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_guard.context import Context
from mcp_guard.deliveries import PROMPTS, RESOURCES, TASK, UPDATED
from mcp_guard.eras import SUBSCRIPTION_KEY
from mcp_guard.patience import patiently
from mcp_guard.policy.past import UNKNOWN

_NOTICES = {PROMPTS: "", RESOURCES: "", UPDATED: "uri", TASK: "taskId"}
"""What tells a client of changes, and the member that says which thing changed."""


def heard(context: Context, server: str, why: str, go_on: Callable[[], None]) -> None:
    """The client is about to read a server's own words. What can't be recorded isn't passed on (law 2)."""
    labels = context.guard.authority.says.get(server, UNKNOWN)
    _set(context, server, labels, why, go_on, lambda: None)


def instructed(context: Context, answer: dict[str, Any], go_on: Callable[[], None], failed: Callable[[], None]) -> None:
    """The client is about to read servers' instructions. They give what the operator's `server/*` says, and nothing
    where there is no such entry: like the descriptions of tools they come before any call, the same for everybody.
    """
    result = answer.get("result")
    if not isinstance(result, dict) or not result.get("instructions"):
        return go_on()
    said = context.guard.authority.says
    telling = [one.name for one in context.session.servers if said.get(one.name) and context.guard.knows(one.name)]
    labels = frozenset(label for name in telling for label in said[name])
    return _set(context, ", ".join(telling), labels, "instructions", go_on, failed)


def has_words(method: str, params: dict[str, Any] | None) -> bool:
    """Does a notice of what changed say more than that, and of what? Such words are a server's own as a log's are."""
    about = _NOTICES.get(method)
    if params is None or about is None:
        return False
    meta = params.get("_meta")
    told = params.keys() - {about, "_meta"}
    return bool(told) or (isinstance(meta, dict) and bool(meta.keys() - {SUBSCRIPTION_KEY}))


def _set(
    context: Context,
    server: str,
    labels: frozenset[str],
    why: str,
    go_on: Callable[[], None],
    failed: Callable[[], None],
) -> None:
    if not labels:
        return go_on()

    def step() -> None:
        context.guard.record.exposed(context.session.key, server, labels, why)
        go_on()

    return patiently(step, failed)
