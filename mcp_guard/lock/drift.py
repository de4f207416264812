"""What became of the things that were pinned: the same, changed part by part, gone, new, or there under another name.

Core. Two questions: `held` (does this listed thing still count as the one that was looked at, at run time) and `drift`
(everything that differs between two locks, for a person).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from mcp_guard.lock.looser import looser
from mcp_guard.lock.pins import Pin, PinKind, changed_parts
from mcp_guard.lock.servers import Lock, ServerPin


class Sort(StrEnum):
    """What happened. The values are stable: entries of the record and `--json` carry them."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"  # new here, and the likeness of one that was pinned under another name or server
    SHADOWS = "shadows"  # new here, under the name of a tool that another server has


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `kind` None: about the server itself, and `parts` then says what of it."""

    sort: Sort
    server: str
    kind: PinKind | None = None
    name: str = ""
    parts: tuple[str, ...] = ()
    looser: tuple[str, ...] = ()
    like: str = ""  # `server/name` of the pinned thing that it resembles or whose name it takes
    was: str = ""
    now: str = ""

    @property
    def withholds(self) -> bool:
        """Does it take something from the client until a person has looked? What a server calls itself doesn't."""
        return self.kind is not None or bool({"command", "identity", "server"} & {*self.parts})


def judge_pin(old: Pin | None, new: Pin) -> Change | None:
    """One listed thing against its pin (None: it has none); None if it is the one that was looked at."""
    if old is None:
        return Change(Sort.ADDED, "", new.kind, new.name)
    if old.digest == new.digest and old.digest:
        return None
    return Change(
        Sort.CHANGED,
        "",
        new.kind,
        new.name,
        changed_parts(old.parts, new.parts),
        looser(old.seen, new.seen) if old.seen is not None and new.seen is not None else (),
    )


def drift(old: Lock, new: Lock) -> tuple[Change, ...]:
    """All that differs, by server and name. The order doesn't depend on the order of listings."""
    changes: list[Change] = []
    for name in sorted(old.servers.keys() | new.servers.keys()):
        before, after = old.servers.get(name), new.servers.get(name)
        if before is None or after is None:
            gone = after is None
            changes.append(Change(Sort.REMOVED if gone else Sort.ADDED, name, parts=("server",)))
        else:
            changes += server_changes(before, after)
        changes += _pins(name, before, after)
    return explained(changes, old, new)


def server_changes(old: ServerPin, new: ServerPin) -> Iterable[Change]:
    """What differs in the server itself, apart from what it offers."""
    pairs = {
        "command": (" ".join(old.command) or old.url, " ".join(new.command) or new.url),
        "identity": (_identity(old), _identity(new)),
        "what it calls itself": (" ".join(old.says), " ".join(new.says)),
        "protocol": (old.protocol, new.protocol),
        "instructions": (old.instructions, new.instructions),
    }
    if old.by_command == new.by_command:
        del pairs["command"]
    for part, (was, now) in pairs.items():
        if was != now or part == "command":
            shown = ("", "") if part == "instructions" else (was, now)
            yield Change(Sort.CHANGED, old.name, parts=(part,), was=shown[0], now=shown[1])


def explained(changes: Iterable[Change], old: Lock, new: Lock) -> tuple[Change, ...]:
    """The same, where what is new says what it resembles: a new name is new authority, not an escape from a pin."""
    likes = Likes(old)
    return tuple(
        likes.explain(change, new.servers[change.server].pins[change.kind, change.name])
        if change.sort is Sort.ADDED and change.kind is not None
        else change
        for change in changes
    )


class Likes:
    """Pinned things by what makes them recognisable: their likeness, and their name."""

    def __init__(self, lock: Lock) -> None:
        self._alike: dict[tuple[PinKind, str], list[str]] = {}
        self._named: dict[tuple[PinKind, str], list[str]] = {}
        for server in sorted(lock.servers):
            for pin in lock.servers[server].pins.values():
                place = f"{server}/{pin.name}"
                self._named.setdefault((pin.kind, pin.name.casefold()), []).append(place)
                if pin.likeness:
                    self._alike.setdefault((pin.kind, pin.likeness), []).append(place)

    def explain(self, change: Change, pin: Pin) -> Change:
        """What this new thing was before, as far as its own words tell."""
        alike = self._alike.get((pin.kind, pin.likeness)) if pin.likeness else None
        if alike:
            return replace(change, sort=Sort.MOVED, like=alike[0])
        named = self._named.get((pin.kind, pin.name.casefold()))
        return replace(change, sort=Sort.SHADOWS, like=named[0]) if named else change


def _pins(server: str, before: ServerPin | None, after: ServerPin | None) -> list[Change]:
    old: Mapping[tuple[PinKind, str], Pin] = before.pins if before is not None else {}
    new: Mapping[tuple[PinKind, str], Pin] = after.pins if after is not None else {}
    found: list[Change] = []
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            found.append(Change(Sort.REMOVED, server, *key))
        elif (change := judge_pin(old.get(key), new[key])) is not None:
            found.append(replace(change, server=server))
    return found


def _identity(server: ServerPin) -> str:
    return f"{server.identity.strength.value}: {server.identity.of}"
