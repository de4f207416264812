"""`python -m benchmarks.alignment`: everything; with `--suite`, `--quick` and `--subset` a part of it.

A full run writes `docs/alignment.md`, its plots and `results.json`. A part of it writes nothing; it is compared with
what the full run recorded, since the same documents and calls must give the same decisions.
"""

from __future__ import annotations

import argparse
import json
import sys

import anyio
from rich.console import Console
from rich.progress import Progress

from benchmarks.alignment import report, results
from benchmarks.alignment.documents import Shelf
from benchmarks.alignment.driver import Broken
from benchmarks.alignment.effects import SUITES
from benchmarks.alignment.running import Choice, Played, play_all
from benchmarks.alignment.table import Table, tabulate

QUICK = {"users": 2, "injections": 2}
SUBSET = {"users": 3, "injections": 5}


def main() -> int:
    options = _options()
    chosen = (options.suite,) if options.suite else SUITES
    part = QUICK if options.quick else SUBSET if options.subset else {}
    shelf = Shelf()
    try:
        played = anyio.run(play_all, Choice(chosen, **part), shelf)
    except ExceptionGroup as errors:
        broken, others = errors.split(Broken)
        if others is not None or broken is None:
            raise
        print(*broken.exceptions, sep="\n", file=sys.stderr)
        return 1
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("baselines", total=5)
        table = tabulate(played, shelf, chosen, lambda: progress.advance(bar))
    if options.json:
        print(json.dumps(report.as_json(table), indent=2))
    else:
        report.show(table, Console(width=None if sys.stdout.isatty() else 140))
    if part or options.suite:
        return _compared(played, table)
    results.write(played, shelf.frozen())
    report.write(table, played, shelf)
    return _judged(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment", description=__doc__)
    parser.add_argument("--suite", choices=SUITES, help="only this suite")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="two tasks of a suite: shows that it works, proves nothing")
    size.add_argument("--subset", action="store_true", help="three tasks of a suite, five injections each")
    return parser.parse_args()


def _compared(played: Played, table: Table) -> int:
    """Is what was played what the last full run recorded?"""
    if not results.FILE.exists():
        print("there is no recorded run to compare with", file=sys.stderr)
        return 1
    found = results.differences(played, results.read())
    for line in found:
        print(f"differs: {line}", file=sys.stderr)
    return _judged(table) or (1 if found else 0)


def _judged(table: Table) -> int:
    """An executed call outside of the documents is a defect of the guard, whatever the other numbers are."""
    for line in table.outside:
        print(f"executed outside of the authority: {line}", file=sys.stderr)
    return 1 if table.outside else 0


if __name__ == "__main__":
    sys.exit(main())
