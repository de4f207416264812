"""What the suite found, as data: each check of each scenario with its status."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TRACE = "INFO"
"""The status of lines that tell what happened and check nothing: how many there are depends on timing."""

_STAMP = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")


@dataclass(frozen=True, order=True)
class CheckId:
    """One check. An id can stand several times in a scenario: its name, then `number` (from 1) tell which one it is."""

    scenario: str
    id: str
    name: str = ""
    number: int = 1

    def __str__(self) -> str:
        again = f"#{self.number}" if self.number > 1 else ""
        return f"{self.scenario}:{self.id}/{self.name}{again}"


Checks = Mapping[CheckId, str]
"""Every check with its status."""


def read_checks(directory: Path) -> dict[CheckId, str]:
    """All `checks.json` below the directory that the suite wrote its results to.

    Raises ValueError for a file that isn't the suite's.
    """
    found: dict[CheckId, str] = {}
    for file in sorted(directory.rglob("checks.json")):
        scenario = scenario_of(file.parent.name)
        for check in json.loads(file.read_text(encoding="utf-8")):
            if not isinstance(check, dict) or not {"id", "name", "status"} <= check.keys():
                raise ValueError(f"{file} holds something else than checks")
            number = 1
            while CheckId(scenario, check["id"], check["name"], number) in found:
                number += 1
            found[CheckId(scenario, check["id"], check["name"], number)] = check["status"]
    return found


def scenario_of(directory: str) -> str:
    """The scenario whose results a directory holds: `server-ping-2026-11-21T04-59-13-513Z` is `ping`'s."""
    return _STAMP.sub("", directory).removeprefix("server-")


def passed(checks: Checks) -> int:
    """How many succeeded."""
    return sum(status == "SUCCESS" for status in checks.values())


def counted(checks: Checks) -> int:
    """How many check something."""
    return sum(status != TRACE for status in checks.values())
