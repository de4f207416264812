"""Probes the guard, and other proxies where they are installed, and writes the scorecard into docs/fidelity.md.

Exit code 1: our own columns have something lost or changed that isn't known, or keep what is known to be changed.
2: one of the proxies couldn't be run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tests.fidelity.probe.columns import POLICY, Column, others, ours
from tests.fidelity.probe.features import BOTH
from tests.fidelity.probe.run import probe, probe_twice
from tests.fidelity.probe.scorecard import Result, generated, put_into, surprises
from tests.fidelity.processes import NotStarted
from tests.fidelity.routes import REPOSITORY, Place

DOCUMENT = REPOSITORY / "docs" / "fidelity.md"


async def _probed(column: Column, look: Callable[..., Awaitable[dict[str, str]]]) -> Result:
    verdicts = {}
    with column.open() as reached:
        for revision in BOTH:
            verdicts[revision] = await look(reached, revision)
    return Result(column.title, verdicts)


def _results(columns: Sequence[Column], look: Callable[..., Awaitable[dict[str, str]]]) -> list[Result]:
    results = []
    for column in columns:
        print(f"probing {column.title}", file=sys.stderr)
        results.append(asyncio.run(_probed(column, look)))
    return results


def main() -> int:
    """Probe every column, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fidelity.probe", description=__doc__)
    parser.add_argument("--peers", type=Path, help="where `make peers` put other proxies")
    parser.add_argument("--policy", type=Path, default=POLICY, help="what the guard grants")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/fidelity.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory), given.policy.resolve())
        try:
            own = _results(ours(place), probe)
            results = own + (_results(others(given.peers.resolve(), place), probe_twice) if given.peers else [])
        except NotStarted as failure:
            print(failure, file=sys.stderr)
            return 2
    text = generated(results)
    print(text)
    if given.write:
        DOCUMENT.write_text(put_into(DOCUMENT.read_text(encoding="utf-8"), text), encoding="utf-8")
    for surprise in (found := surprises(own)):
        print(f"NOT KNOWN: {surprise}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
