"""The corpus as a table by class: `python -m tests.adversarial [--json]`. Exit code 1 if a case isn't what it says."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import structlog

from tests.adversarial.classes import CLASSES
from tests.adversarial.corpus import Class
from tests.adversarial.playing import Stage, stage
from tests.adversarial.table import Row, table, through, total


async def row(kind: Class, place: Stage) -> Row:
    """Play one class."""
    found = Row(kind.name, len(kind.cases))
    for case in kind.filled():
        played = await place.play(case)
        found.stopped += not played.harmed
        found.twins += played.passed
        if played.harmed:
            found.through.append((case.name, case.through))
        if not (played.led_up and played.passed) or played.harmed is not bool(case.through):
            found.wrong.append(f"{case.name}: {played}")
    return found


async def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory)) as place:
        return [await row(kind, place) for kind in CLASSES]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.adversarial", description=__doc__)
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # refusals are what is wanted here
    found = asyncio.run(rows())
    if options.json:
        print(json.dumps({"classes": [asdict(one) for one in found], "total": asdict(total(found))}, indent=2))
    else:
        print(f"{table(found)}\n\n{through(found)}")
    for line in total(found).wrong:
        print(f"not as it says: {line}", file=sys.stderr)
    return int(any(one.wrong for one in found))


if __name__ == "__main__":
    sys.exit(main())
