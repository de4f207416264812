"""`python -m benchmarks.policy [--json] [--quick]`: what a decision, loading and comparing cost, in some seconds."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.policy.measure import Report, Times, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--quick", action="store_true", help="few samples: shows that it works, proves nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report = run(Path(directory).resolve(), *((500, 1) if options.quick else (20_000, 5)))
    print(json.dumps(report.as_json(), indent=2) if options.json else "\n".join(lines(report)))
    return 0


def lines(report: Report) -> list[str]:
    """For people."""
    return [
        "one decision: two layers, budgets, a rate, 200 calls before it (in memory)",
        *(f"  {rules:>5} rules  {_said(times)}" for rules, times in report.in_memory.items()),
        "one decision: one layer, a path and a number, no budget",
        *(f"  {rules:>5} rules  {_said(times)}" for rules, times in report.alone.items()),
        f"with the history in the record, 1,000 rules  {_said(report.record)}",
        f"  and charged, written and committed         {_said(report.step)}",
        f"loading 1,000 rules   {report.load_ms:7.1f} ms",
        f"diff of 200 and 200   {report.diff_ms:7.1f} ms",
    ]


def _said(times: Times) -> str:
    return f"p50 {times.p50:6.1f} us   p99 {times.p99:6.1f} us"


if __name__ == "__main__":
    sys.exit(main())
