"""The corpus as a table by class: `python -m tests.adversarial [--json]`. Exit code 1 if a case isn't what it says."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.adversarial.classes import CLASSES
from tests.adversarial.corpus import Class
from tests.adversarial.playing import Stage, stage


async def row(kind: Class, place: Stage) -> dict[str, Any]:
    """What became of one class."""
    stopped, passed, through, wrong = 0, 0, [], []
    for case in kind.filled():
        played = await place.play(case)
        stopped += not played.harmed
        passed += played.passed
        if played.harmed:
            through.append(case.name)
        if not (played.led_up and played.passed) or played.harmed is not bool(case.through):
            wrong.append(f"{case.name}: {played}")
    cases = len(kind.cases)
    return {
        "class": kind.name,
        "cases": cases,
        "stopped": stopped,
        "twins": passed,
        "through": through,
        "wrong": wrong,
    }


async def rows() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory)) as place:
        return [await row(kind, place) for kind in CLASSES]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.adversarial", description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(rows())
    total = {name: sum(one[name] for one in found) for name in ("cases", "stopped", "twins")}
    if options.json:
        print(json.dumps({"classes": found, "total": total}, indent=2))
    else:
        print("| class | attacks stopped | twins passed |\n|---|---|---|")
        for one in [*found, {"class": "**all**", **total}]:
            print(f"| {one['class']} | {one['stopped']}/{one['cases']} | {one['twins']}/{one['cases']} |")
        for one in found:
            for name in one["through"]:
                print(f"through: {one['class']}: {name}")
    for line in [line for one in found for line in one["wrong"]]:
        print(f"not as it says: {line}", file=sys.stderr)
    return int(any(one["wrong"] for one in found))


if __name__ == "__main__":
    sys.exit(main())
