"""Puts together what guard.yaml has watched: breaker, monitor, scanners, telemetry. Imports what is configured."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mcp_guard.config import Config
from mcp_guard.config_watch import Watchers
from mcp_guard.errors import InputError
from mcp_guard.guard import Guard
from mcp_guard.monitor.flags import OnFlag
from mcp_guard.policy.sentences import in_words
from mcp_guard.record.shown import escaped
from mcp_guard.scanners.settings import Scanner
from mcp_guard.telemetry.settings import Export
from mcp_guard.watch import Watch

if TYPE_CHECKING:
    from mcp_guard.telemetry.port import Telemetry


def watch_over(guard: Guard, watchers: Watchers) -> Watch | None:
    """What watches this guard's calls; None: nothing. Raises InputError if telemetry is wanted and can't be had."""
    guard.record.breaker = watchers.breaker
    if watchers.monitor is None and not watchers.scanners and watchers.telemetry is None:
        return None
    watch = Watch()
    if watchers.telemetry is not None:
        watch.telemetry = telemetry(watchers.telemetry)
    if watchers.monitor is not None:
        from mcp_guard.monitoring import Monitor

        watch.monitor = Monitor(guard.record, watchers.monitor)
    if watchers.scanners:
        from mcp_guard.scanners.scanning import Scanners

        watch.scanners = Scanners(watchers.scanners)
    return watch


def telemetry(export: Export) -> Telemetry:
    """OpenTelemetry, which is an extra: nothing of it is imported by a guard that has none."""
    try:
        spans = importlib.import_module("mcp_guard.telemetry.spans")
    except ImportError:
        hint = 'install it with `pip install "mcp-guard[otel]"`'
        raise InputError(f"guard.yaml has `telemetry`, and OpenTelemetry isn't installed; {hint}") from None
    made: Telemetry = spans.OpenTelemetry(export)
    return made


def say_watched(config: Config) -> None:
    """On stderr: what a guard with this guard.yaml has watched, and what of it would not work."""
    for line in watched_in_words(config.watchers):
        click.echo(f"mcp-guard: {escaped(line)}", err=True)


def watched_in_words(watchers: Watchers) -> Iterator[str]:
    """One line each. No scanner is called, and nothing is sent."""
    breaker, monitor, export = watchers.breaker, watchers.monitor, watchers.telemetry
    if breaker is not None:
        many = "" if breaker.denials is None else f"{breaker.denials} refusals within {in_words(breaker.within)}"
        grave = "" if breaker.severity is None else f"one of severity {breaker.severity.word} or more"
        yield f"breaker: a session is frozen after {' or '.join(filter(None, (many, grave)))}"
    if monitor is not None:
        does = {OnFlag.NOTE: "is noted", OnFlag.ASK: "asks a person", OnFlag.FREEZE: "freezes its session"}
        yield f"monitor: after {monitor.learn} calls, what is out of the ordinary {does[monitor.on_flag]}"
    for scanner in watchers.scanners:
        yield f"scanner {scanner.name}: {scanner.on.value}, {scanner.severity.word}{_problem(scanner)}"
    if export is not None:
        there = _is_installed("opentelemetry") and _is_installed("opentelemetry.sdk")
        rest = (
            "" if there else ": OpenTelemetry isn't installed (`pip install \"mcp-guard[otel]\"`), so `run` won't start"
        )
        unset = [name for name in export.collector.headers_env.values() if not os.environ.get(name)] if there else []
        rest = f": not set here: {', '.join(unset)}; nothing arrives without" if unset else rest
        yield f"telemetry: to {export.collector.origin}{rest}"


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _problem(scanner: Scanner) -> str:
    """Why a scanner in a file would count everything as found."""
    if scanner.module_file is None:
        return ""
    try:
        found = hashlib.sha256(scanner.module_file.read_bytes()).hexdigest()
    except OSError as error:
        return (
            f": {scanner.module_file} can't be read ({(error.strerror or '').lower()}), so everything counts as found"
        )
    if found != scanner.sha256:
        return f": {scanner.module_file} is another file by now (sha256 {found}), so everything counts as found"
    return ""
