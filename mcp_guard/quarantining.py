"""Answers that a person has to release first: held when they come, given out when the same call is made again.

The outcome's entry has the keyed digest of what is held, and the entry that releases it has the same. A repetition is
judged, charged and recorded like any call; then nothing is sent, the charge goes back, and it gets the answer that is
kept, once, under what the documents want done to it by then.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from mcp_guard import log
from mcp_guard.context import Context
from mcp_guard.model import Call
from mcp_guard.policy.approved import without_progress
from mcp_guard.record.entries import Entry, EntryKind
from mcp_guard.record.quarantine import Held
from mcp_guard.wire import keyed_digest, serialize

_WAITS = "a person has to release it first; then the same call, made again, gets it and isn't carried out anew"
_LOST = "a person would have to release it, and it could not be kept"


def held_why(kept: bool) -> str:
    """What the client is told."""
    return _WAITS if kept else _LOST


def hold(context: Context, call: Call, entry: Entry, answer: dict[str, Any]) -> str:
    """Keep an answer for a person: the keyed digest of its content; empty if it can't be kept, so that it is gone."""
    try:
        content = serialize(answer)
        key = context.guard.record.key
        digest = content_digest(key, content)
        held = Held(entry.id, entry.time, call_key(key, call), call.name, digest, None, content)
        return digest if context.guard.quarantine.hold(held) else ""
    except Exception as error:
        log.warning("an answer could not be held for a person", error=type(error).__name__)
        return ""


def released(context: Context, call: Call) -> tuple[str, dict[str, Any]] | None:
    """The entry and the answer of an earlier call like this one that a person released; None if there is none.

    The record has to say so, of these very bytes: a line in the file alone releases nothing.
    """
    guard = context.guard
    try:
        held = guard.quarantine.released(call_key(guard.record.key, call), guard.now())
        if held is None or held.released is None:
            return None
        said = guard.record.noted(held.released)
        digest = content_digest(guard.record.key, held.content)
        if (
            said is None
            or said.get("kind") != EntryKind.RELEASED.value
            or not _is_about(said["data"], held.entry, digest)
        ):
            log.warning("a held answer isn't what a person released; it stays held", entry=held.entry)
            return None
        return held.entry, json.loads(held.content)
    except Exception as error:
        log.warning("held answers could not be looked at", error=type(error).__name__)
        return None


def _is_about(data: Any, entry: str, digest: str) -> bool:
    return data.get("entry") == entry and hmac.compare_digest(str(data.get("digest")), digest)


def is_kept(context: Context, entry: str) -> bool:
    """Is it there still? Another repetition may have got it meanwhile."""
    try:
        return context.guard.quarantine.has(entry)
    except Exception as error:
        log.warning("held answers could not be looked at", error=type(error).__name__)
        return False


def given(context: Context, entry: str) -> None:
    """It was given out, so it isn't kept any more."""
    try:
        context.guard.quarantine.drop(entry)
    except Exception as error:
        log.warning("a released answer could not be dropped", entry=entry, error=type(error).__name__)


def call_key(key: bytes, call: Call) -> str:
    """Tells one call from another: who, where, and all of `params` but `_meta`, which says nothing of what is done."""
    params = {name: value for name, value in without_progress(call.params).items() if name != "_meta"}
    same = {"principal": call.principal, "method": call.method, "server": call.server, "params": params}
    return keyed_digest(key, {**same, "target": call.target})


def content_digest(key: bytes, content: bytes) -> str:
    """Keyed, so that the record doesn't let a short content be guessed."""
    return hmac.new(key, content, hashlib.sha256).hexdigest()
