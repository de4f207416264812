"""Guards that start together on a new record: none finds half of one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mcp_guard.accepting.gate import accepted_rows
from mcp_guard.errors import RecordFailed
from mcp_guard.record import fresh, place, schema
from mcp_guard.record.query import Filter, open_for_reading
from tests.record.examples import deny, open_record, request


@pytest.mark.parametrize("late", [False, True], ids=["before its tables are made", "before it appears"])
def test_a_guard_that_looks_while_another_makes_the_record_finds_none_or_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    make, looked = schema.make, []

    def looking(path: Path) -> None:
        if late:
            make(path)
        looked.append((place.is_there(tmp_path / "state"), accepted_rows(tmp_path / "state")))
        if not late:
            make(path)

    monkeypatch.setattr(schema, "make", looking)
    fresh.prepare(tmp_path / "state")
    assert looked == [(False, {})]
    assert accepted_rows(tmp_path / "state") == {}
    with open_for_reading(tmp_path / "state") as query:
        assert list(query.entries(Filter())) == []


def test_of_two_guards_that_make_the_record_at_once_the_first_ones_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = schema.make

    def outrun(path: Path) -> None:
        monkeypatch.setattr(schema, "make", make)
        with open_record(tmp_path) as other:
            other.step(request(), deny)
        make(path)

    monkeypatch.setattr(schema, "make", outrun)
    with open_record(tmp_path) as record:
        assert [path.name for path in record.directory.iterdir() if path.name.startswith(".")] == []
        with open_for_reading(record.directory) as query:
            assert "deny" in [row.effect for row in query.entries(Filter())]


def test_a_record_that_could_not_be_made_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise RecordFailed("no room")

    monkeypatch.setattr(schema, "make", full)
    with pytest.raises(RecordFailed, match="no room"):
        fresh.prepare(tmp_path / "state")
    assert list((tmp_path / "state").iterdir()) == []


def test_a_new_record_is_private_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        fresh.prepare(tmp_path / "state")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "state" / place.DATABASE).stat().st_mode) == 0o600
