"""What `init` would do: for each table of servers the guard's files and the client's new bytes. Pure but for reading.

Everything that can go wrong goes wrong here, before anything is written.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_guard.clients import ConfigFile, Entry, Loaded, Scope, edited, load_bytes
from mcp_guard.config import read_config
from mcp_guard.errors import InputError
from mcp_guard.policy.document import Document, load_policy, load_text
from mcp_guard.policy.names import fits
from mcp_guard.schemas import in_editors
from mcp_guard.starting import guard_text
from mcp_guard.starting.client_entry import entry_name, guard_members
from mcp_guard.starting.entry_rules import Server
from mcp_guard.starting.guard_text import ServerLine
from mcp_guard.starting.naming import server_name, variable_names
from mcp_guard.starting.places import Program, directory_for, inside, real
from mcp_guard.starting.policy_text import policy_text, suggestions
from mcp_guard.starting.recognise import GuardEntry
from mcp_guard.starting.survey import Table
from mcp_guard.starting.tool_views import ServerView

GUARD_FILE = "guard.yaml"
POLICY_FILE = "policy.yaml"

Look = Callable[[ServerLine, Server, Path], ServerView]
"""What is known of a server's tools: from the catalogue, or from a listing that a person agreed to."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a plan starts from, besides the clients' files."""

    home: Path
    guards: Path  # the directory of all guards' files
    project: Path | None  # what the starter policy may open
    here: Path  # the current directory: what project-scope files belong to
    program: Program
    today: str


@dataclass(frozen=True, slots=True)
class GuardFile:
    """One of the guard's own files: what is there (None: nothing), and what shall be."""

    path: Path
    old: bytes | None
    new: bytes = field(repr=False)
    aside: bool = False  # what is there is from an earlier `init`, and is kept under another name


@dataclass(frozen=True, slots=True)
class Change:
    """One table of servers put behind a guard."""

    table: Table
    entry: str  # the name of the guard's own entry
    members: dict[str, Any]
    moved: tuple[tuple[Server, ServerLine], ...]
    files: tuple[GuardFile, ...]
    config: Path
    policy: Path

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(server.entry.name for server, _ in self.moved)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One client's file: its bytes before and after, and the changes of its tables that make the difference."""

    loaded: Loaded
    new: bytes = field(repr=False)
    changes: tuple[Change, ...]

    @property
    def file(self) -> ConfigFile:
        return self.loaded.file


def plan(tables: Iterable[Table], setting: Setting, look: Look) -> tuple[FileChange, ...]:
    """The changes of all tables that have servers to move. Raises InputError if one can't be made as it should be."""
    if inside(setting.guards, setting.here) and not inside(setting.home, setting.here):
        message = f"the guard's own directory {setting.guards} lies in {setting.here}, where agents write"
        raise InputError(f"{message}; run `init` in another directory, or set XDG_CONFIG_HOME to another place")
    by_file: dict[Path, list[Table]] = {}
    for table in tables:
        if table.movable:
            by_file.setdefault(table.loaded.file.path, []).append(table)
    return tuple(_file_change(group, setting, look) for group in by_file.values())


def _file_change(tables: Sequence[Table], setting: Setting, look: Look) -> FileChange:
    loaded = current = tables[0].loaded
    changes = []
    for table in tables:
        change = _change(table, setting, look)
        put = {change.entry: change.members}
        new = edited(current, current.section(table.section.path), remove=change.names, put=put)
        current = load_bytes(loaded.file, new)
        _check_entry(current, change)
        changes.append(change)
    return FileChange(loaded, current.data, tuple(changes))


def _check_entry(new: Loaded, change: Change) -> None:
    """What will be in the file is the guard, whole, and the moved servers aren't."""
    entries = new.section(change.table.section.path).entries
    guard = entries.get(change.entry)
    if guard is None or str(change.config) not in guard.args or set(change.names) & set(entries):
        raise InputError(f"can't put the guard into {new.file.path}; add it by hand; nothing was changed")


@dataclass(frozen=True, slots=True)
class _Standing:
    """What a table's servers join: a guard that is in place (`entry`), or one to be made."""

    entry: Entry | None
    config: Path
    policy: Path
    servers: tuple[str, ...]  # that the guard has already
    env: Mapping[str, str]  # that its entry has already


def _standing(table: Table, setting: Setting) -> _Standing:
    guard = next((one for one in table.guards if _is_ours(one, table, setting)), None)
    if guard is None or guard.config is None:
        directory = _directory(table, setting)
        return _Standing(None, directory / GUARD_FILE, directory / POLICY_FILE, (), setting.program.env)
    entry, file = table.section.entries[guard.name], guard.config
    config = read_config(_read(file) or b"", file)
    env = {name: value for name, value in entry.env.items() if value is not None}
    servers = tuple(spec.name for spec in config.servers)
    return _Standing(entry, file, config.policy or file.with_name(POLICY_FILE), servers, env)


