"""Callbacks that act once, whoever comes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_guard.transports.front import Answer


class Once:
    """Calls through the first time only: a deadline and the event it bounds may both come."""

    def __init__(self, target: Callable[[bool], None]) -> None:
        self._target: Callable[[bool], None] | None = target

    def __call__(self, value: bool) -> None:
        target, self._target = self._target, None
        if target is not None:
            target(value)


class OnceAnswer:
    """An answer that is given at most once, whoever comes first."""

    def __init__(self, target: Answer) -> None:
        self._target: Answer | None = target

    def __call__(self, answer: dict[str, Any]) -> None:
        target, self._target = self._target, None
        if target is not None:
            target(answer)
