"""The one interface between the fronts (stdio, HTTP) and what is above them: a client's conversation.

Raw dicts both ways. A front frames, authenticates and correlates; it never looks into `params`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

Answer = Callable[[dict[str, Any]], None]
"""Called exactly once with `{"result": {...}}` or `{"error": {...}}`, at once or later on the event loop."""
Notify = Callable[[str, "dict[str, Any] | None"], None]
"""Called with the method and the params of a notification."""
Cancel = Callable[["str | None"], None]
"""Nobody waits any more, and why, if that may be said. Calling it again, or after the answer, does nothing."""
Ask = Callable[[str, "dict[str, Any] | None", Answer], Cancel]
"""Makes a request of the client. The answer comes at most once, at once or later, and none after the cancellation."""
Asked = Callable[[str, "dict[str, Any] | None", Answer, "int | None"], Cancel]
"""Takes a request that a server makes: method, params, where its answer goes, and which request of ours it belongs to
(what the link's `request` returned), where the link can tell. The link calls what it returns when the server cancels
its request, or ends."""

TRACE: ContextVar[str] = ContextVar("TRACE", default="")
"""The `traceparent` header of the HTTP request that a front is handing over, if it has one: for telemetry alone."""


class Exchange(Protocol):
    """One request that is under way."""

    def cancel(self, reason: str | None = None) -> None:
        """The client gave up. After this no answer comes."""


class Conversation(Protocol):
    """One client's state, from its first message to its last."""

    def request(
        self,
        method: str,
        params: dict[str, Any] | None,
        *,
        id: int | str,
        answer: Answer,
        notify: Notify,
        ask: Ask | None = None,
    ) -> Exchange:
        """Carry one request. `notify` takes what belongs to it (progress, log messages), never after `answer`; `ask`
        what a server asks the client meanwhile, if that has a way of its own.
        """

    def notification(self, method: str, params: dict[str, Any] | None) -> None:
        """Take one notification of the client, except `notifications/cancelled`, which is `Exchange.cancel`."""

    def refused(self, why: str) -> None:
        """The front refused bytes of this client before they became a message; it goes into the record."""

    def pause(self, paused: bool) -> None:
        """The client takes nothing more at the moment, or does again: hold the servers back."""

    def close(self) -> None:
        """The client is gone: what is in flight is cancelled, its servers end."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who sent a request, as its token tells: a principal, and the mandate token that it came with, if it did."""

    principal: str
    grant: str = ""  # names the mandate token; empty for the guard's own token


class Conversations(Protocol):
    """Opens conversations; a front has one."""

    def open(self, *, principal: str, notify: Notify, ask: Ask | None = None, grant: str = "") -> Conversation:
        """A new client; `grant` names the mandate token that it came with. `notify` takes notifications that
        belong to no request (`list_changed`), `ask` such requests; None: this client can't be asked anything.
        """
