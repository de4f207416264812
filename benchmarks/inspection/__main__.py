"""Prints, for answers of 20 bytes to 1 MB, what each obligation costs, in microseconds: the middle of several runs.

Three answers of each size: ASCII, text with other letters in every line, and structured content of many small rows.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from mcp_guard.inspection.obligations import NOTHING, Obligations
from mcp_guard.inspection.results import inspect

SIZES = (20, 10_000, 100_000, 1_000_000)
SECONDS = 0.15
"""How long one number is measured for, about."""
_LINE = "The quick brown fox jumps over the lazy dog, 12345 times a day.\n"
_ROW = 40

WISHES = {
    "none": NOTHING,
    "redact": Obligations(redact=True),
    "own pattern": Obligations(redact=True, patterns=(("staff", "E[0-9]{6}"),)),
    "strip_hidden": Obligations(strip_hidden=True),
    "truncate": Obligations(truncate=1000),
    "types": Obligations(types=frozenset({"text"})),
    "max_size": Obligations(max_size=10**7),
    "all of them": Obligations(True, (("staff", "E[0-9]{6}"),), 10**6, True, False, 10**7, frozenset({"text"})),
}


def answers(size: int) -> dict[str, dict[str, Any]]:
    """The three answers of about this size."""
    ascii_text = (_LINE * (size // len(_LINE) + 1))[:size]
    rows = [{"name": ascii_text[at : at + _ROW]} for at in range(0, size, _ROW)]
    return {
        "ascii": {"result": {"content": [{"type": "text", "text": ascii_text}]}},
        "other": {"result": {"content": [{"type": "text", "text": ascii_text.replace("o", "ö")}]}},
        "rows": {"result": {"content": [], "structuredContent": {"rows": rows}}},
    }


def microseconds(answer: dict[str, Any], wanted: Obligations) -> float:
    """The middle of as many runs as fit; the first one, which builds what is kept, isn't counted."""
    inspect(answer, wanted)
    took: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(took) < 5 or time.perf_counter() < end:
        started = time.perf_counter_ns()
        inspect(answer, wanted)
        took.append((time.perf_counter_ns() - started) / 1000)
    return statistics.median(took)


def main() -> None:
    print("microseconds an answer   bytes      ascii      other       rows")
    for size in SIZES:
        found = answers(size)
        for name, wanted in WISHES.items():
            numbers = "".join(f"{microseconds(answer, wanted):11.1f}" for answer in found.values())
            print(f"{name:20} {size:9}{numbers}")


if __name__ == "__main__":
    main()
