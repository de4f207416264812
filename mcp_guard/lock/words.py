"""A drift in words, for a person who decides whether it is what they meant.

Core. Names and texts are somebody else's, so whatever isn't printable is shown as its code (`dumped`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcp_guard.lock.blocks import dumped
from mcp_guard.lock.drift import Change, Sort
from mcp_guard.lock.pins import Pin, PinKind
from mcp_guard.lock.servers import Lock
from mcp_guard.model import Json

MAX_TEXT_LINES = 12


def why_withheld(change: Change, *, since: str) -> str:
    """Why a thing isn't shown, for the record and `check`. `since`: `locked` or `first seen`."""
    match change.sort:
        case Sort.CHANGED:
            parts = ", ".join(change.parts) or "something in it"
            wider = f"; looser: {', '.join(change.looser)}" if change.looser else ""
            return f"it changed since it was {since} ({parts}{wider})"
        case Sort.MOVED:
            return f"it isn't in the lock, and is what `{change.like}` was"
        case Sort.SHADOWS:
            return f"it isn't in the lock, and takes the name of `{change.like}`"
        case _:
            return "it isn't in the lock"


def in_words(changes: Iterable[Change], old: Lock, new: Lock) -> Iterator[str]:
    """Every change with what it was and is, line by line: `+` what came, `-` what went."""
    server = None
    for change in changes:
        if change.server != server:
            server = change.server
            yield server
        yield f"  {headline(change)}"
        yield from (f"      looser: {one}" for one in change.looser)
        if change.kind is not None:
            before = old.servers[server].pins.get((change.kind, change.name)) if server in old.servers else None
            after = new.servers[server].pins.get((change.kind, change.name)) if server in new.servers else None
            yield from (f"    {line}" for line in _differences(before, after))


def headline(change: Change) -> str:
    """One line: what, and what happened to it."""
    what = f"{change.kind} {_shown(change.name)}" if change.kind is not None else ", ".join(change.parts)
    match change.sort:
        case Sort.ADDED:
            return f"+ {what}: new"
        case Sort.REMOVED:
            return f"- {what}: gone"
        case Sort.MOVED:
            return f"+ {what}: new, and it is what {_shown(change.like)} was"
        case Sort.SHADOWS:
            return f"+ {what}: new, and it takes the name of {_shown(change.like)}"
        case Sort.CHANGED:
            if change.kind is None:
                told = (
                    f": was {_shown(change.was)}, is {_shown(change.now)}" if change.was or change.now else " changed"
                )
                return f"~ {what}{told}"
            return f"~ {what}: changed in {', '.join(change.parts) or 'something'}"


def signature(pin: Pin) -> str:
    """`path, head?`: what a tool takes."""
    seen = pin.seen or {}
    arguments, required = seen.get("arguments") or {}, seen.get("required") or []
    return ", ".join(_shown(name) + ("" if name in required else "?") for name in arguments)


def _differences(old: Pin | None, new: Pin | None) -> Iterator[str]:
    before, after = (dict(pin.seen or {}) if pin is not None else {} for pin in (old, new))
    if old is None and new is not None and new.kind is PinKind.TOOL:
        yield f"  takes ({signature(new)})"
    for part in ("title", "description"):
        yield from _lines(before.get(part) or [], after.get(part) or [])
    if old is None or new is None:
        return
    for part in ("annotations", "required", "schema"):
        yield from _value(part, before.get(part), after.get(part))
    arguments = [dict(one.get("arguments") or {}) for one in (before, after)]
    for name in sorted(arguments[0].keys() | arguments[1].keys()):
        yield from _value(f"argument {_shown(name)}", arguments[0].get(name), arguments[1].get(name))


def _lines(old: list[str], new: list[str]) -> Iterator[str]:
    gone, come = [one for one in old if one not in new], [one for one in new if one not in old]
    for sign, lines in (("-", gone), ("+", come)):
        yield from (f"{sign} {_shown(line)}" for line in lines[:MAX_TEXT_LINES])
        if len(lines) > MAX_TEXT_LINES:
            yield f"{sign} … {len(lines) - MAX_TEXT_LINES} more lines"


def _value(part: str, old: Json, new: Json) -> Iterator[str]:
    if old == new:
        return
    if old is not None:
        yield f"- {part}: {dumped(old)}"
    if new is not None:
        yield f"+ {part}: {dumped(new)}"


def _shown(text: str) -> str:
    """The text without quotes, with codes for what can't be seen."""
    return dumped(text)[1:-1]
