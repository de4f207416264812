"""Whether what a server lists is what a person looked at: by `guard.lock`, or without one by first sight.

Edge: it reads and writes the record. It says what is withheld; `listing.py` and `lifecycle.py` do so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from mcp_guard.catalog import Withheld
from mcp_guard.guard import Guard
from mcp_guard.inspection.scan.names import Named as Tool
from mcp_guard.lock.drift import Change, Likes, Sort, judge_pin
from mcp_guard.lock.pins import Pin, PinKind, name_of, pin_of, whole_digest
from mcp_guard.lock.servers import Lock
from mcp_guard.lock.words import why_withheld
from mcp_guard.record.entries import bounded_text
from mcp_guard.server_spec import ServerSpec, identity
from mcp_guard.wire import digest

INSTRUCTIONS = "(instructions)"
"""What stands for a server's instructions among the names of what is withheld: no tool can have such a name."""
Named = list[tuple[str, Mapping[str, Any]]]
SERVER = "server"
"""The code of what is withheld since its whole server isn't the one that was locked."""


def held(guard: Guard, spec: ServerSpec, kind: PinKind, listed: Iterable[Any]) -> tuple[Withheld, ...]:
    """Those of a listing that aren't shown. May raise RecordBusy or RecordFailed: then nothing may be shown."""
    named = [(name, one) for one in listed if (name := name_of(kind, one))]
    if guard.lock is not None:
        return tuple(_locked(guard, guard.lock, spec, kind, named))
    return tuple(_first_seen(guard, spec, kind, named))


def names_known(guard: Guard, spec: ServerSpec, listed: Iterable[str]) -> frozenset[str]:
    """The tools that a pattern in a grant reaches: those of the lock, else those of first sight."""
    if guard.lock is None:
        return guard.record.first_sight(identity(spec, guard.record.key), listed)
    pins = guard.lock.servers[spec.name].pins if spec.name in guard.lock.servers else {}
    return frozenset(name for kind, name in pins if kind is PinKind.TOOL)


def names_seen(guard: Guard, specs: Iterable[ServerSpec]) -> Iterable[Tool]:
    """The tools of these servers that were locked or seen first: their names before anything is listed."""
    tool = _key(PinKind.TOOL, "")
    for spec in specs:
        if guard.lock is None:
            keys = guard.record.pins(identity(spec, guard.record.key))
            yield from (Tool(spec.name, key.removeprefix(tool)) for key in keys if key.startswith(tool))
        elif (pinned := guard.lock.servers.get(spec.name)) is not None:
            yield from (Tool(spec.name, name) for kind, name in pinned.pins if kind is PinKind.TOOL)


def instructions_held(guard: Guard, spec: ServerSpec, text: object) -> Withheld | None:
    """Are a server's instructions others than they were? None if they may be passed on. May raise as `held`."""
    said = text if isinstance(text, str) else ""
    now = digest(said) if said else ""
    if guard.lock is not None:
        pinned = guard.lock.servers.get(spec.name)
        if (why := guard.unlike.get(spec.name)) or pinned is None:
            return Withheld(spec.name, INSTRUCTIONS, why or "its server isn't in the lock", SERVER) if said else None
        was, since = pinned.instructions, "locked"
    else:
        was = guard.record.first_pins(identity(spec, guard.record.key), {INSTRUCTIONS: now}).get(INSTRUCTIONS, "?")
        since = "first seen"
    if now == was or not said:
        return None
    return Withheld(spec.name, INSTRUCTIONS, f"they changed since they were {since}", Sort.CHANGED)


def first_seen_as(kind: PinKind, listed: Iterable[Any]) -> dict[str, str]:
    """A listing as the record keeps it."""
    named = [(name, one) for one in listed if (name := name_of(kind, one)) and _keepable(_key(kind, name))]
    return {_key(kind, name): _packed(pin_of(kind, one)) for name, one in named}


def _locked(guard: Guard, lock: Lock, spec: ServerSpec, kind: PinKind, named: Named) -> Iterable[Withheld]:
    server = lock.servers.get(spec.name)
    why = guard.unlike.get(spec.name) or ("its server isn't in the lock" if server is None else "")
    likes: Likes | None = None
    for name, descriptor in named:
        if server is None or why:
            yield Withheld(spec.name, name, why, SERVER)
            continue
        old = server.pins.get((kind, name))
        if old is not None and old.digest == whole_digest(descriptor):
            continue
        new = pin_of(kind, descriptor)
        change = judge_pin(old, new)
        if change is not None and change.sort is Sort.ADDED:
            likes = likes or Likes(lock)
            change = likes.explain(change, new)
        if change is not None:
            yield _withheld(spec, change, "locked")


def _first_seen(guard: Guard, spec: ServerSpec, kind: PinKind, named: Named) -> Iterable[Withheld]:
    """What is new is pinned now; what was seen before has to be what it was."""
    record = guard.record
    server = identity(spec, record.key)
    keys = {name: _key(kind, name) for name, _ in named}
    known = record.pins(server)
    news = {key: one for name, one in named if (key := keys[name]) not in known and _keepable(key)}
    if news:
        known = record.first_pins(server, {key: _packed(pin_of(kind, one)) for key, one in news.items()})
    for name, descriptor in named:  # of two with one name, at least one isn't what was pinned: neither is shown
        was = known.get(keys[name], "")
        if was.partition(";")[0] == whole_digest(descriptor) != "":
            continue
        change = judge_pin(_unpacked(kind, name, was), pin_of(kind, descriptor))
        if change is not None:
            yield _withheld(spec, replace(change, sort=Sort.CHANGED), "first seen")


def _withheld(spec: ServerSpec, change: Change, since: str) -> Withheld:
    return Withheld(spec.name, change.name, why_withheld(change, since=since), change.sort)


def _key(kind: PinKind, name: str) -> str:
    return f"{kind.value}:{name}"


def _keepable(key: str) -> bool:
    """A name that would be cut can't be told from another one: it isn't pinned, and so withheld."""
    return key == bounded_text(key)


def _packed(pin: Pin) -> str:
    return ";".join([pin.digest, *(f"{part}={short}" for part, short in pin.parts.items())])


def _unpacked(kind: PinKind, name: str, text: str) -> Pin | None:
    whole, *parts = text.split(";")
    pairs = (part.partition("=") for part in parts)
    return Pin(kind, name, whole, {part: short for part, _, short in pairs}) if whole else None
