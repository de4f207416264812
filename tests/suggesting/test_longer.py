"""The made-up working days that docs/report.md shows: the longer the record, the less is refused."""

from __future__ import annotations

from benchmarks.suggest.longer import present, recorded
from mcp_guard.cli.suggesting import suggestion


def test_over_block_falls_with_the_length_of_the_record_and_nothing_observed_is_refused() -> None:
    found = [suggestion(present(), list(recorded(size)), None, 0.2, lambda path: path) for size in (20, 640)]
    short, long = (made.held_out.over_block or 0 for made in found)
    assert short > 10 * long
    assert all(not made.slipped.refused and not made.proved.left for made in found)