def _change(table: Table, setting: Setting, look: Look) -> Change:
    standing = _standing(table, setting)
    env = dict(standing.env)
    moved: list[tuple[Server, ServerLine]] = []
    for server in table.movable:
        name = server_name(server.name, [*standing.servers, *(line.name for _, line in moved)])
        names = variable_names(name, server.env, env)
        env |= {names[one]: value for one, value in server.env.items() if value is not None}
        moved.append((server, _line(name, server, names)))
    views = [look(line, server, standing.config) for server, line in moved]
    files = (
        _guard_file(standing, [line for _, line in moved], table, setting),
        *_policy_file(standing.policy, views, table, setting),
    )
    name = standing.entry.name if standing.entry is not None else entry_name(table)
    members = guard_members(table.client, setting.program, standing.config, env, standing.entry)
    return Change(table, name, members, tuple(moved), files, standing.config, standing.policy)


def _line(name: str, server: Server, names: Mapping[str, str]) -> ServerLine:
    if not server.url:
        return ServerLine(name, server.command, server.cwd, names)
    headers = {header: names[variable] for header, variable in server.headers.items()}
    token = names[server.token] if server.token else ""
    return ServerLine(name, (), server.cwd, {}, server.url, token, headers)


def _is_ours(guard: GuardEntry, table: Table, setting: Setting) -> bool:
    """May servers of this table join that guard? A person's own file may name any guard.yaml of theirs, a project's
    only the one that is for it: else a repository could put its servers into a guard that runs everywhere.
    """
    if guard.doubt or guard.config is None or not inside(guard.config, setting.guards):
        return False
    expected = _directory(table, setting) / GUARD_FILE
    return table.scope is not Scope.PROJECT or (guard.plain and real(guard.config) == real(expected))


def _directory(table: Table, setting: Setting) -> Path:
    """Each table has a guard of its own: no client gets servers, or secrets, that it didn't have."""
    section, file = table.section, table.loaded.file
    first = next(one for one in table.client.places if one.scope is file.scope)
    key: tuple[str, ...] = ()
    label = file.place.id
    if section.scope is not Scope.USER:
        of = section.project or str(setting.here)
        key, label = (section.scope.value, of), Path(of).name
    if file.place.id != first.id or section.path not in (first.tables[0].path, section.project and section.path):
        key = (*key, str(file.path), *section.path)
    return directory_for(setting.guards, table.client.id, section.scope.value, label, key)


def _guard_file(standing: _Standing, lines: Sequence[ServerLine], table: Table, setting: Setting) -> GuardFile:
    config = standing.config
    old = _read(config)
    if standing.entry is not None and old is not None:
        text = guard_text.added_text(old.decode(), config, lines)
    else:
        heading = [
            in_editors("guard"),
            f"Servers of {table.client.title}, out of {table.loaded.file.path} by `mcp-guard init` on {setting.today}.",
            "Secrets are named here, never written: their values stay in that file, in the guard's own entry.",
            f"To see what is offered and shown: mcp-guard check --config {shlex.quote(str(config))}",
        ]
        text = guard_text.new_text(heading, standing.policy.name, setting.project, lines)
    guard_text.checked(text, config, lines)
    return GuardFile(config, old, text.encode(), aside=old is not None and standing.entry is None)


def _policy_file(policy: Path, views: Sequence[ServerView], table: Table, setting: Setting) -> list[GuardFile]:
    """A new policy; or, at the end of one that is there, suggestions for servers that it says nothing about."""
    old = _read(policy)
    project = setting.project is not None
    variables = {"project": str(setting.project)} if project else {}
    if old is None:
        text = policy_text(_heading(table, setting), views, project=project)
        _loads(text, policy, variables)
        return [GuardFile(policy, None, text.encode())]
    known = load_policy(policy, variables=variables)
    new = [view for view in views if not _speaks_of(known, view.name)]
    if not new:
        return []
    heading = [f"Added by `mcp-guard init` on {setting.today}: nothing here counts before you take the `# ` away."]
    text = suggestions(heading, new, project=project)
    content = old.decode()
    content += "" if content.endswith("\n") else "\n"
    _loads(content + text, policy, variables)
    return [GuardFile(policy, old, (content + text).encode())]


def _heading(table: Table, setting: Setting) -> list[str]:
    opened = f"$project is {setting.project}, set in {GUARD_FILE}." if setting.project else "No directory is opened."
    return [
        in_editors("policy"),
        f"A first policy for {table.client.title}, written by `mcp-guard init` on {setting.today}; it is yours now.",
        f"Granted is what is known to only read. {opened}",
        "What would be wider stands here as comments, with the reason. To grant one, take the `# ` away, and its",
        "effects beside `read` out of the rule `only-reading` at the end: until then that rule denies it.",
    ]


def _loads(text: str, path: Path, variables: dict[str, str]) -> None:
    load_text(text.encode(), file=str(path), kind="policy", variables=variables, home=str(Path.home()))


def _speaks_of(document: Document, server: str) -> bool:
    return any(fits(name.server, server) for rule in document.rules if rule.is_grant for name in rule.names)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}; nothing was changed") from None
