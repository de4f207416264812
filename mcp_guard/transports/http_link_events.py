"""Bytes of an event stream (`text/event-stream`) into events, each bounded, in time linear in the bytes.

As the WHATWG HTML standard parses it ("Parsing an event stream"), with one difference: what is too long ends the stream
instead of being kept. Knows nothing of JSON and of HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_EVENT_ID = 1024
"""Characters of an event's id that the guard would send back to resume a stream; a longer one isn't kept."""


class TooLong(Exception):
    """A line or an event of more bytes than are allowed."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `type` is empty for an ordinary message."""

    data: bytes
    type: bytes = b""


class EventReader:
    """Feeds on chunks of any size.

    `last_id` is what resumes the stream after the last event that was given out, None if nothing can; `retry` is how
    many seconds the server asks to wait before that, None if it didn't say.
    """

    def __init__(self, limit: int) -> None:
        self.last_id: str | None = None
        self.retry: float | None = None
        self._limit = limit
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._type = b""
        self._id: str | None = None
        self._after_cr = False
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that are complete with this chunk. Raises `TooLong`; nothing can be read after that."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if not chunk:
            return
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            if self._line:
                self._line += line
                line = bytes(self._line)
                self._line = bytearray()
            if len(line) > self._limit:
                raise TooLong
            event = self._take(line)
            if event is not None:
                yield event
        self._line += rest
        if len(self._line) > self._limit:
            raise TooLong

    def _take(self, line: bytes) -> Event | None:
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._size += len(value) + 1
                if self._size > self._limit:
                    raise TooLong
                self._data.append(value)
            case b"event":
                self._type = value
            case b"id" if b"\0" not in value:
                self._id = _plain(value)
            case b"retry" if value.isdigit() and len(value) < 10:
                self.retry = int(value) / 1000
            case _:  # a comment, or a field that the standard says to ignore
                pass
        return None

    def _dispatch(self) -> Event | None:
        self.last_id = self._id
        data, kind = self._data, self._type
        self._data, self._size, self._type = [], 0, b""
        return Event(b"\n".join(data), kind) if data else None


def _plain(value: bytes) -> str | None:
    """An id that can stand in a header as it is; others can't resume anything."""
    if (
        not value
        or len(value) > MAX_EVENT_ID
        or not all(0x20 <= byte < 0x7F for byte in value)
        or value != value.strip()
    ):
        return None
    return value.decode("ascii")
