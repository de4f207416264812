"""What stands in the clients' files: every table of servers, and of each server whether it can go behind a guard.

Reads and judges; changes nothing, starts nothing. `init` plans from it, `check --clients` reports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mcp_guard.clients import CLIENTS, Client, ConfigFile, Entry, Loaded, Places, Scope, Section, find, load
from mcp_guard.errors import InputError
from mcp_guard.starting.entry_rules import Left, Server, dropped, filled, why_left
from mcp_guard.starting.places import Program, inside, real
from mcp_guard.starting.recognise import GuardEntry, guard_in
from mcp_guard.starting.remotes import remote_server
from mcp_guard.starting.switched_off import switched_off


@dataclass(frozen=True, slots=True)
class Table:
    """One table of servers, sorted: guards, servers that can be moved, servers that stay, each with its reason."""

    loaded: Loaded
    section: Section
    guards: tuple[GuardEntry, ...]
    movable: tuple[Server, ...]  # under the names that the client's file has
    left: tuple[Left, ...]
    here: bool  # it counts in the directory where this was asked; a local table of another project doesn't

    @property
    def client(self) -> Client:
        return self.loaded.file.client

    @property
    def scope(self) -> Scope:
        return self.section.scope


@dataclass(frozen=True, slots=True)
class Survey:
    """All tables that were found, and what is wrong with the files that couldn't be read."""

    tables: tuple[Table, ...]
    faults: tuple[str, ...]
    files: tuple[ConfigFile, ...]


def survey(places: Places, program: Program, project: Path | None, clients: Iterable[str] = ()) -> Survey:
    """Look at every client's files. `project`: what a policy may open; None if the current directory is too much."""
    wanted = set(clients)
    files = find(places, [client for client in CLIENTS if not wanted or client.id in wanted])
    tables: list[Table] = []
    faults: list[str] = []
    for file in files:
        try:
            loaded = load(file)
        except InputError as error:
            faults.append(str(error))
            continue
        tables += [_table(loaded, one, places, program, project) for one in loaded.sections if one.present]
    return Survey(tuple(tables), tuple(faults), files)


def _table(loaded: Loaded, section: Section, places: Places, program: Program, project: Path | None) -> Table:
    base = places.project or places.home
    guards: list[GuardEntry] = []
    movable: list[Server] = []
    left: list[Left] = []
    off = switched_off(loaded.file.client, section, places)
    for entry in section.entries.values():
        guard = guard_in(entry, program, base)
        if guard is not None:
            guards.append(guard)
            left.append(_guarded(guard, entry, section.scope, base))
        elif entry.disabled:
            left.append(Left(entry, "it is turned off in the client", disabled=True))
        elif entry.name in off:
            # A person's own server may be off in one project and on in all others: there it is reached.
            left.append(Left(entry, f"it is turned off by {off[entry.name]}", disabled=section.scope is not Scope.USER))
        else:
            one = _server(loaded.file.client, section.scope, entry, places, project)
            (movable.append(one) if isinstance(one, Server) else left.append(one))
    return Table(loaded, section, tuple(guards), tuple(movable), tuple(left), _is_here(section, places))


def _guarded(guard: GuardEntry, entry: Entry, scope: Scope, project: Path) -> Left:
    if guard.doubt:
        return Left(entry, guard.doubt)
    exposed = [one for one in guard.documents if inside(one, project)] if scope is Scope.PROJECT else []
    if exposed:
        why = f"guarded by documents in the project, which whoever changes the project writes: {exposed[0]}"
        return Left(entry, why, guarded=True)
    if guard.loose and scope is not Scope.PROJECT:
        why = f"guarded by documents of whatever directory the client starts it in, here {guard.documents[0]}"
        return Left(entry, f"{why}; write whole paths", guarded=True)
    if guard.sets and scope is Scope.PROJECT:
        why = "guarded, with variables from the project (`--set`), which whoever changes the project writes"
        return Left(entry, why, guarded=True)
    return Left(entry, "guarded", guarded=True)


def _server(client: Client, scope: Scope, entry: Entry, places: Places, project: Path | None) -> Server | Left:
    if entry.url is not None:
        return remote_server(client, entry)
    editor = client.id in ("vscode", "cursor")
    folder = places.project if scope is Scope.PROJECT else None
    words = tuple(filled(word, folder, places.home) if editor else word for word in entry.command or ())
    written = filled(entry.cwd, folder, places.home) if editor and entry.cwd else entry.cwd
    why = why_left(client, scope, entry, words, written)
    if why:
        return Left(entry, why)
    cwd = _start_of(scope, words, places, project) / Path(written or ".").expanduser()
    return Server(entry.name, entry, words, str(cwd), entry.env, dropped(entry))


def _start_of(scope: Scope, words: tuple[str, ...], places: Places, project: Path | None) -> Path:
    """Where a server runs that names no directory. A person's own runs at home, unless it speaks of where it runs: in
    a project, `npx` and its like obey what lies there (`.npmrc`, `node_modules`), which may be somebody else's.
    """
    if scope is not Scope.USER:
        return places.project or places.home
    speaks = any(word in (".", "..") or word.startswith(("./", "../")) for word in words)
    return project if speaks and project is not None else places.home


def _is_here(section: Section, places: Places) -> bool:
    """A local table is about one project, which the file names by its path."""
    if section.project is None:
        return True
    return places.project is not None and real(Path(section.project)) == real(places.project)
