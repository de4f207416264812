"""A guard that runs takes up what its files say by now, through the gate through which it started (law 5).

Narrower counts at once, wider once a person has accepted it, and what can't be told changes nothing. What is written
down comes first; then one step binds documents, lock and servers together, between two calls. What can't be changed
in a guard that runs (commands, settings of guard.yaml) waits for the next start, and until then a server that
guard.yaml has otherwise by now is withheld.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_guard.accepting.gate import Gate, Standing, place_of, settle
from mcp_guard.accepting.loaded import loaded
from mcp_guard.accepting.local import Live, place_in
from mcp_guard.accepting.stacks import Asked, Part, Stack, absolute
from mcp_guard.accepting.texts import digest_of
from mcp_guard.accepting.watching import Watch
from mcp_guard.errors import GuardError, InputError, RecordBusy
from mcp_guard.guard import Guard
from mcp_guard.identities import unlike
from mcp_guard.policy.document import Authority
from mcp_guard.record.entries import EntryKind

_SAID = 50
"""What isn't in force is said so often in full; after that, at every power of two."""
_REMEMBERED = 1000
Say = Callable[[str], None]
_DOCUMENTS = ("policy", "mandate", "lock", "set", "servers")
"""Keys of guard.yaml that a guard takes up while it runs; all others wait."""


