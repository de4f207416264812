"""What guard.yaml says of scanners: a regular expression each, or a Python callable.

Knows the settings and how a pattern is compiled, and starts nothing.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mcp_guard.model import By, Effect, RuleRef
from mcp_guard.monitor.severity import Severity

MAX_PATTERN = 1000
"""Characters of a pattern; a longer one is a program, not a rule that a person can read."""
CALLABLE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
"""`module:callable`."""
_MEMORY = 8 << 20
"""Bytes that one pattern's automaton may take."""


class On(StrEnum):
    """What a scanner looks at."""

    ARGUMENTS = "arguments"  # all that a client says in a call, before it is judged
    RESULTS = "results"  # what a server answers, before the client sees it


@dataclass(frozen=True, slots=True)
class Scanner:
    """One scanner. `severity` is what a match is, and what one counts as that was late or failed."""

    name: str
    on: On
    severity: Severity
    at: tuple[str, int, int]  # file, line and column of guard.yaml
    pattern: str = ""
    function: str = ""  # `module:callable`
    module_file: Path | None = None  # its code, if it stands beside guard.yaml; None: an installed module
    sha256: str = ""  # of that file: other code is a failed scanner
    timeout: float = 1.0  # seconds

    @property
    def ref(self) -> RuleRef:
        """As a rule that asks: what an entry and an approval say of it."""
        return RuleRef("scanner", self.name, Effect.ASK, *self.at, by=By.PERSON)


@dataclass(frozen=True, slots=True)
class Raised:
    """What one scanner says of one call or answer."""

    scanner: Scanner
    severity: Severity
    failed: str = ""  # it was late or failed, and this is how; a severity all the same

    @property
    def says(self) -> str:
        """For the record: no text of what was scanned."""
        why = f" ({self.failed}, which counts as found)" if self.failed else ""
        return f"scanner {self.scanner.name}: {self.severity.word}{why}"


def search(pattern: str) -> Callable[[str], bool]:
    """`pattern` as a search in linear time; raises ValueError if it doesn't compile. True too if it can't say."""
    re2 = importlib.import_module("re2")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        made: Any = re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError("is not a regular expression of RE2") from error

    def found(text: str) -> bool:
        return made.search(text) is not None

    return found
