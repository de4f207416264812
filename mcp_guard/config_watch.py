"""The keys of guard.yaml that watch: `breaker`, `monitor`, `scanners`, `telemetry`. Part of `config.py`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mcp_guard.monitor.flags import OnFlag, Watching
from mcp_guard.monitor.severity import WORDS
from mcp_guard.policy.yaml_source import Source
from mcp_guard.record.denied import MOST, Breaker
from mcp_guard.scanners.settings import CALLABLE, MAX_PATTERN, On, Scanner, search
from mcp_guard.telemetry.settings import Export
from mcp_guard.transports.http_link_remote import Remote

_SPAN = re.compile(r"([1-9][0-9]{0,5})([smh])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_LONGEST = timedelta(hours=24)
_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
Word = Literal["low", "medium", "high"]


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class BreakerForm(_Form):
    """When a session is frozen until a person lets it go on: after so many refusals, or one that is so grave."""

    denials: Annotated[int, Field(ge=1, le=MOST)] | None = None
    within: Annotated[str, Field(pattern=f"^{_SPAN.pattern}$")] = "5m"
    severity: Word | None = None


class MonitorForm(_Form):
    """What is flagged as out of the ordinary, after so many calls that show what the ordinary is."""

    learn: Annotated[int, Field(ge=10, le=10_000)] = 100
    on_flag: Literal["note", "ask", "freeze"] = "note"


class ScannerForm(_Form):
    """One scanner: a pattern of RE2, or a Python callable that is called in a process of its own."""

    name: Annotated[str, Field(pattern=_NAME)]
    pattern: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)] | None = None
    python: Annotated[str, Field(pattern=f"^{CALLABLE.pattern}$")] | None = None
    path: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    timeout: Annotated[float, Field(gt=0, le=30)] = 1.0
    on: Literal["arguments", "results"] = "arguments"
    severity: Word = "high"


class TelemetryForm(_Form):
    """Where spans and metrics go: a collector that takes OTLP over HTTP, at its base address."""

    endpoint: str
    headers_env: dict[str, str] = {}
    plain_http: bool = False
    service: Annotated[str, Field(min_length=1, max_length=64)] = "mcp-guard"
    every: Annotated[float, Field(ge=0.1, le=300)] = 5.0
    resource: dict[str, Annotated[str, Field(max_length=256)]] = {}


@dataclass(frozen=True, slots=True)
class Watchers:
    """What of all this a guard has."""

    breaker: Breaker | None = None
    monitor: Watching | None = None
    scanners: tuple[Scanner, ...] = ()
    telemetry: Export | None = None

    @property
    def own_files(self) -> tuple[Path, ...]:
        """Code that the guard runs: no call may name it."""
        return tuple(one.module_file for one in self.scanners if one.module_file is not None)


def watchers(
    source: Source,
    breaker: BreakerForm | None,
    monitor: MonitorForm | None,
    scanners: Sequence[ScannerForm],
    telemetry: TelemetryForm | None,
    directory: Path,
) -> Watchers:
    """The settings, checked. Raises InputError with file, line and column."""
    names: set[str] = set()
    for number, form in enumerate(scanners):
        if form.name in names:
            raise source.error(f"two scanners are called `{form.name}`", ("scanners", number, "name"), "rename one")
        names.add(form.name)
    return Watchers(
        None if breaker is None else _breaker(source, breaker),
        None if monitor is None else Watching(monitor.learn, OnFlag(monitor.on_flag)),
        tuple(_scanner(source, number, form, directory) for number, form in enumerate(scanners)),
        None if telemetry is None else _export(source, telemetry),
    )


def _breaker(source: Source, form: BreakerForm) -> Breaker:
    if form.denials is None and form.severity is None:
        hint = "say after what: `denials: 10`, or `severity: high`"
        raise source.error("`breaker` freezes nothing", ("breaker",), hint)
    found = _SPAN.fullmatch(form.within)
    within = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else _LONGEST
    if within > _LONGEST:
        raise source.error("`within` is longer than a day", ("breaker", "within"), "write 24h, or less")
    return Breaker(form.denials, within, None if form.severity is None else WORDS[form.severity])


def _scanner(source: Source, number: int, form: ScannerForm, directory: Path) -> Scanner:
    here = ("scanners", number)
    if (form.pattern is None) == (form.python is None):
        hint = "write the expression that it searches for, or the callable that it calls"
        raise source.error(f"scanner `{form.name}` needs `pattern` or `python`, and not both", here, hint)
    for key in ("path", "sha256", "timeout"):
        if form.python is None and key in form.model_fields_set:
            raise source.error(f"`{key}` doesn't go with `pattern`", (*here, key), "take it out", key=True)
    line, column = source.place(here)
    scanner = Scanner(form.name, On(form.on), WORDS[form.severity], (str(source.file), line, column))
    if form.pattern is not None:
        try:
            search(form.pattern)
        except ValueError as error:
            hint = "it has no look-around and no back-references, so that it runs in linear time"
            raise source.error(f"`pattern` {error}", (*here, "pattern"), hint) from None
        return Scanner(scanner.name, scanner.on, scanner.severity, scanner.at, pattern=form.pattern)
    file = _module_file(source, here, form, directory)
    return Scanner(
        scanner.name,
        scanner.on,
        scanner.severity,
        scanner.at,
        function=form.python or "",
        module_file=file,
        sha256=form.sha256 or "",
        timeout=form.timeout,
    )


def _module_file(source: Source, here: tuple[str | int, ...], form: ScannerForm, directory: Path) -> Path | None:
    """Code beside guard.yaml is named with its digest: an edit of it is then an edit of guard.yaml, which waits."""
    if form.path is None:
        if form.sha256 is not None:
            raise source.error("`sha256` goes with `path`", (*here, "sha256"), "take it out", key=True)
        return None
    module = (form.python or "").partition(":")[0]
    file = directory / Path(form.path).expanduser() / f"{module.replace('.', '/')}.py"
    if form.sha256 is None:
        raise source.error(f"scanner `{form.name}` needs `sha256`", here, f"of {file}: {_digest(file)}")
    return file


def _digest(file: Path) -> str:
    try:
        return f"`sha256: {hashlib.sha256(file.read_bytes()).hexdigest()}`"
    except OSError:
        return "there is no such file"


def _export(source: Source, form: TelemetryForm) -> Export:
    try:
        if "?" in form.endpoint or "#" in form.endpoint:
            raise ValueError("the address of a collector has no query")
        collector = Remote(form.endpoint.rstrip("/"), headers_env=form.headers_env, plain_http=form.plain_http)
    except ValueError as error:
        raise source.error(f"`endpoint` is not right: {error}", ("telemetry", "endpoint")) from None
    return Export(collector, form.service, form.every, form.resource)
