"""Play a case: the attack and its twin, each as a person of its own. What happened is read from the servers."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from mcp_guard.record.store import Record
from tests.adversarial.corpus import Case, Do
from tests.adversarial.world import World
from tests.patience import PATIENCE


@dataclass(frozen=True)
class Played:
    """What became of a case."""

    harmed: bool  # the harm of the attack was done
    led_up: bool  # every call that leads up to it was made
    passed: bool  # every call of the twin was made


class Stage:
    """Where cases are played: one record, and a directory with a project in it."""

    def __init__(self, record: Record, home: Path) -> None:
        self.record, self.home = record, home
        self.numbers = count()

    def world(self, case: Case) -> World:
        return World(self.record, self.home, next(self.numbers), case.policy, case.mandate, case.yes)

    async def play(self, case: Case) -> Played:
        if case.prepare is not None:
            return await self._alone(case)
        return await self._played(case)

    async def _alone(self, case: Case) -> Played:
        """With a record of its own, to which the servers as the attacker made them are new."""
        with tempfile.TemporaryDirectory(dir=self.home) as directory:
            record = Record.open(Path(directory) / "state", session="stage", clock=lambda: datetime.now(UTC))
            try:
                return await Stage(record, self.home)._played(case)
            finally:
                record.close()

    async def _played(self, case: Case) -> Played:
        world, twin = self.world(case), self.world(case)
        for one in (world, twin) if case.prepare is not None else ():
            case.prepare(one)  # type: ignore[misc]
        made = await self._made(world, case.attack, together=case.together)
        harmed = made[-1] if case.harm is None else case.harm(world.done)
        passed = all(await self._made(twin, case.twin, together=case.together))
        if case.harm is not None:
            passed = passed and not case.harm(twin.done)
        return Played(harmed, all(made[:-1]) or case.harm is not None, passed)

    async def _made(self, world: World, steps: tuple[Do, ...], *, together: bool) -> list[bool]:
        if not together:
            return [await world.call(step) for step in steps]
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(world.start(step) for step in steps))
        return [index < len(world.done) for index in range(len(steps))]


@contextmanager
def stage(directory: Path) -> Iterator[Stage]:
    home = directory / "home"
    (home / "project" / "src").mkdir(parents=True)
    (home / "project-other").mkdir()
    (home / "private").mkdir()
    (home / "guarded").mkdir()
    (home / "private" / "key.txt").touch()
    (home / "project" / "out").symlink_to(home / "private")
    (home / "project" / "key.txt").symlink_to(home / "private" / "key.txt")
    record = Record.open(directory / "state", session="stage", clock=lambda: datetime.now(UTC))
    try:
        yield Stage(record, home)
    finally:
        record.close()
