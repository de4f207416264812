"""What the pages share: whose record it is, who answers, what a page and an act are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp_guard import presence
from mcp_guard.console.forms import Form
from mcp_guard.errors import InputError
from mcp_guard.record import place
from mcp_guard.record.query import Query, open_for_reading


@dataclass(frozen=True, slots=True)
class Room:
    """One console: the state directory that it shows, and the person whom the record names for its acts."""

    directory: Path
    by: str

    @contextmanager
    def record(self) -> Iterator[Query | None]:
        """The record, to be looked at; None where nothing is recorded yet."""
        if not place.is_there(self.directory):
            yield None
            return
        with open_for_reading(self.directory) as query:
            yield query

    def require_person(self, form: Form) -> None:
        """Return if the form has the PIN. Raises GuardError; every wrong one counts, whoever sent it."""
        if not self.has_pin:
            raise InputError("set a PIN first, in a terminal: `mcp-guard pin set`")
        presence.check(self.directory, form.one("pin"))

    @property
    def has_pin(self) -> bool:
        """Is there a PIN at all? It is set in a terminal, never here."""
        return presence.is_set(self.directory)


@dataclass(frozen=True, slots=True)
class Page:
    """A template and what is put into it."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a page: what its address says, and its query."""

    path: Mapping[str, str]
    query: Mapping[str, str]


Show = Callable[[Room, Asked], Page]
"""Makes a page. Raises GuardError with what to say instead."""
Act = Callable[[Room, Mapping[str, str], Form], str]
"""Does what a form asks, by the values in its address; the address to go to then. Raises GuardError."""


def now() -> datetime:
    """The moment at which a page is made."""
    return datetime.now(UTC)
