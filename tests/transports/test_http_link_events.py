"""Event streams: parsed as the standard says, whatever the chunks, within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.transports.http_link_events import Event, EventReader, TooLong
from tests.growth import linear


def read(data: bytes, *, limit: int = 1000) -> list[Event]:
    return list(EventReader(limit).feed(data))


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data: x\n\n", [Event(b"x")]),
        (b"data:x\n\n", [Event(b"x")]),
        (b"data:  x\n\n", [Event(b" x")]),
        (b"data: a\ndata: b\n\n", [Event(b"a\nb")]),
        (b"data: a\r\rdata: b\r\n\r\n", [Event(b"a"), Event(b"b")]),
        (b"\xef\xbb\xbfdata: x\n\n", [Event(b"x")]),
        (b": a comment\ndata: x\nunknown: y\nbare\n\n", [Event(b"x")]),
        (b"event: message\ndata: x\n\n", [Event(b"x", b"message")]),
        (b"event: endpoint\ndata: /x\n\ndata: y\n\n", [Event(b"/x", b"endpoint"), Event(b"y")]),
        (b"data\n\n", [Event(b"")]),
        (b"id: 1\n\n", []),
        (b"\n\n\n", []),
        (b"data: never ended\n", []),
        (b"data: \xe2\x80\xa8 is no line end\n\n", [Event(b"\xe2\x80\xa8 is no line end")]),
    ],
)
def test_a_stream_is_read_as_the_standard_says(data: bytes, events: list[Event]) -> None:
    assert read(data) == events


LINES = st.lists(
    st.sampled_from([b"data: a", b"data:b", b"", b"id: 7", b"id", b"event: e", b": c", b"retry: 20", b"\xef\xbb\xbf"]),
    max_size=12,
)


@given(LINES, st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=12, max_size=12), st.data())
def test_where_a_stream_is_cut_into_chunks_changes_nothing(
    lines: list[bytes], ends: list[bytes], draw: st.DataObject
) -> None:
    data = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    whole, parts = EventReader(1000), EventReader(1000)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)))))
    chunks = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    at_once = list(whole.feed(data))
    assert [event for chunk in chunks for event in parts.feed(chunk)] == at_once
    assert (parts.last_id, parts.retry) == (whole.last_id, whole.retry)


def test_an_id_counts_from_its_event_on_and_until_the_next() -> None:
    reader = EventReader(1000)
    list(reader.feed(b"id: 1\ndata: x\n\nid: 2\ndata: not yet\n"))
    assert reader.last_id == "1"
    list(reader.feed(b"\ndata: y\n\n"))
    assert reader.last_id == "2"


@pytest.mark.parametrize("value", [b"", b"a\0b", b"\xff", b"x" * 1025, b"a\tb\x01"])
def test_an_id_that_no_header_can_carry_is_none(value: bytes) -> None:
    reader = EventReader(5000)
    list(reader.feed(b"id: " + value + b"\ndata: x\n\n"))
    assert reader.last_id is None


@pytest.mark.parametrize(("value", "seconds"), [(b"1500", 1.5), (b"-1", None), (b"soon", None), (b"9" * 30, None)])
def test_how_long_to_wait_is_a_number_of_milliseconds(value: bytes, seconds: float | None) -> None:
    reader = EventReader(1000)
    list(reader.feed(b"retry: " + value + b"\n\n"))
    assert reader.retry == seconds


@pytest.mark.parametrize(
    "data", [b"data: " + b"x" * 1001, b": " + b"x" * 1001 + b"\n", b"data: 0123456789\n" * 100, b"data\n" * 1001]
)
def test_a_line_or_event_over_the_limit_ends_the_stream(data: bytes) -> None:
    with pytest.raises(TooLong):
        read(data)


def test_what_is_under_the_limit_is_read() -> None:
    assert read(b"data: " + b"x" * 900 + b"\n\n")


def test_a_large_event_in_small_chunks_is_read_in_linear_time() -> None:
    def take(size: int) -> None:
        reader = EventReader(size + 100)
        list(reader.feed(b"data: "))
        for _ in range(size // 1000):
            list(reader.feed(b"x" * 1000))
        assert len(next(iter(reader.feed(b"\n\n"))).data) == size

    assert linear(take, 500_000)
