"""Are the values that were kept those of their calls? The part of `log verify` that reads `values.db`."""

from __future__ import annotations

from pathlib import Path

from mcp_guard.record import place
from mcp_guard.record.keys import digest_key
from mcp_guard.record.query import open_for_reading
from mcp_guard.record.values import FILE, Reader
from mcp_guard.record.verify import Report


def check_values(directory: Path, report: Report) -> None:
    """Add what is found to the report. Values of calls in closed files are left out: they are read by nothing."""
    if not place.exists(directory / FILE) or not place.exists(directory / place.KEY):
        return
    reader = Reader.of(directory, digest_key(directory))
    with open_for_reading(directory) as query:
        for entry in reader.rows:
            row = query.find(entry)
            if row is not None and reader.of_entry(entry, row.body) is None:
                report.found(f"the values kept of {entry} aren't those of its call", entry, row.position)
