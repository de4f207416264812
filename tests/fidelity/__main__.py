"""Runs the official conformance suite against a server alone and through the guard, and compares check by check.

Exit code 0: all that differs is on the list of expected differences, and all on the list differs. 1: something else.
2: the suite or a server couldn't be run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fidelity.clients import client_rows
from tests.fidelity.expected import FILE, load_expected
from tests.fidelity.processes import NotStarted
from tests.fidelity.report import Report, Row
from tests.fidelity.routes import POLICY, Place
from tests.fidelity.servers import server_rows
from tests.fidelity.suite import DIRECTORY, Failed, Suite


def _told(rows: Iterable[Row]) -> list[Row]:
    """All rows, each told as it is done."""
    done = []
    for row in rows:
        done.append(row)
        print(f"done: {row.mode} {row.revision} {row.route}", file=sys.stderr)
    return done


def main() -> int:
    """Run, print, and say by the exit code whether there is parity."""
    parser = argparse.ArgumentParser(prog="python -m tests.fidelity", description=__doc__)
    parser.add_argument("--suite", type=Path, default=DIRECTORY, help="where the npm package is installed")
    parser.add_argument("--expected", type=Path, default=FILE, help="the file of expected differences")
    parser.add_argument("--policy", type=Path, default=POLICY, help="what the guard grants")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    suite, expected, report = Suite(given.suite), load_expected(given.expected), Report()
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory), given.policy.resolve())
        try:
            # Both halves wait more than they compute, and share nothing: each has its own processes, ports and state.
            with ThreadPoolExecutor() as both:
                halves = [both.submit(_told, rows(suite, place, expected)) for rows in (server_rows, client_rows)]
                report.rows += [row for half in halves for row in half.result()]
        except (Failed, NotStarted) as failure:
            print(failure, file=sys.stderr)
            return 2
    print(json.dumps(report.as_json(), indent=2) if given.json else report.as_text())
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
