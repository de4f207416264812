"""What a client is told of tasks that it listens to (`taskIds` of `subscriptions/listen`), instead of polling.

A notice is what `tasks/get` would have said, so it is held to the same: judged when it is asked for and again when it
goes out, by the extension's grant and by that of the tool that began the task. What a task wants to know isn't in it:
questions are judged where a client polls, and its status says that there are some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_guard.answers import is_complete
from mcp_guard.context import Context
from mcp_guard.downstream import Downstream
from mcp_guard.handles import Opened
from mcp_guard.model import Call, Kind
from mcp_guard.offers import TASKS, may_extend
from mcp_guard.task_handles import opened
from mcp_guard.tasks import cleaned, tool_is_granted


@dataclass(frozen=True, slots=True)
class Heard:
    """One task that a client listens to: the handle that it holds, and what the server calls it."""

    handle: str
    server: Downstream
    opened: Opened

    @property
    def own(self) -> str:
        return str(self.opened.inner["task"])

    def granted(self, context: Context) -> bool:
        """Would `tasks/get` say anything of it now? Not while its session, its server or an effect is stopped."""
        if context.is_held(call(context, self)):
            return False
        return may_extend(context, self.server.name, TASKS) and tool_is_granted(context, self.server, self.opened)


def found(context: Context, handle: str) -> Heard | None:
    """The task that a client means; None for one that isn't its own, or isn't granted any more."""
    place = opened(context, handle)
    if place is None:
        return None
    heard = Heard(handle, *place)
    return heard if heard.granted(context) else None


def call(context: Context, heard: Heard) -> Call:
    """The wish to be told, as it is judged: the use of the extension, like polling."""
    params = {"notifications": {"taskIds": [heard.own]}}
    return Call(context.session.principal, "subscriptions/listen", heard.server.name, TASKS, params, Kind.EXTENSION)


def shown(heard: Heard, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """A notice as the client sees it; None for one that asks for something in what the task ended with."""
    said = cleaned(params)
    if isinstance(said.get("result"), dict) and not is_complete(said["result"]):
        return None
    if any(name.casefold() == "inputrequests" for name in said):
        said = {name: value for name, value in said.items() if name.casefold() != "inputrequests"}
    return {**said, "taskId": heard.handle}
