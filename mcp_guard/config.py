"""guard.yaml: which servers `run` guards, under which documents. Paths in it start from its own directory.

Strict, with places in errors, by the same reader as the documents. Secrets are named (`env: [NAME]`), never written.
Where two servers need different values under one name, or a name would mean something to the guard itself, the value
waits under another one: `env: {PYTHONPATH: FILES_PYTHONPATH}` gives the server `PYTHONPATH`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mcp_guard.catalog import SEPARATOR, SERVER_NAME
from mcp_guard.config_watch import BreakerForm, MonitorForm, ScannerForm, TelemetryForm, Watchers, watchers
from mcp_guard.containment.form import Contain, ContainForm, containment
from mcp_guard.errors import InputError
from mcp_guard.inspection.scan.settings import LOOKED_AT, Act, Inspect
from mcp_guard.lock_file import NAME as LOCK_NAME
from mcp_guard.missing import config_elsewhere
from mcp_guard.policy.form_errors import did_you_mean, value_at
from mcp_guard.policy.yaml_slips import hint_for_empty
from mcp_guard.policy.yaml_source import MAX_BYTES, Source, read_yaml
from mcp_guard.record.closing import Limits
from mcp_guard.record.sinks import JOURNALD, Sink, sink_of
from mcp_guard.server_spec import ServerSpec
from mcp_guard.transports.http_access import EXACT_ORIGIN
from mcp_guard.transports.http_link_remote import OAuth, Remote
from mcp_guard.transports.spawn import MINIMAL_ENVIRONMENT
from mcp_guard.written_paths import as_path

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
"""A name that a value may wait under. In capitals only, so that a value in its place is most likely noticed."""


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _by_name(value: object) -> object:
    """A list of names is short for each name standing for itself."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: name for name in value}
    return value


class OAuthForm(_Form):
    """How the guard gets an access token of its own for a server that is reached by URL (client credentials)."""

    client_id_env: str
    client_secret_env: str
    scope: str | None = None
    issuer: str | None = None


class ServerForm(_Form):
    """One server: the command that starts it and what of the environment it gets, or its URL and its credentials."""

    command: Annotated[list[str], Field(min_length=1)] = []
    env: Annotated[dict[str, str], BeforeValidator(_by_name)] = {}  # the server's name of a variable: the guard's
    cwd: str | None = None
    url: str | None = None
    token_env: str | None = None
    headers_env: dict[str, str] = {}
    plain_http: bool = False
    oauth: OAuthForm | None = None
    timeout: Annotated[float, Field(gt=0, le=86400)] = 300.0
    max_calls: Annotated[int, Field(ge=1, le=256)] = 64
    contain: Contain = None


class RecordForm(_Form):
    """What the record survives: a killed process (`process`), or a power failure too (`disk`, slower)."""

    durability: Literal["process", "disk"] = "process"
    heads: str | None = None
    max_size: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}(MB|GB)$")] | None = None
    retention: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}d$")] | None = None
    values: bool = False  # the arguments of calls are kept, in a file of their own


class InspectForm(_Form):
    """What the scan of listed things does with what it finds, and what a person has looked at (`check` prints it)."""

    severe: Literal["withhold", "mark", "off"] = "withhold"
    minor: Literal["withhold", "mark", "off"] = "mark"
    looked_at: list[Annotated[str, Field(pattern=LOOKED_AT.pattern)]] = []


class ListenForm(_Form):
    """What clients on HTTP may bring. A page in a browser only gets in from an origin that is named here."""

    origins: list[str] = []
    sessions: Annotated[int, Field(ge=1, le=10_000)] = 64


