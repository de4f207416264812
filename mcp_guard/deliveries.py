"""What a client is told unasked: once for all that a moment brings, and judged when it goes out, not when it came in.

A server may say a thousand times a second that its list changed; a client that hears it asks for the list again. So
what says the same waits a moment and goes out once, in the order in which it first came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp_guard import log
from mcp_guard.wire import serialize

AFTER = 0.05
"""Seconds that a change waits for others like it."""
LONGEST = 5.0
"""Seconds between two tellings that a list changed, for a list that changes all the time: a client that hears it asks
all servers for theirs again. The wait doubles from telling to telling, and is short again after a quiet while."""
MAX_DUE = 1000
"""Different things that may wait; what comes beyond is left out, as no server needs to tell so much in a moment."""
MAX_TOLD = 64 << 10
"""Bytes of one of them: a thousand of a message's full length would fill the memory before they may go out."""
TOOLS = "notifications/tools/list_changed"
PROMPTS = "notifications/prompts/list_changed"
RESOURCES = "notifications/resources/list_changed"
UPDATED = "notifications/resources/updated"
TASK = "notifications/tasks"
ABOUT_ONE = {UPDATED: "uri", TASK: "taskId"}
"""What is about one thing of one server, and the member that says which. The others say that a list changed."""
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
FLAGS = {"toolsListChanged": TOOLS, "promptsListChanged": PROMPTS, "resourcesListChanged": RESOURCES}
"""What a client of the modern era asks to be told, and how it is told."""

Tell = Callable[[str, str, "dict[str, Any] | None"], None]
"""Judges what is due and tells the client: method, the server that said it, params."""


class Deliveries:
    """One way to one client. Nothing goes out before `open`, or after `close`."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._due: dict[tuple[str, str, str], dict[str, Any] | None] = {}
        self._paces: dict[str, _Pace] = {}  # by method, of those that say that a list changed
        self._timer: asyncio.TimerHandle | None = None
        self._open = False
        self._closed = False

    def put(self, method: str, server: str, params: dict[str, Any] | None) -> None:
        """Have it told in a moment. Of what says the same, the latest counts."""
        if params is not None and len(serialize(params)) > MAX_TOLD:
            return log.warning("a server's notice is too long to be told", server=server, method=method)
        name = ABOUT_ONE.get(method)
        key = (method, server if name else "", str((params or {}).get(name)) if name else "")
        if self._closed or (key not in self._due and len(self._due) >= MAX_DUE):
            return None
        self._due[key] = params
        return self._arm()

    def open(self) -> None:
        """From here on the client may be told."""
        self._open = True
        if self._due:
            self._arm()

    def close(self) -> None:
        """Nothing more goes out."""
        self._closed = True
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._open and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(AFTER, self._flush)

    def _may_be_told(self, method: str, now: float) -> bool:
        return method in ABOUT_ONE or self._paces.setdefault(method, _Pace()).take(now)

    def _flush(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        due, self._due = self._due, {}
        for key, params in due.items():
            method, server, _ = key
            if self._closed:
                return
            if not self._may_be_told(method, now):
                self._due[key] = params
                self._arm()
                continue
            try:
                self._tell(method, server, params)
            except Exception as error:  # a timer's exception reaches nobody; what can't be judged isn't told
                log.warning("a client could not be told of a change", error=type(error).__name__)


@dataclass(slots=True)
class _Pace:
    """How often one thing is told that goes on being so."""

    wait: float = AFTER
    told: float = float("-inf")

    def take(self, now: float) -> bool:
        """May it be told now? Then it was."""
        since = now - self.told
        if since < self.wait:
            return False
        self.wait = min(LONGEST, self.wait * 2) if since < self.wait * 2 + AFTER else AFTER
        self.told = now
        return True
