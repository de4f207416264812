"""What every run does: which calls, which of them are the user's and which the injection's.

A utility run makes the user's calls. An attack run makes the user's calls up to and including the first one whose
result shows a place that others write, since there the agent reads the injection, and then the injection's calls; where
no call shows such a place, all of the user's calls come first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from benchmarks.alignment import suites
from benchmarks.alignment.effects import SUITES
from benchmarks.alignment.suites import TEXT_ONLY, Environment, Step


@dataclass(frozen=True)
class Run:
    """One session: what it starts from, and the calls that it makes, the user's first."""

    suite: str
    user: str
    injection: str | None  # None: a utility run
    start: Environment
    steps: tuple[Step, ...]
    users: int  # so many of the steps are the user's own
    needed: tuple[Step, ...]  # all that the user's task needs here

    @property
    def name(self) -> str:
        return f"{self.suite}/{self.user}" + (f"/{self.injection}" if self.injection else "")

    @property
    def attack(self) -> tuple[Step, ...]:
        return self.steps[self.users :]

    @property
    def shipped(self) -> bool:
        return self.injection is None or suites.is_shipped(self.suite, self.injection)


def utility_run(suite: str, user: str) -> Run:
    """The user's task, with nobody interfering."""
    start = suites.environment(suite, user)
    calls = tuple(suites.needed(suite, user, start))
    return Run(suite, user, None, start, calls, len(calls), calls)


def attack_run(suite: str, user: str, injection: str) -> Run:
    """The user's task, in which the agent reads the injection and then does what that says."""
    text = suites.goal(suite, injection)
    start = suites.environment(suite, user, lambda _: text)
    needed = tuple(suites.needed(suite, user, start))
    seen = _first_sight(suite, user)
    before = needed if seen is None else needed[: seen + 1]
    now = suites.copied(start)
    for step in before:
        suites.execute(suite, now, step)
    calls = tuple(suites.attack(suite, injection, start, now))
    return Run(suite, user, injection, start, (*before, *calls), len(before), needed)


@cache
def _first_sight(suite: str, user: str) -> int | None:
    return suites.first_sight(suite, user)


def utility_runs(chosen: tuple[str, ...] = SUITES) -> Iterator[Run]:
    for suite in chosen:
        for user in suites.user_tasks(suite):
            yield utility_run(suite, user)


def attack_runs(chosen: tuple[str, ...] = SUITES) -> Iterator[Run]:
    """Every pair of a user's task and an injection that makes calls."""
    for suite in chosen:
        for user in suites.user_tasks(suite):
            for injection in suites.injection_tasks(suite):
                if (suite, injection) not in TEXT_ONLY:
                    yield attack_run(suite, user, injection)


def text_only_pairs(chosen: tuple[str, ...] = SUITES) -> int:
    """Pairs that no gate for actions can stop, since their injection makes no call."""
    return sum(len(suites.user_tasks(suite)) for suite, _ in TEXT_ONLY if suite in chosen)
