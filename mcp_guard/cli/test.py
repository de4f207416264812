"""`mcp-guard test`: do the documents decide as their cases expect, and would the cases notice if they didn't.

Starts no server, looks at no file but the documents, the cases and what is accepted, and writes to no record.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from mcp_guard.accepting.versions import is_another
from mcp_guard.cli.case_files import pairs
from mcp_guard.cli.case_report import Report, Survivor, junit, show, to_dict
from mcp_guard.errors import InputError
from mcp_guard.policy.cases import Suite
from mcp_guard.policy.cases_run import Played, play
from mcp_guard.policy.coverage import coverage_of
from mcp_guard.policy.mutation import mutants_of, survivors
from mcp_guard.policy.mutation_hints import suggestion
from mcp_guard.record.place import state_directory
from mcp_guard.record.shown import escaped


@click.command(epilog="Example: mcp-guard test project.yaml --mutate --min-coverage 100")
@click.option("--config", type=click.Path(path_type=Path), help="Test the policy of this guard.yaml.")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="Test this policy; FILE may then be cases from elsewhere."
)
@click.option("--min-coverage", type=click.FloatRange(0, 100), metavar="N", help="Fail below N percent of clauses.")
@click.option("--accepted", is_flag=True, help="Test the accepted version instead of the one on disk.")
@click.option("--mutate", is_flag=True, help="Weaken each clause once; fail if no case notices.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Also write a JUnit report to this file.")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
def test(
    config: Path | None,
    policy: Path | None,
    min_coverage: float | None,
    accepted: bool,
    mutate: bool,
    as_json: bool,
    junit_file: Path | None,
    files: tuple[Path, ...],
) -> int:
    """Run the cases that stand beside a policy: `project.cases.yaml` beside `project.yaml`.

    FILE is a policy or mandate, its cases, or a directory of them. Without one: the policy of guard.yaml, or every case
    file in this directory. Exit code 1 when a case fails, coverage is below N or a mutant is left, 2 when a file is
    wrong.
    """
    state = state_directory(None)
    found = [replace(pair, accepted=state if accepted else None) for pair in pairs(files, config, policy)]
    suites = [pair.suite() for pair in found]  # all of them are right before one is run
    for document in dict.fromkeys(pair.document for pair in found):
        if is_another(state, document):
            which = "the version that is accepted is" if accepted else "this version is on disk and not in force; it is"
            other = "without `--accepted`, the one on disk is" if accepted else "`--accepted` tests the one that is"
            click.echo(f"mcp-guard: {escaped(str(document))}: {which} tested; {other}", err=True)
    console = Console(highlight=False, soft_wrap=True)
    reports = []
    for suite in suites:
        report = _run(suite, mutate=mutate)
        reports.append(report)
        if not as_json:
            show(console, report, min_coverage)
    good = all(report.good(min_coverage) for report in reports)
    if as_json:
        said = {"ok": good, "files": [to_dict(report, min_coverage) for report in reports]}
        click.echo(json.dumps(said, indent=2).replace("\x7f", "\\u007f"))
    if junit_file is not None:
        _write(junit_file, junit(reports, min_coverage))
    return 0 if good else 1


def _run(suite: Suite, *, mutate: bool) -> Report:
    played = tuple(play(suite, case) for case in suite.cases)
    coverage = coverage_of(suite, played)
    if not mutate:
        return Report(suite, played, coverage)
    count, left = _mutated(suite, played)
    return Report(suite, played, coverage, count, left)


def _mutated(suite: Suite, played: tuple[Played, ...]) -> tuple[int, tuple[Survivor, ...]]:
    total = sum(1 for _ in mutants_of(suite.document))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("weakening each clause", total=total)
        count, left = survivors(suite, played, lambda: progress.advance(task))
    return count, tuple(Survivor(mutant, suggestion(suite, mutant, played)) for mutant in left)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or type(error).__name__}") from None
