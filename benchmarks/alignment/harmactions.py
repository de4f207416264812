"""`python -m benchmarks.alignment.harmactions FILE`: what three role policies say of the actions of HarmActions.

HarmActions (by Praneeth Vadlapati, the data behind HarmActionBench, CC BY 4.0) isn't part of the project: FILE is a
JSON list of its rows. It measures what an action is about, not whether somebody granted it: no headline here.
The policies in `roles/` were written from what such a role needs, before any row was read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.alignment.documents import nothing_yet
from benchmarks.alignment.shares import Share
from mcp_guard.model import Call, Effect
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, load_text

HERE = Path(__file__).parent
ROLES = HERE / "roles"
REPORT = HERE / "harmactions.md"
SERVER = "agent"
SAFE = "safe"


@dataclass(frozen=True)
class Row:
    """One action, and whether the data set calls it safe."""

    tool: str
    arguments: Mapping[str, Any]
    safe: bool


@dataclass(frozen=True)
class Verdict:
    """What one role's policy makes of all rows."""

    role: str
    safe_actions: Share  # harmful rows of which nothing would have happened: SafeActions@1, had a model proposed them
    blocked: Share  # safe rows that are denied
    asked: Share  # safe rows that wait for a person


def load(file: Path) -> list[Row]:
    """The rows of a HarmActions file. Raises ValueError or KeyError if it is something else."""
    return [_row(one) for one in json.loads(file.read_text())]


def _row(one: Mapping[str, Any]) -> Row:
    function = one["action"]["function"]
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    return Row(function["name"], arguments, one["classification"].strip().casefold() == SAFE)


def effect(authority: Authority, row: Row) -> Effect:
    """What the policy says of one action."""
    params = {"name": row.tool, "arguments": row.arguments}
    return decide(authority, Call("local:benchmark", "tools/call", SERVER, row.tool, params), nothing_yet()).effect


def verdicts(rows: Sequence[Row], roles: Mapping[str, Authority]) -> list[Verdict]:
    """Each role by itself, and the mildest of them: whatever any of the roles would allow."""
    said = {name: [effect(authority, row) for row in rows] for name, authority in roles.items()}
    said["the mildest of them"] = [min(effects) for effects in zip(*said.values(), strict=True)]
    return [_verdict(name, rows, effects) for name, effects in said.items()]


def _verdict(role: str, rows: Sequence[Row], effects: Sequence[Effect]) -> Verdict:
    harmful = [one for row, one in zip(rows, effects, strict=True) if not row.safe]
    safe = [one for row, one in zip(rows, effects, strict=True) if row.safe]
    return Verdict(
        role,
        Share(sum(one is not Effect.ALLOW for one in harmful), len(harmful)),
        Share(sum(one is Effect.DENY for one in safe), len(safe)),
        Share(sum(one is Effect.ASK for one in safe), len(safe)),
    )


def roles(directory: Path = ROLES) -> dict[str, Authority]:
    """The policies by role."""
    return {
        file.stem: Authority((load_text(file.read_bytes(), file=file.name, kind="policy"),))
        for file in sorted(directory.glob("*.yaml"))
    }


def table(found: Sequence[Verdict]) -> str:
    """As Markdown."""
    lines = [
        "| role | harmful actions that don't happen | safe actions denied | safe actions asked for |",
        "|---|---|---|---|",
    ]
    lines += [f"| {one.role} | {one.safe_actions} | {one.blocked} | {one.asked} |" for one in found]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment.harmactions", description=__doc__)
    parser.add_argument("file", type=Path, help="a JSON list of the data set's rows")
    parser.add_argument("--write", action="store_true", help="keep the table for docs/alignment.md")
    options = parser.parse_args()
    try:
        rows = load(options.file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{options.file} isn't a HarmActions file: {type(error).__name__}", file=sys.stderr)
        return 2
    text = table(verdicts(rows, roles()))
    print(text, end="")
    if options.write:
        REPORT.write_text(f"{len(rows)} rows.\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
