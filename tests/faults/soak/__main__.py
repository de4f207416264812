"""`python -m tests.faults.soak --minutes 5 --clients 8 --servers 5`: figures, and exit 1 if one is wrong."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from mcp_guard import log
from tests.faults.soak.run import Report, soak

MOST_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--servers", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    log.divert(lambda event, values: None)  # the guard in this process; the others keep their own counsel
    nothing, told = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    os.dup2(nothing, 2)  # the servers of the guard in this process write what they like there
    sys.stderr = os.fdopen(told, "w", buffering=1)  # what breaks the soak itself is still told
    os.close(nothing)
    with tempfile.TemporaryDirectory(prefix="mcp-guard-soak-") as home:
        run = soak(
            Path(home),
            seconds=chosen.minutes * 60,
            clients=chosen.clients,
            servers=chosen.servers,
            seed=chosen.seed,
        )
        report = asyncio.run(run)
    show(report)
    return 1 if report.wrong else 0


def show(report: Report) -> None:
    ledger = report.ledger
    print(f"{report.seconds / 60:g} minutes, {report.clients} clients, {report.servers} servers")
    ends = ", ".join(f"{count:,} {end}" for end, count in sorted(ledger.ends.items()))
    print(f"{ledger.asked:,} requests: {ends}, {len(ledger.unanswered)} unanswered, {len(ledger.twice)} answered twice")
    print(f"the slowest answer took {ledger.longest:.1f} s")
    print("faults: " + ", ".join(f"{fault} {count}" for fault, count in sorted(ledger.faults.items())))
    print(
        f"{report.executed:,} calls executed with a mark of their own, each once; {report.entries:,} entries verified"
    )
    for name, (early, late) in report.growth.items():
        print(
            f"{name}: descriptors {early.descriptors} -> {late.descriptors}, "
            f"memory {early.memory >> 20} -> {late.memory >> 20} MiB, processes {early.processes} -> {late.processes}"
        )
    for line in report.wrong[:MOST_SHOWN]:
        print(f"WRONG: {line}")
    print("nothing leaked, nothing was lost, nothing came twice" if not report.wrong else f"{len(report.wrong)} wrong")


if __name__ == "__main__":
    sys.exit(main())
