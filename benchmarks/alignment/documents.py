"""The frozen documents: one policy a suite, one mandate a task, and the commit that froze them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.document import Authority, Document, load_text

HERE = Path(__file__).resolve().parent
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
"""When the pure judge holds every mandate to have been given; its facts say that it is a minute later."""


@dataclass(frozen=True)
class Documents:
    """What binds one task's session."""

    policy: Path
    mandate: Path

    @cache  # noqa: B019 - a hundred of them, and they are asked for thousands of times
    def authority(self) -> Authority:
        """Both layers, for the pure judge."""
        mandate = load_text(self.mandate.read_bytes(), file=self.mandate.name, kind="mandate")
        return Authority((_policy(self.policy), mandate), STARTED)


@dataclass(frozen=True)
class Shelf:
    """Where the documents of all tasks stand: `policies/SUITE.yaml` and `mandates/SUITE/TASK.yaml`."""

    directory: Path = HERE

    def of(self, suite: str, user: str) -> Documents:
        return Documents(
            self.directory / "policies" / f"{suite}.yaml", self.directory / "mandates" / suite / f"{user}.yaml"
        )

    def frozen(self) -> str:
        """The last commit that touched a policy or a mandate; empty outside of a repository."""
        command = ["git", "log", "-1", "--format=%H", "--", "policies", "mandates"]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False)
        return done.stdout.strip()


@cache
def _policy(path: Path) -> Document:
    return load_text(path.read_bytes(), file=path.name, kind="policy")  # by its name: no place of this machine is said


def nothing_yet(authority: Authority | None = None) -> CaseFacts:
    """A session in which nothing has been used. The suites' tools have no annotations and none comes later."""
    return CaseFacts(STARTED + timedelta(minutes=1), "/", {}, authority=authority)
