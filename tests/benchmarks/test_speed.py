"""The benchmark of speed: what it says of chains that don't answer, and where it writes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.speed import __main__ as command
from benchmarks.speed import cells, inside, markdown
from benchmarks.speed.callers import StdioCaller, payload
from benchmarks.speed.cells import Amounts, Cell, Measured, Row
from benchmarks.speed.chains import Chain, stdio
from benchmarks.speed.flood import flood, is_whole
from benchmarks.speed.report import Report
from benchmarks.speed.servers import SERVERS

AMOUNTS = Amounts(rounds=1, least_rounds=1, calls=2, flood=20, turn=0.05, seconds=1)
MUTE = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
DIRECT = Chain("direct", "stdio→stdio", "raw", stdio(list(SERVERS["raw"])))


def test_a_peer_that_hangs_has_the_reason_in_place_of_figures_and_holds_up_nobody_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cells, "PEER_PATIENCE", 0.2)
    monkeypatch.setattr(cells, "PEER_START", 0.2)
    mute = Chain("mute", "stdio→stdio", "raw", stdio(MUTE), is_peer=True)
    measured = cells.measure([DIRECT, mute], AMOUNTS, lambda what: None)
    found = {(row.chain.name, row.cell): row for row in measured.rows}
    assert {row.why_not != "" for (name, _), row in found.items() if name == "mute"} == {True}
    assert {len(row.rounds) for (name, _), row in found.items() if name == "direct"} == {1}
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{markdown.BEGIN}\nold\n{markdown.END}\nafter\n", encoding="utf-8")
    markdown.write(Report(AMOUNTS, {}, measured), document)
    written = document.read_text(encoding="utf-8")
    assert written.startswith("before\n") and written.endswith("\nafter\n")
    assert "old" not in written and "| direct | raw |" in written and "mute: not measured here" in written


def test_a_document_without_marks_is_left_as_it_is(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="performance"):
        markdown.write(Report(AMOUNTS, {}), document)
    assert document.read_text(encoding="utf-8") == "mine"


def test_many_calls_at_once_are_all_answered_and_counted() -> None:
    with StdioCaller(SERVERS["raw"]) as caller:
        caller.open()
        assert len(flood(caller, 16, 100, 10_240, 60).taken) == 100
        assert len(flood(caller, 64, 5, 20, 60).taken) == 5


def test_what_is_added_is_compared_round_by_round() -> None:
    def row(*medians: int) -> Row:
        return Row(DIRECT, Cell("legacy", "20 B", 1), [[one * 1000] for one in medians])

    assert row(30, 130, 35).added(row(20, 110, 20)) == 15
    assert row(30, 300, 40).against(row(20, 100, 20)) == 2


@pytest.mark.parametrize(
    ("response", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", False),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
    ],
)
def test_a_response_over_http_is_whole_when_its_last_byte_is_there(response: bytes, whole: bool) -> None:
    assert is_whole(bytearray(response)) is whole


@pytest.mark.parametrize("size", [20, 10_240])
def test_every_call_carries_another_text_of_the_same_size(size: int) -> None:
    assert {len(payload(number, size)) for number in range(5)} == {size}
    assert len({payload(number, size) for number in range(5)}) == 5


def test_rows_that_were_not_measured_are_no_figures() -> None:
    cell = Cell("legacy", "20 B", 1)
    measured = Measured([Row(DIRECT, cell, why_not="it hung")])
    assert measured.row("direct", "stdio→stdio", "raw", cell) is None


def test_a_record_is_filled_in_steps_that_are_told_and_sizes_for_which_there_is_no_time_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inside, "_AT_ONCE", 400)
    (tmp_path / "project").mkdir()
    told: list[str] = []
    curve = inside._entries(tmp_path, inside.Sizes(entries=(0, 1_000), samples=8), told.append)
    assert list(curve.points) == [0, 1_000]
    assert len(told) == 3 and told[-1] == "entries: 1,000 of 1,000"
    assert list(
        inside._entries(tmp_path, inside.Sizes(entries=(0, 1_000), samples=8, filling=0), told.append).points
    ) == [0]
    assert told[-1] == "entries: 1,000 of them are left out"


@pytest.fixture
def _signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGTERM)}
    yield
    signal.alarm(0)
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
def test_a_run_that_takes_too_long_is_cut_short_and_leaves_the_document_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"{markdown.BEGIN}\nold\n{markdown.END}\n", encoding="utf-8")
    monkeypatch.setattr(command, "DOCUMENT", document)
    monkeypatch.setattr(command, "_measure", lambda *_: signal.raise_signal(signal.SIGALRM))
    monkeypatch.setattr(sys, "argv", ["speed", "--quick", "--no-peers", "--write"])
    assert command.main() == 1
    assert "22 minutes are over" in capsys.readouterr().err
    assert "old" in document.read_text(encoding="utf-8")
