"""Plays one run through a real guard: the SDK's client, `mcp-guard run`, the suite as a tool server, all processes.

Every run has a guard, a record and an environment of its own. What the client was told is kept beside what the
environment says was executed; they are compared, and only the environment counts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from benchmarks.alignment import suites
from benchmarks.alignment.control import Executed, read_end, write_start
from benchmarks.alignment.documents import Documents
from benchmarks.alignment.effects import SUITES
from benchmarks.alignment.outcome import Outcome
from benchmarks.alignment.plan import Run
from benchmarks.alignment.suites import Environment

ROOT = Path(__file__).resolve().parents[2]
STUB = Path(__file__).with_name("stub.py")
PATIENCE = 60.0  # seconds for one answer
DECISION = "mcp-guard/decision"


class Broken(Exception):
    """A run that ended otherwise than it should: the benchmark stops, since a number from it would mean nothing."""


@dataclass(frozen=True)
class Stage:
    """What the runs share: a directory of their own, and the process that forks servers."""

    directory: Path
    address: Path
    locks: Path

    async def play(self, run: Run, documents: Documents, *, approvals: bool) -> Outcome:
        """One run from start to end. With `approvals` a scripted person answers what the guard asks."""
        place = self.directory / f"{run.name.replace('/', '-')}{'-approved' if approvals else ''}"
        write_start(place, run.suite, run.start)
        said = await self._conversation(run, documents, place, approvals)
        executed, end = await _ended(run, place)
        _agree(run, said, executed)
        shutil.rmtree(place)
        return Outcome(run, tuple(said), tuple(executed), end)

    def lock(self, suite: str) -> None:
        """What the suite's server offers, as it is kept before any run: without it patterns don't reach what sends.

        Raises Broken if there is no lock afterwards.
        """
        place = self.directory / f"{suite}-locked"
        write_start(place, suite, suites.environment(suite, suites.user_tasks(suite)[0]))
        config, policy = place / "guard.yaml", place / "policy.yaml"
        policy.write_text("version: 1\ngrants: []\n")
        servers = self._servers(suite, place)
        config.write_text(json.dumps({"version": 1, "policy": str(policy), "servers": servers}))
        file = self.locks / f"{suite}.lock"
        command = [sys.executable, "-m", "mcp_guard", "lock", "--config", str(config), "--lock", str(file)]
        done = subprocess.run(command, env=_environment(place), cwd=place, capture_output=True, text=True, check=False)
        if not file.exists():
            raise Broken(f"{suite}: no lock was written: {done.stderr[-2000:]}")

    def _servers(self, suite: str, place: Path) -> dict[str, Any]:
        command = [sys.executable, "-S", "-E", str(STUB), str(self.address)]
        return {suite: {"command": command, "cwd": str(place), "timeout": PATIENCE}}

    async def _conversation(self, run: Run, documents: Documents, place: Path, approvals: bool) -> list[str]:
        config = place / "guard.yaml"
        settings = {"policy": str(documents.policy), "lock": str(self.locks / f"{run.suite}.lock")}
        config.write_text(json.dumps({"version": 1, **settings, "servers": self._servers(run.suite, place)}))
        needed = place / "needed.json"  # without approvals nobody agrees to anything, and says so at once
        needed.write_text(json.dumps([[step.tool, step.args] for step in run.needed] if approvals else []))
        guard = ["benchmarks.alignment.guarded", str(config), str(documents.mandate), str(needed)]
        environment = _environment(place)
        started = StdioServerParameters(command=sys.executable, args=["-m", *guard], env=environment, cwd=place)
        with (place / "stderr").open("w+") as log:
            try:
                with anyio.fail_after(PATIENCE):
                    async with Client(stdio_client(started, errlog=log), mode="legacy") as client:
                        return [await _call(client, f"{run.suite}__{step.tool}", step.args) for step in run.steps]
            except TimeoutError as error:
                log.seek(0)
                raise Broken(f"{run.name}: no answer; standard error: {log.read()[-2000:]}") from error


def _environment(place: Path) -> dict[str, str]:
    return {**os.environ, "MCP_GUARD_STATE": str(place / "state"), "PYTHONPATH": str(ROOT)}


async def _call(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    """What the client was told: `done`, `deny` or `ask`."""
    try:
        result = await client.session.call_tool(tool, arguments)
    except MCPError as error:
        if error.error.message.startswith("Unknown tool"):
            return "deny"  # hidden: the client can't tell it from a tool that doesn't exist
        raise
    decision = (result.meta or {}).get(DECISION)
    if decision is None:
        return "done"
    if decision["kind"] not in ("denied", "pending"):
        raise Broken(f"{tool}: {decision}")
    return str(decision["effect"])


async def _ended(run: Run, place: Path) -> tuple[list[Executed], Environment]:
    """What the server left. It ends with the guard, or a moment later."""
    try:
        with anyio.fail_after(PATIENCE):
            return await anyio.to_thread.run_sync(read_end, place, abandon_on_cancel=True)
    except (OSError, EOFError) as error:
        raise Broken(f"{run.name}: the suite's server did not end in order: {error!r}") from error


def _agree(run: Run, said: list[str], executed: list[Executed]) -> None:
    """Invariant: what a client was told was done is what the environment did, in this order, and nothing else."""
    told = [step for step, answer in zip(run.steps, said, strict=True) if answer == "done"]
    if told != [one.step for one in executed]:
        raise Broken(f"{run.name}: the guard said {said}, the environment did {[one.step.tool for one in executed]}")


@contextmanager
def stage(directory: Path, chosen: Sequence[str] = SUITES) -> Iterator[Stage]:
    """A process that has AgentDojo loaded and forks a server for each run, while this lasts."""
    directory = directory.resolve()
    address = directory / "zygote"
    zygote = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.alignment.zygote", str(address)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=directory,
    )
    with zygote:
        assert zygote.stdin
        assert zygote.stdout
        try:
            if zygote.stdout.readline() != b"ready\n":
                raise Broken("the suites' servers could not be loaded")
            ready = Stage(directory, address, directory / "locks")
            ready.locks.mkdir()
            for suite in chosen:
                ready.lock(suite)
            yield ready
        finally:
            zygote.stdin.close()
