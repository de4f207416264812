"""What guard.yaml says of the record, over real processes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mcp_guard.record.closing import closed_files
from mcp_guard.record.heads import heads_in
from mcp_guard.record.verify import examine, open_all
from tests.guards import Stand

POLICY = 'version: 1\ngrants: [{id: all, tool: "a/*", args: any}]\n'


async def test_heads_are_sent_and_a_long_file_is_closed_at_the_next_start(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    heads = tmp_path / "heads"
    heads.touch()
    stand.run({"a": stand.server("a")})
    config = tmp_path / "guard.yaml"
    config.write_text(config.read_text() + f"\nrecord: {{heads: {heads}, max_size: 1MB, retention: 90d}}\n")
    for closed in (0, 1):
        async with stand.client(["run", "--config", str(config)]) as client:
            await client.initialize()
            await client.call("a__echo", {"text": "1", "nonce": f"n{closed}"})
        assert len(closed_files(stand.state)) == closed
        grow(stand.state / "guard.db")
    kept = heads_in(heads.read_text())
    report = examine(*open_all(stand.state), heads=kept)
    assert len(kept) >= 2
    assert (report.findings, report.signed) == ([], report.last)


def grow(path: Path) -> None:
    """More than a megabyte of nothing, as a record leaves behind whose entries were moved."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE filling (content BLOB)")
    connection.execute("INSERT INTO filling VALUES (zeroblob(2000000))")
    connection.execute("DROP TABLE filling")
    connection.close()
