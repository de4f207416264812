"""`mcp-guard session`: what sessions met, shown; and the two acts of a person, which no program can do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mcp_guard.model import Decision, Effect, Outcome, RuleRef
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView
from mcp_guard.record.verify import verify
from tests.presence.person import PIN, at_a_terminal, in_a_shell
from tests.record.examples import deny, request

READ = RuleRef("policy", "read", Effect.ALLOW, "p.yaml", 3, 5)
KEY = "5e55101aa"


def giving(*labels: str) -> Callable[[UsageView], Decision]:
    return lambda _: Decision(Effect.ALLOW, rules=(READ,), gives=frozenset(labels))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A record with one exposed session and one that isn't."""
    with Record.open(tmp_path / "state", session=KEY, clock=lambda: datetime.now(UTC)) as record:
        entry = record.step(request(session=KEY, server="web", target="fetch"), giving("untrusted"))
        record.finish(entry, Outcome.OK, duration_ms=1)
        record.step(request(session=KEY), deny)
        record.step(request(session="0ther", client="\x1b[31mred"), deny)
    return tmp_path / "state"


def test_sessions_are_listed_with_their_labels_and_shown_with_what_gave_them(state: Path) -> None:
    listed = in_a_shell(state, "session", "list")
    assert listed.returncode == 0
    first, second = listed.stdout.splitlines()
    assert first.startswith(KEY)
    assert "1 allowed      1 refused" in first
    assert first.endswith("untrusted")
    assert second.startswith("0ther")
    assert "\\x1b[31mred" in second
    assert "\x1b" not in listed.stdout
    shown = in_a_shell(state, "session", "show", KEY[:4]).stdout
    assert "label untrusted: web/fetch " in shown
    assert "1 admitted  policy/read" in shown
    (as_data, _) = (json.loads(line) for line in in_a_shell(state, "session", "--json").stdout.splitlines())
    assert (as_data["session"], as_data["tools"], list(as_data["labels"])) == (KEY, {"web/fetch": 1}, ["untrusted"])


def test_a_session_in_which_nobody_called_anything_is_counted_and_not_listed(state: Path) -> None:
    with Record.open(state, session="1dle", clock=lambda: datetime.now(UTC)) as record:
        record.note(EntryKind.LOADED, {"documents": [], "session": "1dle"})
    listed = in_a_shell(state, "session", "list")
    assert "1dle" not in listed.stdout
    assert "and 1 in which nobody called anything" in listed.stderr
    assert "1dle" in in_a_shell(state, "session", "list", "--json").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["session", "clear", KEY], 1, "PIN"),
        (["session", "new", KEY], 1, "PIN"),
        (["session", "clear"], 2, "wants a KEY"),
        (["session", "show", "nobody"], 2, "there is no session `nobody`"),
        (["session", "forget", KEY], 2, "forget"),
    ],
)
def test_a_program_clears_nothing_and_begins_nothing(state: Path, words: list[str], code: int, said: str) -> None:
    tried = in_a_shell(state, *words, stdin=f"{PIN}\n{PIN}\n")
    assert (tried.returncode, tried.stdout) == (code, "")
    assert said in tried.stderr
    assert "untrusted" in in_a_shell(state, "session", "list").stdout
    assert verify(state) == []


def test_a_person_with_the_pin_clears_labels_and_begins_a_new_history(state: Path) -> None:
    code, seen = at_a_terminal(state, "session", "clear", KEY[:5], types=(PIN, PIN))
    assert code == 0, seen
    assert f"session {KEY} had untrusted, and has none now" in seen
    code, seen = at_a_terminal(state, "session", "new", KEY, types=(PIN,))
    assert code == 0, seen
    assert f"the next start of session {KEY} begins a new history" in seen
    with Record.open(state, session=KEY, clock=lambda: datetime.now(UTC)) as record:
        assert record.labels(KEY) == frozenset()
        assert record.current(KEY) != KEY
    assert "its next start has a new history" in in_a_shell(state, "session", "show", KEY).stdout
    log = in_a_shell(state, "log").stdout
    assert "labels taken away by local:" in log
    assert "a new history begun by local:" in log
    assert verify(state) == []


def test_a_wrong_pin_changes_nothing(state: Path) -> None:
    at_a_terminal(state, "pin", "set", types=(PIN, PIN))
    code, seen = at_a_terminal(state, "session", "clear", KEY, types=("wrong-4711",))
    assert code == 1
    assert "wrong PIN" in seen
    assert "untrusted" in in_a_shell(state, "session", "list").stdout


def test_before_anything_happened_there_is_no_session(tmp_path: Path) -> None:
    listed = in_a_shell(tmp_path / "none", "session")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "no session is recorded yet" in listed.stderr