@dataclass(slots=True)
class Reload:
    """Looks after what one guard goes by. `force` is what it goes by now."""

    guard: Guard
    asked: Asked
    force: Stack
    say: Say  # one line to the person
    way: str  # the command by which a person accepts what waits
    by: str  # whose process this is
    _started: Stack = field(init=False)
    _watch: Watch = field(init=False)
    _said: set[str] = field(default_factory=set)
    _warned: bool = False  # that something isn't in force, and nothing since
    _count: int = 0

    def __post_init__(self) -> None:
        self._started = self.force
        self._watch = Watch(frozenset(_paths(self.asked, self.force)))

    async def look(self) -> None:
        """Once a second. Never raises: what goes wrong changes nothing."""
        try:
            for one in (self.guard, *self.guard.views):
                self.guard.record.read(one.renew)
            if self._watch.due(self._accepted()):
                await self._look_into()
        except Exception as error:  # such as a record that can't be read: calls can't be recorded either, and say so
            self._watch.forget()
            if not isinstance(error, RecordBusy):
                self._say_once(f"changed files could not be looked into: {error or type(error).__name__}")

    async def _look_into(self) -> None:
        try:
            self.take_up(await asyncio.to_thread(self._stand))  # a comparison may take a while
        except RecordBusy:
            raise
        except GuardError as error:
            self._not_in_force((), str(error))
            if not isinstance(error, InputError):  # such as another guard that was faster: from what counts by then
                self._watch.forget()

    def _stand(self) -> Standing:
        return Gate(self.asked, self.guard.record.directory, running=True).stand()

    def _accepted(self) -> object:
        return self.guard.record.look("SELECT place, context, sha256 FROM accepted ORDER BY place, context")

    def take_up(self, standing: Standing) -> None:
        """Go by what the gate has found. Raises GuardError if it can't be written down: then nothing is done."""
        force = standing.force
        if standing.first or self._lost_lock(force):
            names = ", ".join(map(str, standing.first)) or str(self.force.lock_file)
            return self._not_in_force(standing.first, f"nothing is accepted of {names} any more; start again")
        self._watch.on(_paths(self.asked, force))
        bound = force.contents != self.force.contents
        if bound:
            self._bind(force, standing)
        if standing.broken:
            self._not_in_force((), standing.broken)
        elif standing.changed:
            self._watch.on(standing.changed)
            why = "it isn't proved narrower than what was accepted"
            waiting = standing.waiting.contents.values() if standing.waiting is not None else ()
            way = f"to see the difference and accept it: {self.way}"
            self._not_in_force(standing.changed, why, way, *map(digest_of, waiting))
        else:
            if self._warned and not bound:  # else it was just said what is in force
                self.say("nothing waits any more: the files are again what is in force")
            self._warned = False
        return None

    def _bind(self, force: Stack, standing: Standing) -> None:
        guard, record = self.guard, self.guard.record
        settle(record, record.directory, force, standing.acceptances, self.by)
        mandate = force.mandate
        # A mandate that a person has accepted meanwhile begins now; its sessions keep their history, labels included.
        started = record.started(f"{mandate.digest}:{self.by}") if mandate is not None else None
        without = self._without(force)
        local = self._other_local(force)
        denies = guard.authority.local if local is None else record.read(local.load)
        authority = Authority(force.layers, started, denies, without)
        lock = force.lock
        others = guard.unlike
        if lock != self.force.lock:
            others = {} if lock is None else unlike(lock, guard.specs)
        record.note(
            EntryKind.LOADED, {"documents": loaded(force.layers, lock, force.lock_file), "session": record.session}
        )
        keys = dict.fromkeys([*self.force.contents, *force.contents])
        changed = [str(path) for part, path in keys if not _same(self.force, force, (part, path))]
        projects = [layer.variables["project"] for layer in force.layers if "project" in layer.variables]
        guard.protection = guard.protection.with_more([str(path) for _, path in force.contents], projects)
        guard.bind(authority, lock, others, local)
        self.force = force
        self.say(f"in force from here on: {', '.join(changed)} ({_why(standing)})")
        self._say_what_waits(force, without)

    def _other_local(self, force: Stack) -> Live | None:
        """Local denies stand beside a policy: beside another one there is another list. None: it is the same."""
        place = place_in(force)
        known = None if self.guard.local is None else self.guard.local.place
        return None if place in (None, known) else Live(self.guard.record.directory, str(place))

    def _without(self, force: Stack) -> frozenset[str]:
        """Servers that run otherwise than guard.yaml says by now, or that it doesn't have."""
        was, now = _servers(self._started), _servers(force)
        return frozenset(name for name, server in was.items() if now.get(name) != server)

    def _say_what_waits(self, force: Stack, without: frozenset[str]) -> None:
        """What of guard.yaml is accepted and can't be taken up: once each."""
        before, after = self._started.plain or {}, force.plain or {}
        keys = [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]
        waiting = [f"`{key}`" for key in keys if key not in _DOCUMENTS]
        waiting += [f"server `{name}`" for name in _servers(force) if name not in _servers(self._started)]
        waiting += [f"server `{name}` (withheld until then)" for name in sorted(without)]
        if waiting:
            self.say(f"of guard.yaml, this waits for the guard's next start: {', '.join(waiting)}")

    def _lost_lock(self, force: Stack) -> bool:
        """Is the lock gone without anybody's word? A person's word is an acceptance of nothing."""
        if self.force.lock is None or force.lock is not None or self.force.lock_file is None:
            return False
        place = place_of(Part.LOCK, absolute(self.force.lock_file))
        found = self.guard.record.look("SELECT sha256 FROM accepted WHERE place=? AND context=''", (place,))
        return found != [("",)]

    def _not_in_force(self, files: Iterable[Path], why: str, *more: str) -> None:
        """Loudly, once for each content."""
        self._warned = True
        names = [str(path) for path in files]
        head = f"NOT IN FORCE: {', '.join([*names, why])}"
        stays = "; ".join(["the version that was accepted before stays in force", *more[:1]])
        if self._say_once(head, *more, then=stays):
            self.guard.record.note(EntryKind.NOT_IN_FORCE, {"files": names, "why": why})

    def _say_once(self, line: str, *about: str, then: str = "") -> bool:
        """Was it new? A flood of ever new contents is said less and less often."""
        known = hashlib.sha256(repr((line, about)).encode("utf-8", "surrogateescape")).hexdigest()
        if known in self._said:
            return False
        self._said = {known} if len(self._said) >= _REMEMBERED else self._said | {known}
        self._count += 1
        if self._count > _SAID and self._count & (self._count - 1):
            return False
        self.say(line)
        if then:
            self.say(then)
        return True


def _same(old: Stack, new: Stack, key: tuple[Part, Path]) -> bool:
    return old.contents.get(key) == new.contents.get(key)


def _why(standing: Standing) -> str:
    return "proved narrower" if standing.narrowed else "accepted"


def _servers(stack: Stack) -> Mapping[str, Any]:
    return stack.plain["servers"] if stack.plain is not None else {}


def _paths(asked: Asked, force: Stack) -> Iterable[Path]:
    """Every file that counts, and the lock that may come to be."""
    yield from (path for _, path in force.contents)
    yield from (absolute(path) for path in (asked.config, asked.policy, asked.mandate, asked.lock) if path is not None)
    if force.config is not None:
        yield absolute(force.config.lock_place)
