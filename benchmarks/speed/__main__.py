"""`python -m benchmarks.speed [--json] [--quick]`: one run, all rows. Progress goes to standard error."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.speed import calls, decisions, startup
from benchmarks.speed.callers import Broken
from benchmarks.speed.chains import Chain, Place, chains
from benchmarks.speed.report import Report

FULL = {"rounds": 40, "calls": 50, "samples": 1000, "repeats": 10}
QUICK = {"rounds": 5, "calls": 20, "samples": 50, "repeats": 2}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--quick", action="store_true", help="few samples: shows that it works, proves nothing")
    options = parser.parse_args()
    amounts = QUICK if options.quick else FULL
    try:
        with tempfile.TemporaryDirectory() as directory:
            report = run(Path(directory).resolve(), **amounts)
    except Broken as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        report.show(Console(width=None if sys.stdout.isatty() else 120))
    return 0


def run(directory: Path, *, rounds: int, calls: int, samples: int, repeats: int) -> Report:
    """Everything, one kind after the other, with a progress bar."""
    rows = chains(Place(directory))
    columns = (TextColumn("{task.description:<12}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        return measured(directory, rows, progress, rounds, calls, samples, repeats)


def measured(
    directory: Path, rows: list[Chain], progress: Progress, rounds: int, per_round: int, samples: int, repeats: int
) -> Report:
    stdio = sum(chain.transport == "stdio" for chain in rows)
    guards = sum(chain.transport == "stdio" and chain.name == "guard" for chain in rows)
    tasks = {
        "calls": progress.add_task("calls", total=rounds * len(rows)),
        "judgements": progress.add_task("judgements", total=samples * len(decisions.SIZES)),
        "starts": progress.add_task("starts", total=repeats * stdio),
        "memory": progress.add_task("memory", total=guards),
    }

    def advance(name: str) -> None:
        task: TaskID = tasks[name]
        progress.advance(task)

    return Report(
        rounds,
        per_round,
        calls.measure(rows, rounds, per_round, lambda: advance("calls")),
        decisions.measure(directory, samples, lambda: advance("judgements")),
        startup.measure_start(rows, repeats, lambda: advance("starts")),
        startup.measure_memory(rows, 200, lambda: advance("memory")),
    )


if __name__ == "__main__":
    sys.exit(main())
