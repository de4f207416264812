"""The generated part of docs/fidelity.md: a table for each revision, with what each proxy makes of each feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.fidelity.probe.features import BOTH, FEATURES
from tests.fidelity.probe.run import NOT_SERVED

BEGIN, END = "<!-- generated: scorecard -->", "<!-- end of scorecard -->"
ERAS = {"2025-11-25": "Legacy era", "2026-07-28": "Modern era"}


@dataclass(frozen=True)
class Result:
    """What one proxy on one transport made of it, by revision and feature."""

    name: str
    version: str
    transport: str
    verdicts: Mapping[str, Mapping[str, str]]


def tables(results: Sequence[Result]) -> str:
    """Both tables, as Markdown."""
    return "\n\n".join(_table(revision, results) for revision in BOTH)


def _table(revision: str, results: Sequence[Result]) -> str:
    rows = [
        ["feature", *(f"{result.name} {result.version}, {result.transport}" for result in results)],
        ["---"] * (len(results) + 1),
    ]
    for feature in FEATURES:
        if revision in feature.revisions:
            rows.append([feature.name, *(_cell(result, revision, feature.name) for result in results)])
    rows.append(["**kept**", *(_sum(result, revision) for result in results)])
    return f"### {ERAS[revision]} ({revision})\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(result: Result, revision: str, feature: str) -> str:
    verdict = result.verdicts[revision][feature]
    return {"kept": "kept", NOT_SERVED: "-"}.get(verdict, f"**{verdict}**")


def _sum(result: Result, revision: str) -> str:
    verdicts = list(result.verdicts[revision].values())
    if NOT_SERVED in verdicts:
        return NOT_SERVED
    return f"{verdicts.count('kept')} of {len(verdicts)}"


def put_into(document: str, generated: str) -> str:
    """The document with its generated part replaced. Raises ValueError where it has no place for one."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no `{BEGIN}` with an `{END}` after it")
    return f"{before}{BEGIN}\n\n{generated}\n\n{END}{after}"
