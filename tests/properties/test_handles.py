"""What a client holds instead of a server's own handle opens for what it was given out for, and for nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard import handles as module
from mcp_guard.handles import Handles

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
texts = st.text(max_size=20)
bounds = st.dictionaries(texts, texts, max_size=4)
inners = st.dictionaries(texts.filter(lambda key: key.isascii()).map(str.casefold), st.none() | texts, max_size=4)


def minted(made: Handles, kind: str, bound: dict[str, Any], inner: dict[str, Any]) -> str:
    handle = made.mint(kind, bound, inner, NOW, HOUR)
    assert handle is not None
    return handle


@given(texts, bounds, inners)
def test_a_handle_gives_back_what_was_put_in_byte_for_byte(kind: str, bound: Any, inner: Any) -> None:
    made = Handles(b"k" * 32)
    opened = made.open(kind, bound, minted(made, kind, bound, inner), NOW)
    assert opened is not None
    assert dict(opened.inner) == inner


@given(texts, bounds, texts, bounds)
def test_a_handle_opens_for_its_own_purpose_and_no_other(kind: str, bound: Any, other: str, others: Any) -> None:
    made = Handles(b"k" * 32)
    opened = made.open(other, others, minted(made, kind, bound, {}), NOW)
    assert (opened is not None) == (kind == other and bound == others)


@given(st.data())
def test_a_handle_with_any_character_changed_added_or_lost_opens_nothing(data: st.DataObject) -> None:
    made = Handles(b"k" * 32)
    handle = minted(made, "k", {"who": "me"}, {"state": "x"})
    at = data.draw(st.integers(0, len(handle) - 1))
    new = data.draw(st.characters(codec="ascii").filter(lambda c: c != handle[at]))
    for forged in (
        handle[:at] + new + handle[at + 1 :],
        handle[:at] + handle[at + 1 :],
        handle[:at] + new + handle[at:],
    ):
        assert made.open("k", {"who": "me"}, forged, NOW) is None


@given(st.none() | st.integers() | st.text() | st.lists(st.text()) | st.binary())
def test_what_is_no_handle_opens_nothing_and_raises_nothing(thing: Any) -> None:
    assert Handles(b"k" * 32).open("k", {}, thing, NOW) is None


def test_a_handle_of_another_record_opens_nothing() -> None:
    handle = minted(Handles(b"a" * 32), "k", {}, {})
    assert Handles(b"b" * 32).open("k", {}, handle, NOW) is None


def test_a_handle_opens_until_its_time_is_over() -> None:
    made = Handles(b"k" * 32)
    handle = minted(made, "k", {}, {})
    assert made.open("k", {}, handle, NOW + HOUR - timedelta(seconds=1)) is not None
    assert made.open("k", {}, handle, NOW + HOUR) is None


def test_a_handle_that_is_spent_opens_no_more_and_its_like_still_do() -> None:
    made = Handles(b"k" * 32)
    first, second = minted(made, "k", {}, {}), minted(made, "k", {}, {})
    assert first != second
    opened = made.open("k", {}, first, NOW)
    assert opened is not None
    made.spend(opened)
    assert made.open("k", {}, first, NOW) is None
    assert made.open("k", {}, second, NOW) is not None


def test_what_is_spent_is_forgotten_only_when_it_is_too_old_to_open(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "MAX_SPENT", 3)
    made = Handles(b"k" * 32)
    handles = [minted(made, "k", {}, {"number": str(number)}) for number in range(4)]
    for handle in handles[:3]:
        opened = made.open("k", {}, handle, NOW)
        assert opened is not None
        made.spend(opened)
    assert made.open("k", {}, handles[3], NOW) is None  # it can't be told from the spent ones any more
    late = made.mint("k", {}, {}, NOW + HOUR, HOUR)
    assert made.open("k", {}, late, NOW + HOUR) is not None
    assert [made.open("k", {}, handle, NOW + HOUR) for handle in handles] == [None] * 4


def test_what_is_too_large_gets_no_handle() -> None:
    assert Handles(b"k" * 32).mint("k", {}, {"state": "x" * module.MAX_INNER}, NOW, HOUR) is None
    assert Handles(b"k" * 32).open("k", {}, "g1." + "x" * module.MAX_HANDLE, NOW) is None
