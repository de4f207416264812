"""The generated part of docs/fidelity.md: a table for each revision, with what each proxy makes of each feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.fidelity.probe.features import BOTH, FEATURES, LEGACY, MODERN, Verdict
from tests.fidelity.probe.run import NOT_SERVED

BEGIN, END = "<!-- generated: scorecard -->", "<!-- end of scorecard -->"
CHANGED = {
    LEGACY: {
        "elicitation": "the question begins with the name of the server that asks, so that none can pass for another",
    },
    MODERN: {
        "caching hints": "`cacheScope: public` becomes `private`, since what one principal may see isn't for all; "
        "`ttlMs` stays",
    },
}
"""What our own columns change on purpose, by revision and feature, with the reason."""
ERAS = {"2025-11-25": "Legacy era", "2026-07-28": "Modern era"}


@dataclass(frozen=True)
class Result:
    """What one proxy between two transports made of it, by revision and feature."""

    title: str
    verdicts: Mapping[str, Mapping[str, str]]


def generated(results: Sequence[Result]) -> str:
    """Both tables, each with what our own columns change and why, as Markdown."""
    return "\n\n".join(f"{_table(revision, results)}\n\n{_reasons(revision)}" for revision in BOTH)


def _reasons(revision: str) -> str:
    return "\n".join(f"- mcp_guard changes *{feature}*: {why}" for feature, why in CHANGED[revision].items())


def surprises(results: Sequence[Result]) -> list[str]:
    """What these lost or changed and isn't known to be so; and what is known and isn't so any more."""
    return [
        f"{result.title}, {revision}: {feature} {verdict}"
        for result in results
        for revision in BOTH
        for feature, verdict in result.verdicts[revision].items()
        if verdict != (Verdict.CHANGED if feature in CHANGED[revision] else Verdict.KEPT)
    ]


def _table(revision: str, results: Sequence[Result]) -> str:
    rows = [
        ["feature", *(result.title for result in results)],
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
