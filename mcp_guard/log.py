"""Operational messages on stderr: readable on a terminal, JSON lines otherwise. Stdout is the protocol's.

`structlog` is imported with the first message, not before: it costs more than the rest of the start.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from mcp_guard.escaping import escaped

_logger: Any = None
_taker: Callable[[str, dict[str, object]], None] | None = None


def divert(taker: Callable[[str, dict[str, object]], None]) -> None:
    """From now on give messages to `taker`: for a command that says these things in its own words."""
    global _taker
    _taker = taker


def _configured() -> Any:
    global _logger
    if _logger is None:
        import structlog

        shared: list[Any] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
        plain = bool(os.environ.get("NO_COLOR"))
        console = structlog.dev.ConsoleRenderer(colors=not plain)
        last = console if sys.stderr.isatty() else structlog.processors.JSONRenderer()
        structlog.configure(
            processors=[*shared, last],
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
            cache_logger_on_first_use=True,
        )
        _logger = structlog.get_logger()
    return _logger


def info(event: str, **values: object) -> None:
    """Something that a person who looks after the guard may want to know."""
    _say("info", event, values)


def warning(event: str, **values: object) -> None:
    """Something that a person should look at."""
    _say("warning", event, values)


def _say(level: str, event: str, values: dict[str, object]) -> None:
    # Invariant: nothing is raised. Whoever logs is about to answer a client, and stderr may be closed or its disk full.
    if _taker is not None:
        return _taker(event, values)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        getattr(_configured(), level)(event, **{key: _printable(value) for key, value in values.items()})


def _printable(value: object) -> object:
    """Text from a client or a server must not steer the terminal."""
    if isinstance(value, str):
        return escaped(value[:500])
    return value
