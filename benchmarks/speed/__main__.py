"""`python -m benchmarks.speed`: one run of all there is, 22 minutes at most; `--quick` in two. Progress on stderr."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.proxies import PLACE_VARIABLE, default_place
from benchmarks.speed import cells, decisions, growth, inside, markdown, startup
from benchmarks.speed.callers import Broken
from benchmarks.speed.chains import Chain, Place, ours
from benchmarks.speed.peers import peers, versions
from benchmarks.speed.report import Report

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "performance.md"
LONGEST = 22 * 60  # seconds; then what is measured so far is printed, and nothing is written into the document
PARTS = ("calls", "starts", "judgements", "growth")
QUICK = cells.Amounts(rounds=2, least_rounds=2, calls=10, flood=70, turn=0.1, seconds=60)


class _TooLong(BaseException):
    """The time is over. Not an Exception: whoever catches those meanwhile means a chain that is broken."""


def _stop(*_: object) -> None:
    raise _TooLong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures there, too")
    parser.add_argument("--quick", action="store_true", help="few samples: shows that it works, proves nothing")
    parser.add_argument("--write", action="store_true", help="write tables and plots into docs/performance.md")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone")
    parser.add_argument("--no-peers", action="store_true", help="without other people's proxies")
    parser.add_argument(
        "--peers", metavar="DIR", type=Path, help=f"where `make peers` put them ({PLACE_VARIABLE}, or the cache)"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(LONGEST)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what it has started is ended all the same
    scratch = Path(tempfile.mkdtemp()).resolve()
    try:
        report = run(scratch, options)
    except Broken as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(), indent=2), encoding="utf-8")
    if options.write and not report.cut_short:
        markdown.write(report, DOCUMENT)
    print(markdown.text(report))
    return 1 if report.cut_short else 0


def run(scratch: Path, options: argparse.Namespace) -> Report:
    """All parts that are wanted, or those that there was time for."""
    began = time.monotonic()
    place = options.peers or default_place()
    there = not options.no_peers and place.is_dir()
    quick = options.quick
    report = Report(QUICK if quick else cells.Amounts(), versions(place) if there else {}, quick=quick)
    chains = [*ours(Place(scratch)), *(peers(place, scratch / "peers") if there else [])]

    def tick(what: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {what}", file=sys.stderr, flush=True)

    try:
        _measure(report, chains, scratch, options.only or PARTS, tick)
    except _TooLong:
        report.cut_short = True
        tick(f"{LONGEST // 60} minutes are over: the rest is left out")
    signal.alarm(0)
    report.seconds = time.monotonic() - began
    return report


def _measure(
    report: Report, chains: list[Chain], scratch: Path, parts: Sequence[str], tick: Callable[[str], None]
) -> None:
    """Each part after the other; within one, everything in turns."""
    quick = report.quick
    if "starts" in parts:
        report.starts = startup.measure(chains, 1 if quick else 5, tick)
        report.help_ms = startup.help_ms(2 if quick else 10)
    if "calls" in parts:
        report.measured = cells.measure(chains, report.amounts, tick)
    if "judgements" in parts:
        tick("judgements")
        report.judgements = decisions.measure(scratch / "judgements", 50 if quick else 500, lambda: None)
    if "growth" in parts:
        report.curves = inside.measure(scratch / "inside", inside.QUICK if quick else inside.Sizes(), tick)
        report.curves += growth.measure(scratch / "growth", growth.QUICK if quick else growth.Sizes(), tick)


if __name__ == "__main__":
    sys.exit(main())
