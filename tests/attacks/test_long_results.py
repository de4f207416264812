"""Attacks by results of a server that are made to be slow to read."""

from __future__ import annotations

import gc
from itertools import islice
from typing import Any

import orjson
import pytest

from mcp_guard.errors import Malformed
from mcp_guard.history.reading import SLICE, given
from mcp_guard.wire import parse


class Counted(list[Any]):
    """A list that counts which of its items were taken."""

    taken = 0

    def __iter__(self) -> Any:
        for item in super().__iter__():
            self.taken += 1
            yield item


@pytest.mark.parametrize("item", [[], {}, {"a": {}}, None, "", 1], ids=str)
def test_no_slice_of_a_result_reads_more_than_a_few_thousand_values(item: Any) -> None:
    items = Counted([item] * 20_000)
    slices = given({"structuredContent": {"deep": items}})
    before = 0
    for _ in islice(slices, 10):
        assert 0 < items.taken - before <= SLICE // 16
        before = items.taken


def test_what_stands_between_a_million_empty_values_is_still_read() -> None:
    text = orjson.dumps([[]] * 5_000 + [{"iban": "DE89370400440532013000"}] + [[]] * 5_000).decode()
    found = [one for each in given({"content": [{"type": "text", "text": text}]}) for one in each]
    assert [(one.path, one.unit.text) for one in found if one.whole] == [(("iban",), "DE89370400440532013000")]


def test_the_collector_does_not_go_through_a_long_message_while_it_is_read() -> None:
    begun: list[int] = []
    seen = lambda phase, said: begun.append(said["generation"]) if phase == "start" else None  # noqa: E731
    empty = ",".join(["[[]]"] * 200_000)
    line = f'{{"jsonrpc":"2.0","id":1,"result":{{"a":[{empty}],"content":[]}}}}'
    told = {"content": [{"type": "text", "text": f"[{empty}]"}]}
    gc.callbacks.append(seen)
    try:
        for text in (line, f" {line}"):  # as one parser reads it, and as the other
            parse(text.encode(), "server")
        list(islice(given(told), 1))
        with pytest.raises(Malformed):
            parse(line.encode()[:-1], "server")
    finally:
        gc.callbacks.remove(seen)
    assert gc.isenabled()
    assert len(begun) < 20  # of some hundreds
