"""What the scan costs: a thousand tools at first sight and from what is kept, and results of two sizes. CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from benchmarks.scan.corpus_files import benign
from mcp_guard.inspection.scan import scan_result
from mcp_guard.scans import Scans

REPEATS = 15


def costs() -> dict[str, float]:
    """Milliseconds of CPU each; the median of some runs."""
    tools = [tool for server in benign() for tool in server.tools]
    thousand = [{**tool, "title": str(number)} for number, tool in enumerate((tools * 2)[:1000])]
    prose = " ".join(str(tool.get("description", "")) for tool in tools)
    records = ", ".join(f'{{"id": {n}, "name": "user {n}", "mail": "u{n}@example.org"}}' for n in range(2500))
    kept = Scans()

    def look(scans: Scans) -> Callable[[], object]:
        return lambda: [scans.findings(tool) for tool in thousand]

    def result(text: str) -> Callable[[], object]:
        return lambda: scan_result({"content": [{"type": "text", "text": text}]})

    look(Scans())()  # patterns are compiled when they are first needed
    return {
        "1,000 tools, first seen (ms)": median(_timed(look(Scans())) for _ in range(5)),
        "1,000 tools, kept (ms)": [_timed(look(kept)) for _ in range(REPEATS)][-1],
        "result of 100 KB of records (ms)": median(_timed(result(records[:100_000])) for _ in range(REPEATS)),
        "result of 100 KB of tools' descriptions (ms)": median(_timed(result(prose[:100_000])) for _ in range(REPEATS)),
        "result of 20 B (µs)": 1000 * median(_timed(result("2 files were moved."), 200) for _ in range(REPEATS)),
    }


def _timed(action: Callable[[], object], times: int = 1) -> float:
    began = time.process_time()
    for _ in range(times):
        action()
    return (time.process_time() - began) * 1000 / times
