"""What the harness and a suite's server say to each other, past the guard: a start, the executed calls, an end.

A run is a directory that the harness made: `start` holds suite and environment, `ledger` gets one line a call before
the call is answered, `end` the final environment. The guard knows none of them: what was executed is read here.
"""

from __future__ import annotations

import fcntl
import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from benchmarks.alignment import suites
from benchmarks.alignment.suites import Environment, Step


@dataclass(frozen=True)
class Executed:
    """One call that reached the environment, whatever came of it there."""

    step: Step
    changed: bool  # is the environment another one afterwards?
    error: str | None


@dataclass
class Control:
    """The server's side of one run."""

    suite: str
    environment: Environment
    ledger: TextIO

    def execute(self, step: Step) -> tuple[str, str | None]:
        """Carry a call out, and write it down."""
        before = self.environment.model_dump_json()
        text, error = suites.execute(self.suite, self.environment, step)
        changed = self.environment.model_dump_json() != before
        line = {"tool": step.tool, "args": step.args, "changed": changed, "error": error}
        self.ledger.write(json.dumps(line) + "\n")
        self.ledger.flush()
        return text, error


@contextmanager
def open_run(directory: str) -> Iterator[Control]:
    """The server's side of the run in `directory`, until the server ends."""
    place = Path(directory)
    suite, environment = pickle.loads((place / "start").read_bytes())  # noqa: S301 - written by the harness
    with (place / "ledger").open("a") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)  # held as long as this server lives: the harness waits for it
        control = Control(suite, environment, ledger)
        yield control
        (place / "end").write_bytes(pickle.dumps(control.environment))


def write_start(directory: Path, suite: str, environment: Environment) -> None:
    """The harness's side: what the server is to start from."""
    directory.mkdir(mode=0o700)
    (directory / "start").write_bytes(pickle.dumps((suite, environment)))
    (directory / "ledger").touch()


def read_end(directory: Path) -> tuple[list[Executed], Environment]:
    """The harness's side: what was executed, and what it came to. Waits for the server, which ends with the guard.

    Raises OSError if it didn't end in order.
    """
    with (directory / "ledger").open() as ledger:
        fcntl.flock(ledger, fcntl.LOCK_SH)
    environment = pickle.loads((directory / "end").read_bytes())  # noqa: S301 - written by our own child
    lines = (directory / "ledger").read_text().splitlines()
    return [_executed(json.loads(line)) for line in lines], environment


def _executed(line: dict[str, Any]) -> Executed:
    return Executed(Step(line["tool"], line["args"]), line["changed"], line["error"])
