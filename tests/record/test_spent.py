"""Rolling windows, accounts over sessions, and used values, as the record keeps them."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Outcome
from mcp_guard.policy.budgets import account_of
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.record.entries import Entry
from mcp_guard.record.query import open_for_reading
from mcp_guard.record.store import Record
from mcp_guard.record.verify import verify
from tests.policy.scene import call
from tests.policy.test_budgets import History
from tests.record.counter import AUTHORITY, make
from tests.record.examples import SESSION, Clock, bodies, open_record, raw

ROOT = Path(__file__).parents[2]
DAY = 86_400
SECRET = "DE7secret"


def allowed(record: Record, tool: str, amount: int = 1, to: str = "a", session: str = SESSION) -> bool:
    return make(record, tool, amount, to, session).decision.allowed


def rows(directory: Path, table: str) -> int:
    with raw(directory) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def test_guards_that_race_in_several_sessions_never_exceed_a_day_a_sum_or_a_number_of_values(tmp_path: Path) -> None:
    state = tmp_path / "state"
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.record.counter", str(state), session, "12"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for session in ("one", "two", "three3")
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    made = [line.split(" ", 3) for racer in racers for line in racer.communicate(timeout=60)[0].splitlines()]
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    days = [int(amount) for name, _, amount, _ in made if name == "day"]
    assert len(days) <= 5
    assert sum(days) <= 12
    assert len(days) == 5 or sum(days) == 12  # either end of the budget was reached
    assert len({to for name, _, _, to in made if name == "few"}) == 4
    paces = [session for name, session, _, _ in made if name == "pace"]
    assert {session: paces.count(session) for session in paces} == {"one": 3, "two": 3, "three3": 3}
    assert verify(state) == []


def test_windows_hold_over_restarts_and_sessions_and_end_exactly(tmp_path: Path) -> None:
    clock = Clock()
    for number in range(5):
        with open_record(tmp_path, clock) as record:
            assert allowed(record, "day", session=f"s{number}")
            clock.move(seconds=1)
    with open_record(tmp_path, clock) as record:
        assert not allowed(record, "day", session="another")
        clock.move(seconds=DAY - 5, microseconds=-1)
        assert not allowed(record, "day")
        clock.move(microseconds=1)
        assert allowed(record, "day")
        assert not allowed(record, "day")
        assert verify(record.directory) == []


def test_a_clock_that_goes_back_gives_nothing_back(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as record:
        assert [allowed(record, "day") for _ in range(6)] == [True] * 5 + [False]
        clock.move(seconds=-10 * DAY)
        assert not allowed(record, "day")
        clock.move(seconds=10 * DAY + 1)
        assert not allowed(record, "day")


def test_a_rate_is_of_a_session_however_many_guards_it_has(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as first, open_record(tmp_path, clock) as second:
        assert [allowed(record, "pace") for record in (first, second, first, second)] == [True, True, True, False]
        assert allowed(second, "pace", session="other")


def refund(record: Record, entry: Entry) -> None:
    record.finish(entry, Outcome.NOT_SENT, duration_ms=0, refund=True)


@pytest.mark.parametrize("tool", ["day", "few", "pace"])
def test_what_was_not_sent_is_given_back_exactly_once(tmp_path: Path, tool: str) -> None:
    with open_record(tmp_path) as record:
        entries = [make(record, tool, 1, f"to {n}", SESSION) for n in range(6)]
        room = sum(entry.decision.allowed for entry in entries)
        refund(record, entries[0])
        with pytest.raises(RecordFailed):
            refund(record, entries[0])
        assert [allowed(record, tool, to=f"again {n}") for n in range(3)] == [True, False, False]
        assert room == {"day": 5, "few": 4, "pace": 3}[tool]
        assert verify(record.directory) == []


def test_a_value_that_another_call_used_too_stays_used_after_a_refund(tmp_path: Path) -> None:
    text = b"version: 1\ngrants: [{id: few, tool: bank/few, args: any, budget: {distinct: {to: 1}}}]"
    authority = Authority((load_text(text, file="p.yaml", kind="policy"),))
    with open_record(tmp_path) as record:
        entries = [make(record, "few", 1, "a", SESSION, authority) for _ in range(2)]
        refund(record, entries[0])
        assert not make(record, "few", 1, "b", SESSION, authority).decision.allowed
        assert verify(record.directory) == []
        refund(record, entries[1])
        assert make(record, "few", 1, "b", SESSION, authority).decision.allowed
        assert verify(record.directory) == []


def test_what_no_window_asks_for_any_more_is_let_go_and_verify_does_not_miss_it(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as record:
        for _ in range(4):
            assert allowed(record, "day")
            clock.move(seconds=DAY)
        assert rows(record.directory, "spent") == 1
        late = make(record, "pace", 1, "a", SESSION)
        clock.move(seconds=2 * DAY)
        assert allowed(record, "pace")
        refund(record, late)
        assert verify(record.directory) == []


def test_no_value_is_in_the_record_and_equal_ones_look_different_under_another_rule(tmp_path: Path) -> None:
    text = b"version: 1\ngrants: [{id: a, tool: bank/*, args: any, budget: {distinct: {to: 9}, per: hour}}, "
    text += b"{id: b, tool: bank/few, args: any, budget: {distinct: {to: 9}}}]"
    authority = Authority((load_text(text.replace(b"bank/*", b"bank/few"), file="p.yaml", kind="policy"),))
    with open_record(tmp_path) as record:
        make(record, "few", 1, SECRET, SESSION, authority)
        assert not any(SECRET in body for body in bodies(record.directory))
        with raw(record.directory) as connection:
            spent = connection.execute("SELECT fingerprints FROM spent").fetchall()
            kept = connection.execute("SELECT fingerprint FROM used_values").fetchall()
        assert SECRET not in str(spent) + str(kept)
        assert kept[0][0] not in spent[0][0]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM spent", "has used lately"),
        ("UPDATE spent SET calls=0", "has used lately"),
        ("UPDATE spent SET sums='{}'", "has used lately"),
        ("UPDATE spent SET fingerprints='{}'", "has used lately"),
        ("UPDATE spent SET time='2020' || substr(time, 5)", "has used lately"),
        ("UPDATE spent SET account='other'", "has used lately"),
        ("INSERT INTO spent VALUES ('x', 'policy/day', '2026', 1, 1, '{}', '{}')", "has used lately"),
        ("DELETE FROM used_values", "the values that"),
        ("UPDATE used_values SET fingerprint='x'", "the values that"),
        ("UPDATE used_values SET calls=calls+1", "the values that"),
    ],
)
def test_verify_tells_when_what_budgets_rest_on_was_changed(tmp_path: Path, statement: str, said: str) -> None:
    text = b"version: 1\ngrants: [{id: a, tool: bank/few, args: any, budget: {distinct: {to: 9}}}, "
    text += b"{id: b, tool: bank/few, args: any, budget: {sum: {amount: 9}, distinct: {to: 9}, per: hour}}]"
    authority = Authority((load_text(text, file="p.yaml", kind="policy"),))
    with open_record(tmp_path) as record:
        make(record, "few", 1, "a", SESSION, authority)
        assert verify(record.directory) == []
        with raw(record.directory) as connection:
            connection.execute(statement)
        found = verify(record.directory)
    assert len(found) >= 1
    assert all(said in one for one in found)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE spent SET calls=-5", 'UPDATE spent SET sums=\'{"amount": "-5"}\'', "UPDATE spent SET sums='x'"],
)
def test_a_window_that_was_changed_to_credit_ends_the_call(tmp_path: Path, statement: str) -> None:
    with open_record(tmp_path) as record:
        assert allowed(record, "day")
        with raw(record.directory) as connection:
            connection.execute(statement)
        assert not allowed(record, "day")


SMALL = b"""\
version: 1
grants:
  - {id: a, tool: bank/x, args: any, budget: {calls: 3, sum: {amount: 6}, distinct: {to: 2}, per: hour}, rate: 2/m}
  - {id: b, tool: bank/x, args: any, budget: {calls: 4, distinct: {to: 3}}, ask: true}
