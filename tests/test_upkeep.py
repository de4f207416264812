"""Between calls the record is signed, its heads are sent, and its log is written back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcp_guard import log, upkeep
from mcp_guard.record import schema
from mcp_guard.record.heads import KeptHead
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.store import Record
from mcp_guard.record.verify import examine
from mcp_guard.upkeep import Upkeep
from tests.patience import PATIENCE
from tests.record.examples import deny, open_record, raw, request


class Kept:
    """A sink that keeps what it gets, and may refuse."""

    def __init__(self, fails: bool = False) -> None:
        self.heads: list[KeptHead] = []
        self.fails = fails
        self.came = asyncio.Event()

    def send(self, head: KeptHead, key: str) -> None:
        self.came.set()
        if self.fails:
            raise OSError("nobody listens")
        self.heads.append(head)


def signed(record: Record) -> int:
    report = examine(schema.open_for_reading(record.directory))
    assert report.findings == []
    return report.signed


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "LOOK", 0.001)


async def test_what_was_written_is_signed_and_its_head_is_sent_while_the_process_runs(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        sink = Kept()
        record.step(request(), deny)
        async with asyncio.timeout(PATIENCE), Upkeep(record, sink).running():
            await sink.came.wait()
        assert [head.position for head in sink.heads] == [signed(record)]
        assert examine(schema.open_for_reading(record.directory), heads=sink.heads).count == 0


async def test_nothing_new_is_not_signed_again(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        sink = Kept()
        keeping = Upkeep(record, sink)
        keeping.end()
        keeping.end()
        assert len(sink.heads) == 1
        record.step(request(), deny)
        keeping.end()
        assert len(sink.heads) == 2


async def test_a_sink_that_fails_fails_no_checkpoint_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(log, "_taker", lambda event, _: said.append(event))
    with open_record(tmp_path) as record:
        keeping = Upkeep(record, Kept(fails=True))
        for _ in range(3):
            record.step(request(), deny)
            keeping.end()
        assert signed(record) > 0
    assert said == ["a head of the record can't be sent where guard.yaml says"]


async def test_a_record_that_is_busy_is_signed_at_a_later_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried, sign = asyncio.Event(), Upkeep._sign

    def trying(self: Upkeep) -> None:
        sign(self)
        tried.set()

    monkeypatch.setattr(Upkeep, "_sign", trying)
    with open_record(tmp_path) as record, raw(record.directory) as other:
        sink = Kept()
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(PATIENCE), Upkeep(record, sink).running():
            await tried.wait()
            assert sink.heads == []
            other.execute("ROLLBACK")
            await sink.came.wait()
        assert signed(record) > 0


async def test_the_log_is_written_back_into_the_file_beside_the_calls(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        file = record.directory / "guard.db"
        before = file.stat().st_size
        for _ in range(50):
            record.step(request(), deny)
        assert file.stat().st_size == before  # so far all of it is in the log
        Upkeep(record)._write_back(record.directory)
        assert file.stat().st_size > before
        record.step(request(), deny)
        with open_for_reading(record.directory) as query:
            assert len(list(query.entries(Filter(tool="*")))) == 51


async def test_a_chore_that_fails_ends_no_other_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(log, "warning", lambda what, **_: said.append(what))
    done = asyncio.Event()
    rounds = 0

    async def fails() -> None:
        raise ValueError("hunter2")

    async def goes_on() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            done.set()

    with open_record(tmp_path) as record:
        async with asyncio.timeout(PATIENCE), Upkeep(record, None, [fails, goes_on]).running():
            await done.wait()
    assert said == ["what is done between calls failed: ValueError"]
