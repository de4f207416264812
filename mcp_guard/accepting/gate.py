"""Which contents count: what is on disk if it was accepted or is proved narrower, else what was accepted (law 5).

Reads the record and the disk, writes nothing: `settle` writes, in the record of the guard that starts with it, or of
the person who accepts. A file is known by its part and its lexical path; the command line (variables, which mandate) is
the context, since "narrower" is proved for one command line only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mcp_guard.accepting import texts
from mcp_guard.accepting.servers import is_narrower
from mcp_guard.accepting.stacks import Asked, Part, Stack, absolute, stack
from mcp_guard.errors import GuardError, InputError
from mcp_guard.missing import check_there, config_elsewhere
from mcp_guard.policy.yaml_source import MAX_BYTES, read_yaml
from mcp_guard.record import accepted as table
from mcp_guard.record import place, schema
from mcp_guard.record.accepted import Acceptance, Rows
from mcp_guard.record.store import Record
from mcp_guard.record.writer import Transaction

MOST = 32 << 20
"""Bytes of a lock; of the other files `MAX_BYTES`. One more is read, so that their readers refuse what is longer."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the gate found: the stack in force, what waits beside it, and what is to be written down."""

    force: Stack
    waiting: Stack | None = None  # loads, and isn't proved narrower than what is in force
    broken: str = ""  # what is on disk doesn't load, and this is why
    acceptances: tuple[Acceptance, ...] = ()
    first: tuple[Path, ...] = ()  # seen for the first time
    narrowed: tuple[Path, ...] = ()

    @property
    def changed(self) -> tuple[Path, ...]:
        """The files that wait."""
        if self.waiting is None:
            return ()
        both = {**self.force.contents, **self.waiting.contents}
        return tuple(
            path
            for part, path in both
            if self.force.contents.get((part, path)) != self.waiting.contents.get((part, path))
        )


class Gate:
    """One command line's view of what is accepted."""

    def __init__(self, asked: Asked, state: Path, *, running: bool = False) -> None:
        """`running`: a lock that nobody has accepted isn't there; only a start takes one at first sight."""
        self._asked = asked
        self._state = state
        self._running = running
        self._rows = accepted_rows(state)
        self._context = _context(asked)
        self._disk: dict[tuple[Part, Path], bytes | InputError | None] = {}

    def stand(self) -> Standing:
        """Decide. Raises InputError if what is on disk doesn't load and nothing is accepted in its place."""
        try:
            new = stack(self._asked, self._on_disk)
        except InputError as error:
            return self._standing_by(error)
        unknown = [key for key in new.contents if not self._known(key)]
        try:
            old = stack(self._asked, self._accepted)
        except InputError:
            raise  # an accepted file that no longer loads: this is another version of the guard
        if old.contents == new.contents:
            return Standing(new, acceptances=tuple(self._first(new, unknown)), first=tuple(path for _, path in unknown))
        seen = [key for key in old.contents if not self._known(key)]
        firsts = tuple(self._first(old, seen))
        if proved_narrower(old, new):
            return self._narrowed(old, new, firsts, seen)
        return Standing(old, new, acceptances=firsts, first=tuple(path for _, path in seen))

    def accepted_now(self, standing: Standing) -> tuple[Acceptance, ...]:
        """What a person accepts who says yes to what waits: every file of it, for every command line."""
        new = standing.waiting or standing.force
        digests = {key: texts.digest_of(data) for key, data in new.contents.items()}
        gone = (key for key in standing.force.contents if key[0] is Part.LOCK and key not in digests)
        digests |= dict.fromkeys(gone, "")
        return tuple(
            Acceptance(
                part.value, str(path), where, "", digest, table.PERSON, self._rows.get((where, ""), "")
            )
            for (part, path), digest in digests.items()
            for where in (place_of(part, path),)
        )  # fmt: skip

    def elsewhere(self) -> tuple[Path, ...]:
        """Files of which another command line has a version in force that isn't the one on disk."""
        new = stack(self._asked, self._on_disk)
        others = [(where, of) for (where, context), of in self._rows.items() if context not in ("", self._context)]
        return tuple(
            path
            for (part, path), data in new.contents.items()
            if any(where == place_of(part, path) and of != texts.digest_of(data) for where, of in others)
        )

    def _standing_by(self, error: InputError) -> Standing:
        """The disk's doesn't load: what was accepted goes on, if all of it was."""
        try:
            old = stack(self._asked, self._accepted)
        except InputError:
            raise error from None
        return Standing(old, broken=str(error))

    def _narrowed(
        self, old: Stack, new: Stack, firsts: Iterable[Acceptance], seen: Iterable[tuple[Part, Path]]
    ) -> Standing:
        changed = [key for key, data in new.contents.items() if old.contents.get(key) != data]
        steps = [
            Acceptance(
                key[0].value, str(key[1]), place_of(*key), self._context, texts.digest_of(new.contents[key]),
                table.NARROWER, self._rows.get((place_of(*key), self._context), ""),
            )
            for key in changed
        ]  # fmt: skip
        first = tuple(path for _, path in seen)
        return Standing(new, acceptances=(*firsts, *steps), first=first, narrowed=tuple(path for _, path in changed))

    def _first(self, of: Stack, keys: Iterable[tuple[Part, Path]]) -> Iterable[Acceptance]:
        for part, path in keys:
            digest = texts.digest_of(of.contents[part, path])
            yield Acceptance(part.value, str(path), place_of(part, path), "", digest, table.FIRST_SIGHT)

    def _known(self, key: tuple[Part, Path]) -> bool:
        return bool(self._row(*key))

    def _row(self, part: Part, path: Path) -> str:
        where = place_of(part, path)
        return self._rows.get((where, self._context)) or self._rows.get((where, ""), "")

    def _accepted(self, part: Part, path: Path) -> bytes | None:
        digest = self._row(part, path)
        if not digest:
            return self._on_disk(part, path)
        data = texts.kept(self._state, digest)
        if data is None:
            data = self._same_on_disk(part, path, digest)
        return data

    def _same_on_disk(self, part: Part, path: Path, digest: str) -> bytes:
        """The accepted content is gone from the state directory; the file itself may still be that."""
        try:
            data = self._on_disk(part, path)
        except InputError:
            data = None
        if data is None or texts.digest_of(data) != digest:
            raise GuardError(f"the accepted version of {path} is gone from {self._state}; see `mcp-guard accept`")
        return data

    def _on_disk(self, part: Part, path: Path) -> bytes | None:
        if self._running and part is Part.LOCK and not self._row(part, path):
            return None
        if (part, path) not in self._disk:
            self._disk[part, path] = _read(part, path)
        found = self._disk[part, path]
        if isinstance(found, InputError):
            raise found
        return found


