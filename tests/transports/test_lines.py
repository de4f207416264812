"""Lines out of chunks, and back-pressure, over real pipes and by hand."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.transports.lines import LineReader, LineWriter, connect
from tests.growth import linear
from tests.transports.processes import open_files, until


class Taken:
    """What a reader handed over."""

    def __init__(self, limit: int = 1000) -> None:
        self.lines: list[bytes] = []
        self.ends: list[str] = []
        self.reader = LineReader(self.lines.append, self.ends.append, limit)

    def feed(self, *chunks: bytes) -> Taken:
        for chunk in chunks:
            self.reader.data_received(chunk)
        return self


@contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    read, write = os.pipe()
    source, sink = os.fdopen(read, "rb", 0), os.fdopen(write, "wb", 0)
    try:
        yield source, sink
    finally:
        source.close()
        sink.close()


@given(
    st.lists(st.binary(max_size=6) | st.just(b"\n"), max_size=30),
    st.lists(st.integers(0, 60), max_size=10),
)
def test_the_lines_are_the_same_whatever_the_chunks(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(places)]
    expected = [line for line in stream.split(b"\n")[:-1] if line.strip(b" \t\n\r\x0b\f")]
    assert Taken().feed(*chunks).lines == expected
    assert Taken().feed(*(bytes([byte]) for byte in stream)).lines == expected


def test_empty_lines_and_those_of_white_space_are_nothing_and_a_carriage_return_stays() -> None:
    assert Taken().feed(b"\n\r\n \t\na\r\n").lines == [b"a\r"]


def test_half_a_line_at_the_end_is_dropped() -> None:
    taken = Taken().feed(b"whole\nhal")
    taken.reader.connection_lost(None)
    assert taken.lines == [b"whole"]
    assert taken.ends == ["closed"]


@pytest.mark.parametrize("chunks", [(b"x" * 10 + b"\n",), (b"x" * 10, b"\n"), (*[b"x"] * 10, b"\n")])
def test_a_line_of_exactly_the_limit_is_taken(chunks: tuple[bytes, ...]) -> None:
    taken = Taken(limit=10).feed(*chunks)
    assert taken.lines == [b"x" * 10]
    assert taken.ends == []


@pytest.mark.parametrize(
    "chunks", [(b"a\n" + b"x" * 11 + b"\nb\n",), (b"a\nxxxxxx", b"xxxxx", b"\nb\n"), (b"a\nxxxxxx", b"xxxxx\nb\n")]
)
def test_a_line_over_the_limit_ends_the_stream_once_and_nothing_after_it_is_taken(chunks: tuple[bytes, ...]) -> None:
    taken = Taken(limit=10).feed(*chunks, b"c\n")
    taken.reader.connection_lost(None)
    assert taken.lines == [b"a"]
    assert taken.ends == ["a line of more than 10 bytes"]


def test_forty_megabytes_without_an_end_are_refused_in_little_memory() -> None:
    taken = Taken(limit=1 << 20)
    tracemalloc.start()
    for _ in range(640):
        taken.feed(b"x" * 65536)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken.ends
    assert peak < 4 << 20


def test_a_line_that_comes_byte_by_byte_takes_no_more_memory_than_one_that_comes_whole() -> None:
    taken = Taken(limit=1 << 20)
    tracemalloc.start()
    for _ in range(100_000):
        taken.reader.data_received(b"xy")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_reading_takes_time_linear_in_the_size() -> None:
    def read(count: int) -> None:
        taken = Taken(limit=1 << 26)
        taken.feed(*[b"x" * 1024] * count, b"\n")
        assert len(taken.lines) == 1

    assert linear(read, 1000)


def test_no_line_follows_once_the_reader_is_closed() -> None:
    lines: list[bytes] = []

    def take(line: bytes) -> None:
        lines.append(line)
        reader.close()

    reader = LineReader(take, lambda _: None)
    reader.data_received(b"a\nb\nc\n")
    assert lines == [b"a"]


async def test_lines_cross_a_pipe_and_its_end_is_told_once() -> None:
    before = open_files()
    taken, ended = Taken(), []
    writer = LineWriter(on_end=lambda: ended.append(1))
    with pipe() as (source, sink):
        await connect(taken.reader, source, writer, sink)
        assert writer.write(b"one")
        assert writer.write(b"two")
        writer.close()
        assert not writer.write(b"three")
        await writer.flushed(5)
        await until(lambda: taken.ends)
    assert taken.lines == [b"one", b"two"]
    assert taken.ends == ["closed"]
    assert ended == [1]
    assert open_files() == before


async def attached(writer: LineWriter, sink: IO[bytes]) -> None:
    await asyncio.get_running_loop().connect_write_pipe(lambda: writer, sink)


async def test_a_pipe_that_nobody_reads_says_so_and_takes_no_message() -> None:
    ended: list[int] = []
    writer = LineWriter(on_end=lambda: ended.append(1))
    with pipe() as (source, sink):
        await attached(writer, sink)
        source.close()
        assert not writer.write(b"lost")
        await until(lambda: ended)
        assert not writer.write(b"lost")
        assert ended == [1]


async def test_pressure_is_told_when_the_pipe_is_full_and_when_it_has_drained() -> None:
    told: list[bool] = []
    writer = LineWriter(told.append)
    with pipe() as (source, sink):
        await attached(writer, sink)
        while not told:
            assert writer.write(b"x" * 65_536)
        assert told == [True]
        assert writer.waiting > 0
        os.set_blocking(source.fileno(), False)

        def drained() -> bool:
            while source.read(1 << 20):
                pass
            return told == [True, False]

        await until(drained)
        writer.close()
        await writer.flushed(5)


async def test_what_is_waiting_is_sent_before_the_pipe_closes_or_dropped_after_a_bounded_time() -> None:
    writer = LineWriter()
    with pipe() as (source, sink):
        await attached(writer, sink)
        assert writer.write(b"x" * 1_000_000)
        writer.close()
        await writer.flushed(0.05)
        assert writer.waiting == 0
        received = 0
        while chunk := source.read(1 << 20):
            received += len(chunk)
        assert 0 < received < 1_000_000


async def test_a_reader_that_was_paused_before_it_had_a_pipe_takes_nothing_until_it_goes_on() -> None:
    taken, writer = Taken(), LineWriter()
    with pipe() as (source, sink), pipe() as (other_source, other_sink):
        taken.reader.pause(True)
        sink.write(b"early\n")
        await connect(taken.reader, source, writer, other_sink)
        other = Taken()
        await asyncio.get_running_loop().connect_read_pipe(lambda: other.reader, other_source)
        writer.write(b"marker")
        await until(lambda: other.lines)  # the loop has looked at all pipes
        assert taken.lines == []
        taken.reader.pause(False)
        await until(lambda: taken.lines)
        for half in (taken.reader, other.reader, writer):
            half.close()
        await until(lambda: taken.ends and other.ends)


async def test_what_was_closed_before_it_had_a_pipe_closes_the_pipe() -> None:
    before = open_files()
    taken, writer = Taken(), LineWriter()
    taken.reader.close()
    writer.close()
    with pipe() as (source, _), pipe() as (_, sink):
        await connect(taken.reader, source, writer, sink)
        await writer.flushed(5)
        await until(lambda: taken.ends)
    assert open_files() == before


class Counted(asyncio.WriteTransport):
    """A pipe that keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


async def test_answers_to_lines_that_came_at_once_are_written_together_and_all_of_them_in_order() -> None:
    transport, writer = Counted(), LineWriter()
    writer.connection_made(transport)

    def take(line: bytes) -> None:
        assert writer.write(line)

    reader = LineReader(take, lambda why: None)
    lines = [b"%d" % number for number in range(20)]
    reader.data_received(b"\n".join(lines) + b"\n")
    assert b"".join(transport.writes).split() == lines
    assert len(transport.writes) == 3  # eight, eight, and the four that were left
    reader.data_received(b"alone\n")
    assert transport.writes[3:] == [b"alone\n"]


async def test_what_is_held_back_is_written_when_a_line_could_not_be_taken_and_before_the_end() -> None:
    transport, writer = Counted(), LineWriter()
    writer.connection_made(transport)

    def take(line: bytes) -> None:
        writer.write(line)
        if line == b"last":
            writer.close()
            raise ValueError(line)

    reader = LineReader(take, lambda why: None)
    with pytest.raises(ValueError, match="last"):
        reader.data_received(b"first\nlast\nnever\n")
    assert transport.writes == [b"first\nlast\n"] and transport.closed
    assert not writer.write(b"late")
