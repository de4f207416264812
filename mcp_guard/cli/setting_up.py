"""What the commands share: options, documents, principal and session of a client on stdio, and the guard of it all."""

from __future__ import annotations

import hashlib
import os
import pwd
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mcp_guard.accepting.loaded import loaded
from mcp_guard.approvals.queue import Queue
from mcp_guard.candidate import Candidate
from mcp_guard.client_files import client_files
from mcp_guard.errors import InputError
from mcp_guard.guard import LACKS_MANDATE, Guard
from mcp_guard.identities import unlike
from mcp_guard.inspection.scan.settings import Inspect
from mcp_guard.lock.servers import Lock
from mcp_guard.lock_file import load_lock
from mcp_guard.missing import check_there
from mcp_guard.policy.document import Authority, Document, load_mandate, load_policy
from mcp_guard.policy.oddities_fit import servers_without_rules
from mcp_guard.protection import Protection
from mcp_guard.record.closing import Limits
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.schema import patiently
from mcp_guard.record.shown import escaped
from mcp_guard.record.sinks import Sink
from mcp_guard.record.store import Record
from mcp_guard.record.values import KEPT, Values
from mcp_guard.scans import Scans
from mcp_guard.server_spec import ServerSpec
from mcp_guard.starting.places import PACKAGE, guards_home
from mcp_guard.written_paths import as_path

if TYPE_CHECKING:
    from mcp_guard.config import Config

AHEAD = timedelta(minutes=5)  # of the record before the clock, that a person should know of

_LAUNCHERS = frozenset({"bash", "dash", "env", "pipx", "sh", "timeout", "uv", "uvx", "zsh"})
"""Programs that a client starts a guard through: not the client themselves, and another process each time."""
_MAX_LAUNCHERS = 8


def clock() -> datetime:
    """The system's time."""
    return datetime.now(UTC)


def local_principal() -> str:
    """Who runs this process, as the system says; the environment could say anything."""
    try:
        return f"local:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"local:{os.getuid()}"


