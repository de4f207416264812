"""Writes the report: tables and plots into the hand-written template, or the same numbers to a terminal or as JSON."""

from __future__ import annotations

import dataclasses
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from benchmarks.alignment import markdown, plots
from benchmarks.alignment.documents import Shelf
from benchmarks.alignment.plan import text_only_pairs
from benchmarks.alignment.running import Played
from benchmarks.alignment.shares import Share
from benchmarks.alignment.table import OURS, Table

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
PLACE = re.compile(r"<!-- ([a-z-]+) -->\n")


def write(table: Table, played: Played, shelf: Shelf, docs: Path = DOCS) -> None:
    """`alignment.md` with its plots; every place in the template has to be filled, and nothing else."""
    plots.attacks(table, docs / "alignment-attacks.svg")
    plots.utility(table, docs / "alignment-utility.svg")
    (docs / "alignment.md").write_text(filled((HERE / "template.md").read_text(), parts(table, played, shelf)))


def filled(template: str, texts: dict[str, str]) -> str:
    """The template with its places filled. Raises KeyError for a place that nothing fills."""
    return PLACE.sub(lambda place: texts[place[1]].rstrip() + "\n", template)


def parts(table: Table, played: Played, shelf: Shelf) -> dict[str, str]:
    procedure = (HERE / "PROCEDURE.md").read_text().split("\n", 1)[1]
    shipped = sum(one.run.shipped for one in played.attacks)
    pairs = f"{len(played.attacks)} pairs, {shipped} of them with calls that the package ships"
    return {
        "summary": summary(table),
        "frozen": f"The documents: commit `{shelf.frozen()}`. Played: {pairs}; {text_only_pairs()} more make no call.",
        "ours": markdown.ours(table),
        "beside": markdown.beside(table),
        "computed": markdown.computed(table),
        "outside": f"Executed calls outside of the authority: **{len(table.outside)}**.",
        "needs": markdown.shortfalls(table.shortfalls, "None: every needed call was allowed, and every task is done."),
        "open": markdown.shortfalls(table.open_attacks, "None."),
        "procedure": re.sub(r"^#", "###", procedure, flags=re.MULTILINE).replace("####", "###"),
        "versions": versions(),
        "harmactions": (HERE / "harmactions.md").read_text() if (HERE / "harmactions.md").exists() else "",
    }


def summary(table: Table) -> str:
    """The numbers that belong together, in one breath."""
    line = table.line()
    assert line.utility_approved
    assert line.burden
    low, high = line.attacks.clean.interval
    parts = [
        f"**Clean {line.attacks.clean}**, interval {low:.1%} to {high:.1%}, worst suite {markdown.worst(table, OURS)}",
        f"of the pairs whose calls the package ships {line.shipped.clean}",
        f"excess authority {line.attacks.excess}",
        f"tasks done {line.utility.useful} with nobody to ask and {line.utility_approved.useful} with approvals",
        f"asks {line.utility.asked_calls}",
        f"over-block {line.utility.blocked_tasks} of the tasks",
        f"twins told apart {line.twins.alone}, with approvals {line.twins.approved}",
        f"mandates of {line.burden.lines[0]:g} lines in the middle",
    ]
    return "; ".join(parts) + "."


def versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("agentdojo", "mcp-guard", "mcp", "pydantic"))
    return f"{packages}; Python {platform.python_version()} on {platform.system()}."


def show(table: Table, console: Console) -> None:
    """The main tables on a terminal."""
    for text in (markdown.ours(table), markdown.beside(table) if table.lines_of(None) else ""):
        if text:
            console.print(_grid(text))
    console.print(f"executed outside of the authority: {len(table.outside)}")


def _grid(text: str) -> Grid:
    head, _, *body = [line.strip("|").split("|") for line in text.replace("**", "").splitlines()]
    grid = Grid(*(cell.strip() for cell in head), box=None)
    for line in body:
        grid.add_row(*(cell.strip() for cell in line))
    return grid


def as_json(table: Table) -> dict[str, Any]:
    """Everything, with shares as hits, of and interval."""
    found: dict[str, Any] = _plain(table)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Share):
        return {"hits": value.hits, "of": value.of, "share": value.value, "interval": list(value.interval)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
