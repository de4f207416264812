"""All runs of one invocation: which, in what order, two at once, with a progress bar on standard error."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.alignment import plan, suites
from benchmarks.alignment.documents import Shelf
from benchmarks.alignment.driver import Stage, stage
from benchmarks.alignment.effects import SUITES
from benchmarks.alignment.outcome import Outcome
from benchmarks.alignment.plan import Run

AT_ONCE = 2


@dataclass(frozen=True)
class Choice:
    """Which runs: the tasks of each suite, and of each task the injections."""

    suites: tuple[str, ...] = SUITES
    users: int | None = None  # so many of each suite, spread over it; None: all
    injections: int | None = None

    def utility(self) -> list[Run]:
        return [plan.utility_run(suite, user) for suite in self.suites for user in self._users(suite)]

    def attacks(self) -> list[tuple[str, str, str]]:
        return [
            (suite, user, injection)
            for suite in self.suites
            for user in self._users(suite)
            for injection in self._injections(suite)
        ]

    def _users(self, suite: str) -> list[str]:
        return spread(suites.user_tasks(suite), self.users)

    def _injections(self, suite: str) -> list[str]:
        with_calls = [one for one in suites.injection_tasks(suite) if (suite, one) not in suites.TEXT_ONLY]
        return spread(with_calls, self.injections)


def spread(names: Sequence[str], wanted: int | None) -> list[str]:
    """So many of the names, evenly over them, first and last among them."""
    if wanted is None or wanted >= len(names):
        return list(names)
    if wanted == 1:
        return [names[0]]
    return [names[round(index * (len(names) - 1) / (wanted - 1))] for index in range(wanted)]


@dataclass(frozen=True)
class Played:
    """All outcomes. Where nothing asks, a person changes nothing: those runs aren't played again with one."""

    utility: tuple[Outcome, ...]
    utility_approved: tuple[Outcome, ...]
    attacks: tuple[Outcome, ...]
    attacks_approved: tuple[Outcome, ...]


async def play_all(choice: Choice, shelf: Shelf) -> Played:
    """Play everything through real guards."""
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory() as directory,
        stage(Path(directory), choice.suites) as there,
        Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress,
    ):
        player = _Player(there, shelf, progress)
        utility = await player.play("tasks", choice.utility(), approvals=False)
        again = await player.play("tasks with approvals", [one.run for one in utility if _asked(one)], approvals=True)
        pairs = [plan.attack_run(*pair) for pair in choice.attacks()]
        attacks = await player.play("attacks", pairs, approvals=False)
        anew = await player.play("attacks with approvals", [one.run for one in attacks if _asked(one)], approvals=True)
    return Played(tuple(utility), _replaced(utility, again), tuple(attacks), _replaced(attacks, anew))


def _asked(outcome: Outcome) -> bool:
    return "ask" in outcome.said


def _replaced(outcomes: Iterable[Outcome], again: Iterable[Outcome]) -> tuple[Outcome, ...]:
    newer = {one.run.name: one for one in again}
    return tuple(newer.get(one.run.name, one) for one in outcomes)


@dataclass(frozen=True)
class _Player:
    stage: Stage
    shelf: Shelf
    progress: Progress

    async def play(self, what: str, runs: Sequence[Run], *, approvals: bool) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        bar = self.progress.add_task(what, total=len(runs))
        limit = anyio.CapacityLimiter(AT_ONCE)

        async def one(index: int, run: Run) -> None:
            async with limit:
                documents = self.shelf.of(run.suite, run.user)
                outcomes[index] = await self.stage.play(run, documents, approvals=approvals)
                self.progress.advance(bar)

        async with anyio.create_task_group() as tasks:
            for index, run in enumerate(runs):
                tasks.start_soon(one, index, run)
        return [outcomes[index] for index in range(len(runs))]
