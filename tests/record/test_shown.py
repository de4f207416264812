"""Words for a terminal: nothing that a client or a server named gets to move the reader's cursor."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.model import Decision, Effect, Outcome, Reason
from mcp_guard.record import shown
from mcp_guard.record.codes import CODES
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, Row, open_for_reading
from tests.record.examples import NOON, PAY, allow, deny, open_record, request


@given(st.text())
def test_only_visible_characters_and_single_spaces_are_left(text: str) -> None:
    told = shown.escaped(text)
    assert "  " not in told
    assert {unicodedata.category(char)[0] for char in told if char != " "} <= set("LMNPS")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("files/write_file", "files/write_file"),
        ("größe", "größe"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb", "a\\u200bb"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("\U000e0041", "\\U000e0041"),
        ("x   y", "x \\x20\\x20y"),
        ("\xa0", "\\xa0"),
    ],
)
def test_what_cannot_be_seen_is_written_as_its_code(text: str, told: str) -> None:
    assert shown.escaped(text) == told


def row(kind: EntryKind, **data: object) -> Row:
    return Row("3f9a1c2e-1", 1, NOON, kind, "s", {"data": data, "version": "0.1"})


TOOLS = [{"tool": f"t{n}", "why": "odd"} for n in range(7)]
DOCUMENTS = [{"kind": "policy", "file": "/srv/p.yaml", "digest": "d"}, {"kind": "mandate", "file": "/srv/m.yaml"}]


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        (EntryKind.LOADED, {"documents": DOCUMENTS, "session": "s"}, "policy p.yaml loaded; mandate m.yaml loaded"),
        (EntryKind.LOADED, {"documents": []}, "no document is loaded"),
        (
            EntryKind.FIRST_SIGHT,
            {"server": "web:ab12", "count": 5, "sha256": "abc"},
            "server web seen for the first time, with 5 tools",
        ),
        (
            EntryKind.FIRST_USE,
            {"key": "ab12:local:iris"},
            "mandate used for the first time by local:iris: its time runs",
        ),
        (
            EntryKind.ACCEPTED,
            {"part": "policy", "file": "/srv/p.yaml", "how": "person"},
            "policy /srv/p.yaml in force: a person accepted it",
        ),
        (
            EntryKind.PINNED,
            {"server": "web:ab12", "count": 1},
            "what server web offers was pinned as first seen: 1 thing",
        ),
        (EntryKind.SERVER_STARTED, {"server": "web", "why": "pid 7"}, "server web started (pid 7)"),
        (EntryKind.SERVER_EXITED, {"server": "web\x1b", "why": "it left"}, "server web\\x1b ended: it left"),
        (EntryKind.SERVER_ILL, {"server": "web\x1b", "why": "it ended"}, "server web\\x1b is ill: it ended"),
        (EntryKind.SERVER_WELL, {"server": "web", "why": "it answers"}, "server web is well again"),
        (
            EntryKind.WITHHELD,
            {"server": "web", "tools": TOOLS},
            "tools of server web withheld: t0 (odd), t1 (odd), t2 (odd), t3 (odd), t4 (odd) and 2 more",
        ),
        (
            EntryKind.FOUND,
            {"server": "web", "found": [{"name": "fetch", "rules": ["without-asking", "near-name"]}]},
            "found in what server web says: fetch (without-asking, near-name)",
        ),
    ],
)
def test_what_happened_is_told_in_words(kind: EntryKind, data: dict[str, object], told: str) -> None:
    assert shown.what(row(kind, **data)) == told


@pytest.mark.parametrize("kind", list(EntryKind))
@pytest.mark.parametrize("odd", ["text", 7, None, ["x"], [{"x": 1}], {"x": 1}])
def test_every_kind_of_entry_has_its_words_whatever_its_data_are(kind: EntryKind, odd: object) -> None:
    data = {"documents": odd, "server": odd, "key": odd, "tools": odd, "found": odd, "why": odd, "count": odd}
    assert shown.what(row(kind, **data)) or kind in (EntryKind.DECISION, EntryKind.OUTCOME)
    assert shown.what(Row("3f9a1c2e-1", 1, NOON, kind, "s", {"data": odd})) or kind in (
        EntryKind.DECISION,
        EntryKind.OUTCOME,
    )


def test_no_kind_of_entry_is_told_by_its_name_alone() -> None:
    """A person reads a sentence; the example of each kind is the one that its schema has."""
    bare = [
        kind for kind, code in CODES.items() if shown.what(Row("a-1", 1, NOON, kind, "s", code.example)) == kind.value
    ]
    assert bare == []


def test_an_entry_without_data_is_a_bare_sentence() -> None:
    assert shown.what(row(EntryKind.STOPPED)) == "the guard stopped"


def test_a_call_is_told_by_who_what_effect_and_why(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.finish(record.step(request(), allow()), Outcome.OK, duration_ms=12.4, note="scanner tone: medium")
        record.step(request(client=""), allow())
        record.step(request(target="", server="", method="tools/odd"), deny)
        record.refuse(request(), Decision(Effect.ASK, Reason.NEEDS_APPROVAL, rules=(PAY,)), count=3)
    with open_for_reading(record.directory) as query:
        told = [(shown.who(r), shown.what(r), shown.effect(r), shown.why(r)) for r in query.entries(Filter())]
    assert told == [
        ("", "the guard 0.1.0 began to record", "", ""),
        ("alice (assistant)", "bank/transfer_money", "allow, ok 12 ms", "policy/pay, scanner tone: medium"),
        ("alice", "bank/transfer_money", "allow, no outcome", "policy/pay"),
        ("alice (assistant)", "tools/odd", "deny", "denied, policy/no-egress"),
        ("alice (assistant)", "bank/transfer_money", "ask", "needs_approval, policy/pay, 3 times"),
    ]
