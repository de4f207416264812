"""Headers against the body: what repeats or contradicts is refused; and which of them go on to the SDK.

Decisions are made on the body alone. But what stands between client and guard may route or log by the headers, and
then would have seen another call than the one that happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.shared.inbound import NAME_BEARING_METHODS, decode_header_value
from mcp_types import HEADER_MISMATCH, PROTOCOL_VERSION_META_KEY
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from mcp_guard.errors import Malformed
from mcp_guard.transports.http_access import Headers, values

SESSION = b"mcp-session-id"
LAST_EVENT = b"last-event-id"
RESUMABLE = "2025-11-25"
"""The one revision in which a stream begins with an id, before there is anything to lose."""
_VERSION, _METHOD, _NAME = b"mcp-protocol-version", b"mcp-method", b"mcp-name"
_SINGLE = frozenset({SESSION, LAST_EVENT, _VERSION, _METHOD, _NAME, b"content-type", b"content-length"})
"""Headers that a reader of the first copy and a reader of the last could take differently."""
_ONWARD = frozenset({b"accept", b"content-type", b"host", b"traceparent"})
"""What the SDK gets beside `mcp-*`; and `last-event-id`, where that names something that is kept."""


def check_headers(headers: Headers, message: Mapping[str, Any]) -> None:
    """Raise `Malformed` when headers repeat, or say something else than `message`.

    That a modern request has these headers at all, and that a legacy one belongs to a session, is for the SDK to check.
    """
    request_id = message.get("id") if "method" in message else None
    check_single(headers, request_id)
    method = message.get("method")
    params = message.get("params") or {}
    meta = params.get("_meta")
    expected: dict[bytes, Any] = {}
    if method is not None:
        expected[_METHOD] = method
    if isinstance(method, str) and method in NAME_BEARING_METHODS:
        expected[_NAME] = params.get(NAME_BEARING_METHODS[method])
    for name, value in expected.items():
        sent = values(headers, name)
        if sent and decode_header_value(sent[0].decode("latin-1")) != value:
            raise _mismatch(name, request_id)
    # A modern envelope is only taken on the modern path, so that nobody downstream can mistake the era.
    if isinstance(meta, Mapping) and PROTOCOL_VERSION_META_KEY in meta:
        sent = values(headers, _VERSION)
        if not sent or sent[0].decode("latin-1") != meta[PROTOCOL_VERSION_META_KEY]:
            raise _mismatch(_VERSION, request_id)


def check_single(headers: Headers, request_id: int | str | None) -> None:
    seen = set[bytes]()
    for name, _ in headers:
        if name in seen:
            raise Malformed(f"the {name.decode()} header appears twice", code=HEADER_MISMATCH, id=request_id)
        if name in _SINGLE:
            seen.add(name)


def _mismatch(name: bytes, request_id: int | str | None) -> Malformed:
    message = f"the {name.decode()} header doesn't match the body"
    return Malformed(message, code=HEADER_MISMATCH, id=request_id)


def session_of(headers: Headers) -> str | None:
    sent = values(headers, SESSION)
    return sent[0].decode("latin-1") if sent else None


def last_event_of(headers: Headers) -> str | None:
    """The last event that a client has seen of a stream, which it wants the rest of."""
    sent = values(headers, LAST_EVENT)
    return sent[0].decode("latin-1") if sent else None


def is_resumable(headers: Headers) -> bool:
    """Was this client given an id on its stream at once, by which it can come back? Older ones can't read it."""
    return [value.decode("latin-1") for value in values(headers, _VERSION)] == [RESUMABLE]


def is_legacy(headers: Headers) -> bool:
    """Which of its two paths the SDK takes: it goes by this header alone."""
    sent = values(headers, _VERSION)
    return not sent or sent[0].decode("latin-1") in HANDSHAKE_PROTOCOL_VERSIONS


def onward(headers: Headers, body: bytes, *, resuming: bool = False) -> list[tuple[bytes, bytes]]:
    """What the SDK gets of the headers of a request that now has this body: never the client's token or cookies."""
    names = _ONWARD | {LAST_EVENT} if resuming else _ONWARD
    kept = [(name, value) for name, value in headers if name in names or name.startswith(b"mcp-")]
    return [*kept, (b"content-length", b"%d" % len(body))]
