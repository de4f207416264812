"""Puts together what guard.yaml has watched: breaker, monitor, scanners, telemetry. Imports what is configured."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from mcp_guard.config_watch import Watchers
from mcp_guard.errors import InputError
from mcp_guard.guard import Guard
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