class ConfigForm(_Form):
    """The whole file."""

    version: Annotated[int, Field(ge=1, le=1)]  # `Literal[1]` would take `true`
    policy: str | None = None
    mandate: str | None = None
    lock: str | None = None
    set: dict[str, str] = {}
    servers: Annotated[dict[str, ServerForm], Field(min_length=1)]
    record: RecordForm = RecordForm()
    inspect: InspectForm = InspectForm()
    listen: ListenForm = ListenForm()
    breaker: BreakerForm | None = None
    monitor: MonitorForm | None = None
    scanners: Annotated[list[ScannerForm], Field(max_length=64)] = []
    telemetry: TelemetryForm | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """guard.yaml, read and checked, with absolute paths."""

    file: Path
    policy: Path | None
    mandate: Path | None
    variables: Mapping[str, str]
    servers: tuple[ServerSpec, ...]
    durability: Literal["process", "disk"]
    lock_place: Path = Path("guard.lock")  # named, or the one beside guard.yaml, whether it is there or not
    lock: Path | None = None  # the same, if it is there
    heads: Sink | None = None  # where signed heads of the record go
    limits: Limits | None = None  # of the record's file, and of closed ones
    heads_files: tuple[Path, ...] = ()  # where heads go, if it is a file: no call may name it
    inspect: Inspect = field(default_factory=Inspect)
    origins: frozenset[str] = frozenset()  # those of pages in a browser that may talk to the HTTP front
    sessions: int = 64  # of the handshake era that the HTTP front holds at once
    watchers: Watchers = field(default_factory=Watchers)
    values: bool = False  # keep the arguments of calls
    unset: tuple[str, ...] = ()  # variables that some `env` names and the environment doesn't have


_LATER: dict[tuple[int | str, ...], set[str]] = {
    (): {"bounds", "candidate"},
}
_WITH_COMMAND = ("env", "cwd", "contain")
_WITH_URL = ("token_env", "headers_env", "plain_http", "oauth")
_FORMS: dict[tuple[int | str, ...], type[BaseModel]] = {
    (): ConfigForm,
    ("servers", "*"): ServerForm,
    ("servers", "*", "contain"): ContainForm,
    ("servers", "*", "oauth"): OAuthForm,
    ("record",): RecordForm,
    ("inspect",): InspectForm,
    ("listen",): ListenForm,
    ("breaker",): BreakerForm,
    ("monitor",): MonitorForm,
    ("scanners", "*"): ScannerForm,
    ("telemetry",): TelemetryForm,
}


def load_config(path: Path, *, lock_may_be_missing: bool = False) -> Config:
    """Read guard.yaml. Raises `InputError` with file, line and column; also for a lock that it names and isn't there,
    unless it is about to be written.
    """
    config = read_config(_bytes_of(path), path)
    if config.lock is not None and not lock_may_be_missing and not os.path.lexists(config.lock):
        raise InputError(f"there is no {config.lock}, which {path} names; write it with `mcp-guard lock`")
    return config


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}; {config_elsewhere()}") from None


def read_config(data: bytes, path: Path) -> Config:
    """What guard.yaml at `path` says with this content."""
    source = read_yaml(data, str(path))
    _refuse_empty(source, source.value, ())
    try:
        form = ConfigForm.model_validate(source.value)
    except ValidationError as error:
        raise _in_words(source, error) from None
    _check_names(source, form)
    _check_variables(source, form)
    remotes = {name: _remote(source, name, server) for name, server in form.servers.items()}
    directory = Path(os.path.abspath(path)).parent  # noqa: PTH100 - lexical: links are followed when they are used
    place = _beside(directory, form.lock) or directory / LOCK_NAME
    return Config(
        file=path,
        policy=_beside(directory, form.policy),
        mandate=_beside(directory, form.mandate),
        variables={name: as_path(value, directory) for name, value in form.set.items()},
        servers=tuple(_spec(name, server, remotes[name], directory) for name, server in form.servers.items()),
        durability=form.record.durability,
        lock_place=place,
        lock=place if form.lock is not None or os.path.lexists(place) else None,
        heads=_sink(form.record.heads, directory),
        limits=_limits(form.record),
        values=form.record.values,
        heads_files=_heads_files(form.record.heads, directory),
        inspect=_inspect(form.inspect),
        origins=_origins(source, form.listen),
        sessions=form.listen.sessions,
        watchers=watchers(source, form.breaker, form.monitor, form.scanners, form.telemetry, directory),
        unset=tuple(
            dict.fromkeys(
                one for server in form.servers.values() for one in server.env.values() if one not in os.environ
            )
        ),
    )


