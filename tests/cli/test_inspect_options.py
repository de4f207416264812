"""The scan's settings on the command line."""

from __future__ import annotations

import pytest

from mcp_guard.cli.inspecting import parse_inspect
from mcp_guard.errors import InputError
from mcp_guard.inspection.scan.settings import Act, Inspect

KEY = "files/read_file@3f9a1c2e5d6b7a80"


def test_what_is_not_said_stays_as_it_is_by_default() -> None:
    assert parse_inspect((), ()) == Inspect()
    assert parse_inspect(("minor=off",), (KEY,)) == Inspect(Act.WITHHOLD, Act.OFF, frozenset({KEY}))


@pytest.mark.parametrize("acts", [("severe",), ("severe=show",), ("all=off",), ("=mark",), ("minor=off", "minor=mark")])
def test_what_is_no_setting_is_an_error_that_says_the_way_out(acts: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"withhold|keep one"):
        parse_inspect(acts, ())


@pytest.mark.parametrize("key", ["files/read_file", "@3f9a1c2e5d6b7a80", f"{KEY}0", "files/read_file@all"])
def test_what_was_looked_at_is_named_with_its_digest(key: str) -> None:
    with pytest.raises(InputError, match="check"):
        parse_inspect((), (key,))
