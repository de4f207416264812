"""All scanners of one guard at work: what they say of one call, or of one answer.

A scanner's word only ever makes a decision stricter. One that is late, fails or can't read what it is given counts as
if it had found something (law 4).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from mcp_guard import aside
from mcp_guard.monitor.severity import Severity
from mcp_guard.scanners.process import ScannerProcess
from mcp_guard.scanners.settings import On, Raised, Scanner, search

Found = Callable[[tuple[Raised, ...]], None]


class Scanners:
    """The scanners that guard.yaml names, patterns compiled and processes started."""

    def __init__(self, scanners: Sequence[Scanner]) -> None:
        self._patterns = [(one, search(one.pattern)) for one in scanners if one.pattern]
        self._callables = [(one, ScannerProcess(one)) for one in scanners if one.function]
        self._on = {one.on for one in scanners}

    def look(self, on: On, tool: str, value: Any, then: Found) -> None:
        """Have everything that any of them is for looked at; `then` is called once, at once or later on the loop."""
        if on not in self._on:
            return then(())
        asked = [(one, process) for one, process in self._callables if one.on is on]

        def job() -> tuple[list[Raised], bytes | None]:
            return self._matched(on, value), _line({"on": on.value, "tool": tool, "value": value}) if asked else b""

        def failed(error: Exception) -> None:  # not of one scanner, but of the guard: unclear means no
            each = [one for one, _ in (*self._patterns, *self._callables) if one.on is on]
            then(tuple(Raised(one, Severity.HIGH, type(error).__name__) for one in each))

        # Millions of short texts take seconds: a long value is looked at beside the loop.
        return aside.look(
            tool.partition("/")[0], value, job, lambda done: self._ask(asked, done[0], done[1], then), failed
        )

    def _ask(
        self, asked: list[tuple[Scanner, ScannerProcess]], found: list[Raised], line: bytes | None, then: Found
    ) -> None:
        if line is None:
            return then((*found, *(Raised(one, one.severity, "it can't be read") for one, _ in asked)))
        if not asked:
            return then(tuple(found))
        waiting = {one.name for one, _ in asked}

        def said(name: str, raised: Raised | None) -> None:
            if raised is not None:
                found.append(raised)
            waiting.discard(name)
            if not waiting:
                then(tuple(found))

        for one, process in asked:
            process.ask(line, partial(said, one.name))
        return None

    def _matched(self, on: On, value: Any) -> list[Raised]:
        patterns = [(one, test) for one, test in self._patterns if one.on is on]
        found = []
        for one, test in patterns:
            try:
                if any(test(text) for text in texts(value)):
                    found.append(Raised(one, one.severity))
            except Exception as error:
                found.append(Raised(one, one.severity, type(error).__name__))
        return found

    def close(self) -> None:
        """End the processes."""
        for _, process in self._callables:
            process.close()


def _line(request: Mapping[str, Any]) -> bytes | None:
    """The request as a scanner's process reads it; None if it can't be written."""
    try:
        return orjson.dumps(request)
    except TypeError:  # whole numbers beyond 64 bits, and half characters
        pass
    try:
        return json.dumps(request).encode()
    except (TypeError, ValueError, RecursionError):
        return None


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names of members too; numbers as they are written."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            stack.extend(one.keys())
            stack.extend(one.values())
        elif isinstance(one, list | tuple):
            stack.extend(one)
        elif one is not None and not isinstance(one, bool):
            yield str(one)
