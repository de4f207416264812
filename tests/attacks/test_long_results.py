"""Attacks by results of a server that are made to be slow to read."""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson
import pytest

from mcp_guard.history.reading import SLICE, given


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