def settle(record: Record, state: Path, standing: Stack, acceptances: Iterable[Acceptance], by: str) -> None:
    """Keep the contents, then write in one transaction that they count."""
    wanted = tuple(acceptances)
    if not wanted:
        return
    for data in standing.contents.values():
        texts.keep(state, data)

    def write(moment: Transaction) -> None:
        for one in wanted:
            table.accept(moment, one, by)

    record.change(write)


def proved_narrower(old: Stack, new: Stack) -> bool:
    """Is it certain that the new one permits nothing that the old one didn't? Every part has to be."""
    if (old.plain is None) != (new.plain is None) or (old.plain is not None and not is_narrower(old.plain, new.plain)):
        return False
    if not _lock_narrower(old, new):
        return False
    before, after = old.layers, new.layers
    if [one.kind for one in before] != [one.kind for one in after]:
        return False
    if [one.digest for one in before] == [one.digest for one in after]:
        return True
    if before[-1].kind == "mandate" and before[-1].digest != after[-1].digest:
        return False  # its time and its budgets begin anew, however little it grants
    if not _counts_alike(old, new):
        return False
    from mcp_guard.policy.compare import compare  # only where something has changed: it costs a start nothing

    return not compare(before, after).wider


def _counts_alike(old: Stack, new: Stack) -> bool:
    """A proof is about single moments. Where rules go by what was counted or done under a rule's name, a grant under
    another name would start from nothing: then every grant has to be one that was there, to the letter.
    """
    before, after = (
        [read_yaml(data, "").value for (part, _), data in one.contents.items() if part is Part.POLICY]
        for one in (old, new)
    )
    if not any(rule.counts or rule.once or rule.after for layer in (*old.layers, *new.layers) for rule in layer.rules):
        return True
    was = [grant for document in before for grant in document.get("grants", ())]
    return all(grant in was for document in after for grant in document.get("grants", ()))


def _lock_narrower(old: Stack, new: Stack) -> bool:
    """The same pins, or fewer of a server that it still has: what isn't pinned isn't shown."""
    if old.lock is None or new.lock is None:
        return old.lock is new.lock
    if old.lock.servers.keys() != new.lock.servers.keys():
        return False
    for name, server in new.lock.servers.items():
        was = old.lock.servers[name]
        if was.by_command != server.by_command or was.identity != server.identity:
            return False
        if was.instructions != server.instructions:
            return False
        if any(key not in was.pins or was.pins[key] != pin for key, pin in server.pins.items()):
            return False
    return True


def place_of(part: Part, path: Path) -> str:
    """The place of a file, as the record knows it."""
    return hashlib.sha256(f"{part.value}\n{path}".encode("utf-8", "surrogateescape")).hexdigest()


def _context(asked: Asked) -> str:
    files = [
        None if one is None else str(absolute(one)) for one in (asked.config, asked.policy, asked.mandate, asked.lock)
    ]
    return hashlib.sha256(json.dumps([files, sorted(asked.settings.items())]).encode()).hexdigest()[:32]


def accepted_rows(state: Path) -> Rows:
    """What is accepted by now, by place and context."""
    if not place.is_there(state):
        return {}
    place.check(state)
    if (state / place.DATABASE).stat().st_size == 0:
        return {}  # nothing was ever in it
    connection = schema.patiently(lambda: schema.open_for_reading(state))
    try:
        return table.rows(connection)
    finally:
        connection.close()


def _read(part: Part, path: Path) -> bytes | InputError | None:
    try:
        with path.open("rb") as file:
            return file.read((MOST if part is Part.LOCK else MAX_BYTES) + 1)
    except FileNotFoundError:
        return None if part is Part.LOCK and not path.is_symlink() else _missing(part, path)
    except OSError as error:
        return _unreadable(part, path, error.strerror or "it failed")


def _missing(part: Part, path: Path) -> InputError:
    if part is not Part.CONFIG:
        try:
            check_there(path)
        except InputError as error:
            return error
    return _unreadable(part, path, "No such file or directory")


def _unreadable(part: Part, path: Path, why: str) -> InputError:
    hint = f"; {config_elsewhere()}" if part is Part.CONFIG else ""
    return InputError(f"can't read {path}: {why}{hint}")
