"""The PIN at a real terminal; and what a shell tool gets that has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard import presence
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.verify import verify
from tests.presence.person import PIN, at_a_terminal, in_a_shell


def test_a_pin_is_set_at_a_terminal_and_changed_only_by_who_knows_it(tmp_path: Path) -> None:
    code, seen = at_a_terminal(tmp_path, "pin", "set", types=(PIN, PIN))
    assert code == 0, seen
    presence.check(tmp_path, PIN)
    assert PIN not in seen  # no echo

    code, seen = at_a_terminal(tmp_path, "pin", "set", types=("other-42", "mine-0815", "mine-0815"))
    assert code == 1
    assert "wrong PIN" in seen
    presence.check(tmp_path, PIN)

    code, seen = at_a_terminal(tmp_path, "pin", "set", types=(PIN, "mine-0815", "mine-0815"))
    assert code == 0, seen
    presence.check(tmp_path, "mine-0815")
    with open_for_reading(tmp_path) as query:
        rows = [row.body["data"]["again"] for row in query.entries(Filter()) if row.kind is EntryKind.PIN_SET]
    assert rows == [False, True]
    assert verify(tmp_path) == []


@pytest.mark.parametrize("typed", [("12345", "12345"), (PIN, "hush-4712"), ("",)])
def test_a_pin_that_is_bad_or_typed_differently_is_not_set(tmp_path: Path, typed: tuple[str, ...]) -> None:
    code, seen = at_a_terminal(tmp_path, "pin", "set", types=typed)
    assert code == 1
    assert "nothing was changed" in seen
    assert not presence.is_set(tmp_path)


def test_a_program_without_a_terminal_sets_no_pin_whatever_it_writes_to_stdin(tmp_path: Path) -> None:
    done = in_a_shell(tmp_path, "pin", "set", stdin=f"{PIN}\n{PIN}\n")
    assert done.returncode == 1
    assert "run it yourself in a terminal" in done.stderr
    assert not presence.is_set(tmp_path)


def test_what_was_typed_before_the_question_is_no_answer(tmp_path: Path) -> None:
    code, seen = at_a_terminal(tmp_path, "pin", "set", ahead=f"{PIN}\n{PIN}\n", types=("",))
    assert code == 1, seen
    assert not presence.is_set(tmp_path)
