"""Who may come in: one random host for this start, one link that is good for one exchange, and what comes of it.

Cookies are shared by all ports of a host, so another program's page on `localhost` would be sent ours, and could set
it: under a host of its own nobody else is. Knows neither HTTP nor a clock of its own.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

COOKIE = "mcp-guard-console"
LINK_LIFE = 600.0
"""Seconds in which the link has to be opened: whoever finds it later in a terminal's scrollback finds nothing."""
SESSION_LIFE = 12 * 3600.0
"""Seconds after which a browser that was let in isn't any more: a working day."""
_BYTES = 32


def mint() -> str:
    """A secret of 256 bits, in letters that a URL and a cookie take as they are."""
    return secrets.token_urlsafe(_BYTES)


@dataclass(frozen=True, slots=True)
class Visit:
    """One browser that was let in."""

    cookie: str = field(repr=False)
    form: str = field(repr=False)  # goes into each form that changes something, and has to come back with it
    until: float


class Door:
    """The entrance of one console. `clock` gives seconds that don't go back."""

    def __init__(self, port: int, clock: Callable[[], float]) -> None:
        name = f"guard-{secrets.token_hex(8)}.localhost"
        self.host = name if port == 80 else f"{name}:{port}"  # as browsers send it
        self.origin = f"http://{self.host}"
        self._clock = clock
        self._ticket = mint()
        self._ticket_until = clock() + LINK_LIFE
        self._visit: Visit | None = None

    @property
    def link(self) -> str:
        """What a terminal shows. Worth nothing once it was exchanged, or is old."""
        return f"{self.origin}/login/{self._ticket}"

    def knows(self, ticket: str) -> bool:
        """Would this ticket be exchanged now? Looking at the link doesn't use it up: programs look at links, too."""
        good = self._visit is None and self._clock() < self._ticket_until
        return hmac.compare_digest(ticket.encode(), self._ticket.encode()) and good

    def exchange(self, ticket: str) -> Visit | None:
        """Let one browser in, once in the life of this door."""
        if not self.knows(ticket):
            return None
        self._visit = Visit(mint(), mint(), self._clock() + SESSION_LIFE)
        return self._visit

    def visit(self, cookies: list[str]) -> Visit | None:
        """The browser that brings this cookie. Of several of one name nobody knows which one is ours: none counts."""
        visit = self._visit
        if visit is None or len(cookies) != 1 or self._clock() >= visit.until:
            return None
        return visit if hmac.compare_digest(cookies[0].encode(), visit.cookie.encode()) else None

    def leave(self) -> None:
        """Nobody is in any more, and the link doesn't work again: a new start has a new one."""
        if self._visit is not None:
            self._visit = Visit("", "", 0.0)


def set_cookie(visit: Visit) -> str:
    """The header's value. No `Domain`: this host alone; no `Secure`: some browsers drop it on plain loopback."""
    return f"{COOKIE}={visit.cookie}; Path=/; HttpOnly; SameSite=Strict"


def clear_cookie() -> str:
    """The same, to take it back."""
    return f"{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
