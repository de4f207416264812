"""What a full run came to, as JSON: committed beside the documents, and what a part of it is checked against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.alignment.outcome import Outcome
from benchmarks.alignment.running import Played

FILE = Path(__file__).with_name("results.json")
_LETTERS = {"done": "+", "ask": "?", "deny": "-"}


def words(outcome: Outcome) -> str:
    """One sign a call: `+` done, `?` a person would be asked, `-` denied; a bar before the injection's calls."""
    signs = "".join(_LETTERS[said] for said in outcome.said)
    users = outcome.run.users
    return signs if outcome.run.injection is None else f"{signs[:users]}|{signs[users:]}"


def as_json(played: Played) -> dict[str, dict[str, str]]:
    """Every run by name: without anybody to ask, and with the scripted person where it differs."""
    plain = {one.run.name: words(one) for one in (*played.utility, *played.attacks)}
    approved = {one.run.name: words(one) for one in (*played.utility_approved, *played.attacks_approved)}
    return {"runs": plain, "approved": {name: said for name, said in approved.items() if said != plain[name]}}


def write(played: Played, frozen: str, path: Path = FILE) -> None:
    lines = json.dumps({"frozen": frozen, **as_json(played)}, indent=1)
    path.write_text(lines + "\n")


def read(path: Path = FILE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def differences(played: Played, recorded: dict[str, Any]) -> list[str]:
    """The runs that came to something else than what was recorded: there should be none."""
    now, found = as_json(played), []
    for name, said in now["runs"].items():
        approved = now["approved"].get(name, said)
        before = recorded["runs"].get(name, "(none)")
        approved_before = recorded["approved"].get(name, before)
        if (said, approved) != (before, approved_before):
            found.append(f"{name}: {said} (with approvals {approved}), recorded {before} ({approved_before})")
    return found
