"""`python -m benchmarks.suggest [STORY]...`: what is suggested from the record of each example, as a table.

Each is played as its test does. Held out is the newest half of the calls: sessions are short. --json: as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.suggest.playing import clear, played, records, stories
from mcp_guard.cli.report import argument_digest, kept_values
from mcp_guard.cli.suggesting import Present, Suggestion, left_out_one_by_one, suggestion
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.events import events
from mcp_guard.record.query import Filter, open_for_reading

HELD_OUT = 0.5


@dataclass(frozen=True)
class Line:
    """One record under the policy that it was made under."""

    story: str
    policy: str
    grants: int
    calls: int
    with_values: int
    changes: int
    unproved: int
    held_out: int
    refused: int
    one_by_one: int  # of all calls, those that would be refused by what is made from all others


def line(story: str, directory: Path) -> Line | None:
    """None for a record in which nothing was allowed under a policy that is still there."""
    with open_for_reading(directory) as query:
        loaded = [row.body["data"]["documents"] for row in query.entries(Filter(kind=EntryKind.LOADED.value))]
        files = [Path(one["file"]) for each in loaded for one in each if one["kind"] == "policy"]
        if not files or not files[-1].exists():
            return None
        found = list(events(query.entries(Filter()), kept_values(directory)))
    present, digest = Present.read(files[-1], _variables(files[-1])), argument_digest(directory, None, said=False)
    made = suggestion(present, found, digest, HELD_OUT)
    refused = left_out_one_by_one(present, made.observed, digest)
    return _line(story, present, made, len(refused)) if made.observed.calls else None


def _variables(policy: Path) -> dict[str, str]:
    """Those of the `guard.yaml` beside it: a starter policy speaks of the project that it names."""
    from mcp_guard.config import load_config

    beside = policy.with_name("guard.yaml")
    return dict(load_config(beside).variables) if beside.exists() else {}


def _line(story: str, present: Present, made: Suggestion, one_by_one: int) -> Line:
    calls = made.observed.calls
    return Line(
        story=story,
        policy=present.file.name,
        grants=sum(rule.is_grant for rule in present.document.rules),
        calls=len(calls),
        with_values=sum(call.wholly_known for call in calls),
        changes=len(made.proved.made),
        unproved=len(made.proved.left),
        held_out=made.held_out.calls,
        refused=len(made.held_out.refused),
        one_by_one=one_by_one,
    )


def table(lines: Iterable[Line]) -> str:
    """As Markdown."""
    columns = ["example", "grants", "allowed calls", "with values", "lines made closer", "newest half"]
    columns += ["of these refused", "refused, left out one by one"]
    rows = [f"| {' | '.join(columns)} |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    for one in lines:
        calls = (one.calls, one.with_values, one.changes, one.held_out, one.refused, one.one_by_one)
        cells = (one.story, one.grants, *calls)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def measured(names: Iterable[str]) -> list[Line]:
    found: list[Line] = []
    for name in names:
        root = Path(tempfile.mkdtemp(prefix="s", dir="/tmp"))
        try:
            stage = asyncio.run(played(name, root))
            found += [one for directory in records(stage) if (one := line(name, directory)) is not None]
        finally:
            clear(root)
    return found


def main(words: list[str]) -> None:
    names = [word for word in words if not word.startswith("-")] or stories()
    found = measured(names)
    print(json.dumps([asdict(one) for one in found], indent=2) if "--json" in words else table(found))


if __name__ == "__main__":
    main(sys.argv[1:])