def _refuse_empty(source: Source, value: object, path: tuple[str | int, ...]) -> None:
    """A key without a value reads as if it were set, and would count as if it weren't: `contain:` contains nothing."""
    if value is None and path:
        what = f"`{str(path[-1])[:64]}`" if isinstance(path[-1], str) else "this entry"
        raise source.error(f"{what} is empty", path, hint_for_empty(path[-1]), key=True)
    for part, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        _refuse_empty(source, inner, (*path, part))


def _origins(source: Source, form: ListenForm) -> frozenset[str]:
    for number, origin in enumerate(form.origins):
        if not EXACT_ORIGIN.fullmatch(origin):
            hint = "write scheme and host as a browser sends them, such as `https://app.example`"
            raise source.error(f"`{origin[:64]}` is not an exact origin", ("listen", "origins", number), hint)
    return frozenset(form.origins)


def _beside(directory: Path, value: str | None) -> Path | None:
    return None if value is None else directory / Path(value).expanduser()


def _spec(name: str, form: ServerForm, remote: Remote | None, directory: Path) -> ServerSpec:
    if remote is not None:
        return ServerSpec(name=name, remote=remote, timeout=form.timeout, max_calls=form.max_calls)
    names = {name: name for name in MINIMAL_ENVIRONMENT} | form.env
    return ServerSpec(
        name=name,
        command=tuple(form.command),
        env={name: os.environ[source] for name, source in names.items() if source in os.environ},
        given=tuple(form.env),
        cwd=str(directory if form.cwd is None else directory / Path(form.cwd).expanduser()),
        timeout=form.timeout,
        max_calls=form.max_calls,
        contain=containment(form.contain, directory),
    )


def _remote(source: Source, name: str, form: ServerForm) -> Remote | None:
    """Where a server stands that is reached by URL; None for one that is started. It is one of the two."""
    here = ("servers", name)
    written = form.model_fields_set
    if ("command" in written) == ("url" in written):
        hint = "write the command that starts it, or the URL where it is reached"
        raise source.error(f"`{name[:64]}` needs `command` or `url`, and not both", here, hint)
    this, others = ("command", _WITH_URL) if "command" in written else ("url", _WITH_COMMAND)
    for key in others:
        if key in written:
            raise source.error(f"`{key}` doesn't go with `{this}`", (*here, key), "take it out", key=True)
    if form.url is None:
        return None
    key = "url"
    try:
        Remote(form.url, plain_http=form.plain_http)
        oauth = None
        if form.oauth is not None:
            key = "oauth"
            oauth = OAuth(**form.oauth.model_dump())
        key = "headers_env" if form.headers_env else "oauth" if oauth is not None else "token_env"
        return Remote(form.url, form.token_env, form.headers_env, form.plain_http, oauth)
    except ValueError as error:
        raise source.error(f"`{key}` is not right: {error}", (*here, key)) from None


def _check_names(source: Source, form: ConfigForm) -> None:
    """Two servers whose tools could have one name are an error at start: a call must not depend on which of them is up.

    `a` with a tool `b__c`, and `a__b` with a tool `c`: while the latter is down, the former would get its calls.
    """
    for name in form.servers:
        if not SERVER_NAME.fullmatch(name):
            hint = "use up to 32 letters, digits, `_` and `-`, starting with a letter or digit"
            raise source.error(f"`{name[:64]}` can't be a server's name", ("servers", name), hint, key=True)
    for name, other in permutations(form.servers, 2):
        if _begins(other, name):
            hint = "give one of them another name"
            raise source.error(f"`{name}` and `{other}` would share one prefix", ("servers", other), hint, key=True)


