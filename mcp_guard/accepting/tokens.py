"""Mandate tokens: what lets somebody use a guard over HTTP, under one mandate and a name, until it ends.

A token is 256 random bits, and only its digest is kept. It carries the mandate's very text of the moment when a person
minted it, beside one policy: an edit of the file doesn't change what the token grants. Like anything that is accepted,
the text is kept under its digest, and which digest counts follows from entries in the record.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from mcp_guard.accepting import texts
from mcp_guard.accepting.local import SESSION
from mcp_guard.errors import InputError
from mcp_guard.record import accepted as table
from mcp_guard.record import fresh, schema
from mcp_guard.record import place as places
from mcp_guard.record.accepted import Acceptance
from mcp_guard.record.acting import acting

PART = "token"
NAME = 12
"""Characters of a token's place that name it to a person."""
BYTES = 32


@dataclass(frozen=True, slots=True)
class Given:
    """What one token stands for. `beside` is the place of the policy that it was minted for."""

    place: str
    principal: str
    file: str
    beside: str
    text: bytes

    @property
    def name(self) -> str:
        """What a person calls it: says nothing of the token."""
        return self.place[:NAME]


def place_of_token(token: str) -> str:
    """Names the token where it may not stand itself. The token is random: nobody finds it by trying."""
    return hashlib.sha256(f"{PART}\n{token}".encode("utf-8", "surrogateescape")).hexdigest()


def mint(directory: Path, beside: str, *, principal: str, file: str, text: bytes, by: str) -> tuple[str, Given]:
    """A new token for a mandate with this text: whoever calls it has seen a person (`presence`).

    Raises InputError for a principal that isn't a name.
    """
    if not 0 < len(principal) <= 200 or not principal.isprintable() or principal != principal.strip():
        raise InputError("a principal is a name of up to 200 visible characters")
    token = secrets.token_urlsafe(BYTES)
    given = Given(place_of_token(token), principal, file, beside, text)
    head = {"token": 1, "principal": principal, "file": file, "beside": beside}
    _write(directory, given, texts.keep(places_ready(directory), json.dumps(head).encode() + b"\n" + text), "", by)
    return token, given


def revoke(directory: Path, name: str, *, by: str) -> Given:
    """End a token, by its name: guards that run let nobody in with it from then on. Raises InputError for no token."""
    found = [one for one in given_out(directory) if name == one.name]
    if len(found) != 1:
        known = ", ".join(f"{one.name} ({one.principal})" for one in given_out(directory)) or "none"
        raise InputError(f"there is no mandate token `{name}`; given out: {known}")
    (one,) = found
    _write(directory, one, "", _counting(directory, one.place) or "", by)
    return one


def given_out(directory: Path) -> tuple[Given, ...]:
    """The tokens that are good now, their mandates' ends aside."""
    if not places.is_there(directory):
        return ()
    connection = schema.patiently(lambda: schema.open_for_reading(directory))
    try:
        found = [_read(directory, place, digest) for (place, _), digest in table.rows(connection).items() if digest]
    finally:
        connection.close()
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (one.principal, one.place)))


def held(connection: sqlite3.Connection, directory: Path, place: str) -> Given | None:
    """What the token with this place stands for now; None if nothing, any more or at all."""
    digest = table.counting(connection, place)
    return _read(directory, place, digest) if digest else None


def _read(directory: Path, place: str, digest: str) -> Given | None:
    data = texts.kept(directory, digest)
    head, newline, text = (data or b"").partition(b"\n")
    if not newline or not head.startswith(b'{"token": 1, '):
        return None
    try:
        said = json.loads(head)
        return Given(place, said["principal"], said["file"], said["beside"], text)
    except (ValueError, KeyError):
        return None


def places_ready(directory: Path) -> Path:
    """The directory, made if it isn't there."""
    fresh.prepare(directory)
    return directory


def _counting(directory: Path, place: str) -> str | None:
    connection = schema.patiently(lambda: schema.open_for_reading(directory))
    try:
        return table.counting(connection, place)
    finally:
        connection.close()


def _write(directory: Path, given: Given, digest: str, expected: str, by: str) -> None:
    one = Acceptance(PART, given.file, given.place, "", digest, table.PERSON, expected)
    with acting(directory, SESSION) as record:
        record.change(lambda moment: table.accept(moment, one, by))