"""


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.sampled_from([0, 30, 1799.5, 3600]), st.booleans()),
        max_size=14,
    )
)
def test_the_record_and_the_facts_of_a_case_count_alike(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[int, str, float, bool]]
) -> None:
    authority = Authority((load_text(SMALL, file="p.yaml", kind="policy"),))
    clock = Clock()
    history = History(clock.now)
    with open_record(tmp_path_factory.mktemp("alike"), clock) as record:
        for amount, to, later, other in made:
            clock.move(seconds=later)
            entry = make(record, "x", amount, to, SESSION, authority)
            said = history.make(authority, call("bank/x", "ann", amount=amount, to=to), later)
            assert (entry.decision.effect, entry.decision.reason) == (said.effect, said.reason)
            if other:
                assert verify(record.directory) == []


def test_an_account_is_neither_a_session_nor_readable() -> None:
    assert account_of("ann", "").startswith("principal:")
    assert account_of("ann", "0" * 64).startswith("mandate:0")
    assert "ann" not in account_of("ann", "") + account_of("ann", "0" * 64)
    assert AUTHORITY.layers[0].rules[0].budget is not None


def test_explain_reads_what_an_account_has_used_so_far(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as record:
        for number in range(2):
            make(record, "day", 3, "a", f"s{number}")
        with open_for_reading(record.directory) as query:
            account = account_of("ann", "")
            used = query.used(account, "policy/day", clock.now, DAY)
            assert (used.calls, used.sums["amount"]) == (2, Decimal(6))
            assert query.used(account, "policy/day", clock.now + timedelta(seconds=DAY), DAY).calls == 0
            assert query.used(account, "policy/day", clock.now, 0).calls == 0