def share_prefix(name: str, other: str) -> bool:
    """Could a tool of one of these servers have the name of a tool of the other?"""
    return _begins(name, other) or _begins(other, name)


def _inspect(form: InspectForm) -> Inspect:
    return Inspect(Act(form.severe), Act(form.minor), frozenset(form.looked_at))


def _begins(name: str, start: str) -> bool:
    return f"{name}{SEPARATOR}".casefold().startswith(f"{start}{SEPARATOR}".casefold())


def _heads_files(text: str | None, directory: Path) -> tuple[Path, ...]:
    return () if text in (None, JOURNALD) else (directory / Path(text or "").expanduser(),)


def _limits(form: RecordForm) -> Limits:
    units = {"MB": 10**6, "GB": 10**9}
    size = None if form.max_size is None else int(form.max_size[:-2]) * units[form.max_size[-2:]]
    return Limits(size, None if form.retention is None else timedelta(days=int(form.retention[:-1])))


def _sink(text: str | None, directory: Path) -> Sink | None:
    if text is None:
        return None
    return sink_of(text, directory / Path(text).expanduser())


def _check_variables(source: Source, form: ConfigForm) -> None:
    """Secrets are named in guard.yaml, never written: a value there would also be a name that no variable has."""
    for name, server in form.servers.items():
        written = value_at(source.value, ("servers", name, "env"))
        for number, (variable, other) in enumerate(server.env.items()):
            path = ("servers", name, "env", number if isinstance(written, list) else variable)
            if "=" in variable or not variable:
                hint = "names only: the values come from the environment that the guard is started in"
                shown = variable.partition("=")[0][:64]
                raise source.error(f"`{shown}=...` in `env` has a value", path, hint)
            if other != variable and not _VARIABLE.fullmatch(other):
                hint = "write the name of the variable that has the value, in capitals: {TOKEN: OTHER_TOKEN}"
                raise source.error(f"what `{variable[:64]}` in `env` stands for is no name of a variable", path, hint)


def _in_words(source: Source, errors: ValidationError) -> InputError:
    found = errors.errors(include_url=False, include_input=False)
    wrong = [one for one in found if one["type"] != "missing"] or found  # what is missing may stand there misspelt
    error = min(wrong, key=lambda one: source.place(one["loc"], key=one["type"] == "extra_forbidden"))
    path = error["loc"]
    if error["type"] == "extra_forbidden":
        key, parent = str(path[-1]), path[:-1]
        generic = ("servers", "*", *parent[2:]) if parent[:1] == ("servers",) else parent
        generic = ("scanners", "*") if parent[:1] == ("scanners",) else generic
        if key in _LATER.get(generic, set()):
            return source.error(
                f"`{key}` isn't in this version yet", path, "take it out: nothing would use it", key=True
            )
        form = _FORMS.get(generic, ConfigForm)
        return source.error(f"unknown key `{key[:64]}`", path, did_you_mean(key, form.model_fields), key=True)
    if error["type"] == "missing":
        write = "version: 1" if path[-1] == "version" else f"{path[-1]}: ..."
        return source.error(f"`{path[-1]}` is missing", path[:-1], f"write `{write}`")
    if path[-1:] == ("command",) and isinstance(written := value_at(source.value, path), str):
        return source.error("`command` is one text", path, f"write it as a list: [{', '.join(written.split())}]")
    if path[2:3] == ("env",):  # without the value, which may be a secret
        return source.error("`env` is not right", path, "write names: [TOKEN], or {TOKEN: OTHER_TOKEN}")
    where = ".".join(str(step) for step in path) or "the file"
    return source.error(f"`{where}` is not right: {error['msg'][0].lower()}{error['msg'][1:]}", path)
