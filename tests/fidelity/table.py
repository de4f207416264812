"""`python -m tests.fidelity.table`: the table of features in docs/fidelity.md, made from features.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.faults.table import ROOT, _sentence, _test

DOCUMENT = ROOT / "docs" / "fidelity.md"
BEGIN, END = "<!-- features: made by python -m tests.fidelity.table -->", "<!-- /features -->"
ERAS = ("legacy", "modern")


@dataclass(frozen=True)
class Row:
    """One feature: by era, its tests, or why it isn't there."""

    feature: str
    tests: dict[str, tuple[tuple[Path, str], ...]]
    why: dict[str, str]


def rows() -> list[Row]:
    """The whole table."""
    read = yaml.safe_load(Path(__file__).with_name("features.yaml").read_text(encoding="utf-8"))
    return [_row(one) for one in read]


def _row(one: dict[str, Any]) -> Row:
    said = {era: one.get(era, one.get("both")) for era in ERAS}
    tests = {era: tuple(map(_test, value)) for era, value in said.items() if isinstance(value, list)}
    return Row(one["feature"], tests, {era: value for era, value in said.items() if isinstance(value, str)})


def table() -> str:
    """In Markdown."""
    lines = ["| feature | 2025-11-25 | 2026-07-28 |", "|---|---|---|"]
    for row in rows():
        lines.append(f"| {row.feature} | {_cell(row, 'legacy')} | {_cell(row, 'modern')} |")
    return "\n".join(lines)


def _cell(row: Row, era: str) -> str:
    links = [f"[{_sentence(name)}](../{path.as_posix()})" for path, name in row.tests.get(era, ())]
    return "; ".join(links) or row.why[era]


def rendered(text: str) -> str:
    """The document with its table made anew. Raises ValueError where it has no place for one."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no place for the table in {DOCUMENT.name}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