def client_session(principal: str, mandate: str) -> str:
    """The key of the history that a client on stdio has: principal and mandate, else principal and client process.

    The client's process is the guard's parent with its start time, so that five wrapped servers of one client share
    one history, and restarting a guard sheds nothing.
    """
    parts = [principal, mandate] if mandate else [principal, *_client_process()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _client_process() -> tuple[str, str]:
    """Process id and start time of the client. What a launcher starts anew each time would shed budgets with it."""
    pid = os.getppid()
    name, parent, started = _process(pid)
    for _ in range(_MAX_LAUNCHERS):
        if name not in _LAUNCHERS or parent <= 1:
            break
        pid = parent
        name, parent, started = _process(pid)
    return str(pid), started


def _process(pid: int) -> tuple[str, int, str]:
    """Name, parent and start time."""
    try:
        before, _, after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        fields = after.split()
        return before.partition("(")[2], int(fields[1]), fields[19]
    except (OSError, IndexError, ValueError):
        return "", 0, ""  # elsewhere the process id alone has to do


def parse_settings(settings: Iterable[str], directory: Path) -> dict[str, str]:
    """`--set NAME=VALUE`, each once. A value like `.` or `./x` is a path from `directory`."""
    found: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise InputError(f"`--set {setting}` isn't NAME=VALUE; write for example `--set project=.`")
        if name in found:
            raise InputError(f"`--set {name}` is given twice; keep one of them")
        found[name] = as_path(value, directory)
    if "project" in found:  # always a directory, so that `--set project=src` means what it seems to
        found["project"] = os.path.normpath(directory / found["project"])
    return found


def load_documents(
    policy: Path | None, mandate: Path | None, variables: Mapping[str, str]
) -> tuple[Document | None, Document | None]:
    """Both documents, or what there is of them. Raises InputError with file, line and column."""
    for path in (policy, mandate):
        if path is not None:
            check_there(path)
    first = load_policy(policy, variables=variables) if policy is not None else None
    shared = first.variables if first is not None else variables
    second = load_mandate(mandate, variables=shared) if mandate is not None else None
    return first, second


def candidate_document(path: Path | None, policy: Document | None, variables: Mapping[str, str]) -> Document | None:
    """The policy to judge beside the one in force, with that one's variables: `$project` means the same in both."""
    if path is None:
        return None
    check_there(path)
    shared = variables if policy is None else {**policy.variables, **variables}
    return load_policy(path, variables=shared)


def build_guard(
    specs: tuple[ServerSpec, ...],
    *,
    policy: Document | None,
    mandate: Document | None,
    prefixed: bool,
    own_files: Iterable[Path],
    durability: Literal["process", "disk"] = "process",
    lock: Path | None = None,
    locked: Lock | None = None,
    heads: Sink | None = None,
    limits: Limits | None = None,
    inspect: Inspect = Inspect(),  # noqa: B008 - frozen
    values: bool = False,
    candidate: Document | None = None,
) -> Guard:
    """Open the record and put the parts together. `lock` has to be there: without one, first sight counts.

    `locked` is what that file says, where it has been read already; `values`: the arguments of calls are kept.
    """
    if locked is None and lock is not None:
        locked = load_lock(lock)
    principal = local_principal()
    session = client_session(principal, mandate.digest if mandate is not None else "")
    record = Record.open(session=session, clock=clock, durability=durability, limits=limits)
    session = record.session = patiently(lambda: record.current(session))
    say_clock(record)
    started = patiently(lambda: record.started(f"{mandate.digest}:{principal}")) if mandate is not None else None
    layers = tuple(document for document in (policy, mandate) if document is not None)
    authority = Authority(layers, started)
    own_files = (*own_files, *([] if candidate is None else [Path(candidate.file)]))
    if any(spec.contain is not None for spec in specs):
        from mcp_guard.cli.containing import with_cells  # only where a server is to be contained

        specs = with_cells(specs, authority, own_files, record.directory)
    guard = Guard(
        authority=authority,
        record=record,
        specs=specs,
        prefixed=prefixed,
        protection=protection_of(specs, layers, own_files, record.directory),
        session_key=session,
        clock=clock,
        lock=locked,
        unlike=unlike(locked, specs) if locked is not None else {},
        scans=Scans(inspect),
        values=kept_values(record, limits) if values else None,
        candidate=candidate_of(candidate, mandate, started),
    )
    queue = Queue(record)
    guard.approver, guard.memory, guard.answered_here = queue, queue.recall, queue.look
    guard.under_way.version = lambda: record.look("PRAGMA data_version")[0][0]
    guard.under_way.stopped = lambda: dict(record.look("SELECT scope, why FROM stops"))
    guard.upkeep.sink = heads
    documents = loaded(layers, locked, lock)
    if candidate is not None:
        file = str(Path(candidate.file).absolute())
        documents.append({"kind": "candidate", "file": file, "digest": candidate.digest, "grants": []})
    patiently(lambda: record.note(EntryKind.LOADED, {"documents": documents, "session": session}))
    return guard


def kept_values(record: Record, limits: Limits | None) -> Values:
    """Where arguments are kept: as long as closed files of the record, and never longer than values may be."""
    retention = limits.retention if limits is not None else None
    return Values(record.directory, record.key, KEPT if retention is None else retention)


def candidate_of(policy: Document | None, mandate: Document | None, started: datetime | None) -> Candidate | None:
    """The other policy as it would bind: with the mandate in force, if there is one."""
    if policy is None:
        return None
    return Candidate(Authority(tuple(one for one in (policy, mandate) if one is not None), started))


def say_clock(record: Record) -> None:
    """One line on stderr if the record is ahead of the clock: mandates look expired, and days last."""
    if (ahead := record.ahead()) > AHEAD:
        hint = "if the clock is right, `mcp-guard log set-clock` goes on from it"
        click.echo(f"mcp-guard: the record is {ahead} ahead of the clock, and time stands until then; {hint}", err=True)


def say_unset(config: Config) -> None:
    """One line on stderr for each variable that a server was to get and that isn't set."""
    for name in config.unset:
        gets = "its server gets none (a client may set it where it starts the guard)"
        click.echo(f"mcp-guard: `{escaped(name)}` in `env` of {config.file} is not set: {gets}", err=True)


def say_strangers(guard: Guard) -> None:
    """One line on stderr for each server that no rule is about, and one where a mandate is missing: nothing would be
    shown, without a word.
    """
    if guard.authority.lacks_mandate:
        click.echo(f"mcp-guard: {LACKS_MANDATE}: nothing is listed or allowed; give one with --mandate", err=True)
    servers = [spec.name for spec in guard.specs]
    for message in servers_without_rules(guard.authority, servers, wrapped=not guard.prefixed):
        click.echo(f"mcp-guard: {escaped(message)}", err=True)


def protection_of(
    specs: Iterable[ServerSpec], layers: Iterable[Document], own_files: Iterable[Path], state: Path
) -> Protection:
    """What is the guard's own: its configuration, its documents, its record, its program: a project may hold it.

    And what `init` wrote for other clients: those are guards, too. And the files from which clients start guards.
    """
    layers = tuple(layers)
    bases = [str(Path.cwd()), *(spec.cwd for spec in specs if spec.cwd)]
    bases += [document.variables["project"] for document in layers if "project" in document.variables]
    own = (*own_files, *(layer.file for layer in layers), state, guards_home(), PACKAGE)
    return Protection([str(path) for path in own], bases, others=map(str, client_files(bases)), state=str(state))
