"""Recall, false positives and cost of the scan on the corpus.

python -m benchmarks.scan [--json] [--missed]
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from benchmarks.scan.corpus_files import PARTS
from benchmarks.scan.cost import costs
from benchmarks.scan.measure import (
    false_positives,
    false_positives_elsewhere,
    false_positives_of_names,
    false_positives_of_references,
    is_withheld,
    missed,
    recall,
)

MACHINE = "CPU time of this machine"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.scan", description=__doc__)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--missed", action="store_true", help="name the missed cases of the development part")
    given = parser.parse_args()
    found = {part: recall(part) for part in PARTS}
    withheld = {part: recall(part, is_withheld)["all"] for part in PARTS}
    wrong = {
        part: {
            "any finding": false_positives(part),
            "withheld": false_positives(part, is_withheld),
            "instructions and prompts": false_positives_elsewhere(part),
        }
        for part in PARTS[:2]
    }
    names, references, cost = false_positives_of_names(), false_positives_of_references(), costs()
    if given.json:
        plain: dict[str, Any] = {
            "recall": {part: {name: one.to_dict() for name, one in shares.items()} for part, shares in found.items()},
            "severe": {part: share.to_dict() for part, share in withheld.items()},
            "false positives": {p: {n: s.to_dict() for n, s in shares.items()} for p, shares in wrong.items()},
            "names": names.to_dict(),
            "references": references.to_dict(),
            "cost": cost,
        }
        print(json.dumps(plain, indent=1))
        return 0
    for part, shares in found.items():
        print(f"recall, {part}")
        for name, share in shares.items():
            print(f"  {name:<14} {share}")
        print(f"  {'severe':<14} {withheld[part]}")
    for part, shares in wrong.items():
        print(f"false positives, {part}")
        for name, share in shares.items():
            print(f"  {name:<24} {share}")
    print(f"names that would be withheld, all servers beside each other\n  {names}")
    print(f"texts that name another server's tool, all servers beside each other\n  {references}")
    print(f"cost, {MACHINE}")
    for name, milliseconds in cost.items():
        print(f"  {name:<46} {milliseconds:.2f}")
    if given.missed:
        print("missed in development:", *missed("development"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
