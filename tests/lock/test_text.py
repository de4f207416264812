"""`guard.lock` as a text: what is written reads back, and nothing else reads at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.errors import InputError
from mcp_guard.lock.pins import PinKind, pin_of
from mcp_guard.lock.servers import Lock, ServerPin
from mcp_guard.lock.text import lock_text, read_lock
from tests.lock.drawn import locks

TOOL = {
    "name": "write_file",
    "description": "Write a file.\nOverwrites it.",
    "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    "annotations": {"destructiveHint": True},
}


def one_tool() -> str:
    pin = pin_of(PinKind.TOOL, TOOL)
    return lock_text(Lock({"files": ServerPin("files", ("npx", "x@1.0.0"), pins={pin.key: pin})}))


@settings(max_examples=30, deadline=None)
@given(locks())
def test_what_is_written_reads_back_as_the_same(lock: Lock) -> None:
    assert read_lock(lock_text(lock).encode(), "guard.lock") == lock


@settings(max_examples=30, deadline=None)
@given(locks())
def test_no_line_of_the_file_holds_what_cannot_be_seen(lock: Lock) -> None:
    assert all(line.isprintable() for line in lock_text(lock).split("\n"))


@settings(max_examples=30, deadline=None)
@given(locks(), st.data())
def test_a_file_with_one_byte_changed_is_refused_or_says_something_else(lock: Lock, data: st.DataObject) -> None:
    """No second spelling: what a reviewer sees unchanged is unchanged."""
    text = lock_text(lock).encode()
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != text[at]))
    try:
        read = read_lock(text[:at] + bytes([byte]) + text[at + 1 :], "guard.lock")
    except InputError:
        return
    assert read != lock


def test_a_reviewer_reads_the_words_of_a_tool_line_by_line() -> None:
    lines = one_tool().splitlines()
    for line in ('          - "Write a file."', '          - "Overwrites it."', '          path: {"type": "string"}'):
        assert line in lines


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("version: 1", "version: 2", ":14:1", "of another mcp-guard"),
        ("        digest:", "        digset:", ":14:9", "unknown key `digset`"),
        ("    identity:", "    owner:", ":6:5", "unknown key `owner`"),
        ("servers:", "<<<<<<< HEAD\nservers:", ":3:1", "neither"),
        ('"npx", "x@1.0.0"', '"npx",   "x@1.0.0"', ":5:1", "isn't how"),
        ('says: ["", ""]', "says: [", ":8:1", "no JSON"),
        ("    protocol:", "      protocol:", ":7:", "too far"),
        ("    tools:", "    tools:\n    tools:", ":10:5", "twice"),
        ('"strength": "nothing"', '"strength": "content!"', ":6:5", "`identity`"),
    ],
)
def test_a_mistake_is_named_with_its_place(old: str, new: str, where: str, message: str) -> None:
    text = one_tool()
    assert old in text
    with pytest.raises(InputError, match=message) as raised:
        read_lock(text.replace(old, new, 1).encode(), "guard.lock")
    assert "guard.lock:" in str(raised.value), where


def test_what_is_not_text_at_all_is_refused() -> None:
    for data in (b"", b"\xff\xfe", b"{}", one_tool().replace("\n", "\r\n").encode(), one_tool().encode()[:-1]):
        with pytest.raises(InputError):
            read_lock(data, "guard.lock")
