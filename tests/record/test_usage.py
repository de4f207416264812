"""Budgets: what a judge is shown is what will be charged, exactly, in all guard processes of a session."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.errors import RecordFailed
from mcp_guard.model import Charge, Decision, Effect, Outcome, Reason, Usage
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView
from mcp_guard.record.verify import verify
from tests.record.examples import DENIED, PAY, SESSION, allow, at_most, deny, open_record, raw, request


def used(record: Record, rule: str = PAY.key, session: str = SESSION) -> Usage:
    seen: list[Usage] = []

    def judge(facts: UsageView) -> Decision:
        seen.append(facts.used(rule))
        return DENIED

    record.step(request(session=session), judge)
    return seen[0]


def test_two_processes_of_one_session_share_a_budget(tmp_path: Path) -> None:
    with open_record(tmp_path) as one, open_record(tmp_path) as two:
        effects = [record.step(request(), at_most(3)).decision.effect for record in (one, two, one, two, one)]
    assert effects == [Effect.ALLOW] * 3 + [Effect.DENY] * 2


def test_a_restart_sheds_nothing(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), allow(Charge(PAY.key, 2, {"amount": Decimal("99.99")})))
    with open_record(tmp_path) as record:
        assert used(record) == Usage(2, {"amount": Decimal("99.99")})


def test_sessions_do_not_share_a_budget(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), allow(Charge(PAY.key)))
        assert used(record, session="another") == Usage()


@pytest.mark.parametrize("effect", [Effect.ASK, Effect.DENY])
def test_a_refusal_costs_nothing(tmp_path: Path, effect: Effect) -> None:
    refusal = Decision(effect, Reason.NEEDS_APPROVAL, charges=(Charge(PAY.key),))
    with open_record(tmp_path) as record:
        record.step(request(), lambda _: refusal)
        assert used(record) == Usage()
        assert verify(record.directory) == []


def test_a_call_that_was_not_sent_gets_its_charges_back(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), at_most(3, Decimal("0.1")))
        entry = record.step(request(), at_most(3, Decimal("0.2")))
        record.finish(entry, Outcome.NOT_SENT, duration_ms=0, refund=True)
        assert used(record) == Usage(1, {"amount": Decimal("0.1")})
        assert verify(record.directory) == []


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.NOT_SENT])
def test_what_may_have_happened_is_never_given_back(tmp_path: Path, outcome: Outcome) -> None:
    with open_record(tmp_path) as record:
        entry = record.step(request(), allow(Charge(PAY.key)))
        with pytest.raises(ValueError, match="no byte was sent"):
            record.finish(entry, outcome, duration_ms=0, refund=True)
        assert used(record) == Usage(1)


def test_sums_are_exact_where_floats_are_not(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        for _ in range(3):
            record.step(request(), allow(Charge(PAY.key, 1, {"amount": Decimal("0.1")})))
        assert used(record).sums == {"amount": Decimal("0.3")}


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity", "-Infinity", "sNaN"])
def test_an_amount_that_would_lower_or_blur_a_budget_is_no_call(tmp_path: Path, amount: str) -> None:
    with open_record(tmp_path) as record:
        with pytest.raises(RecordFailed, match="added up exactly"):
            record.step(request(), allow(Charge(PAY.key, 1, {"amount": Decimal(amount)})))
        assert used(record) == Usage()


def test_a_tiny_amount_beside_a_huge_one_is_no_call_rather_than_free(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), allow(Charge(PAY.key, 1, {"amount": Decimal("1e50")})))
        with pytest.raises(RecordFailed, match="added up exactly"):
            record.step(request(), allow(Charge(PAY.key, 1, {"amount": Decimal("1e-50")})))


def test_a_negative_count_is_no_call(tmp_path: Path) -> None:
    with open_record(tmp_path) as record, pytest.raises(RecordFailed, match="added up exactly"):
        record.step(request(), allow(Charge(PAY.key, -1)))


def test_two_charges_of_one_rule_add_up(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), allow(Charge(PAY.key), Charge(PAY.key, 2)))
        assert used(record) == Usage(3)
        assert verify(record.directory) == []


def test_a_view_answers_nothing_after_its_judgement(tmp_path: Path) -> None:
    views: list[UsageView] = []

    def judge(facts: UsageView) -> Decision:
        views.append(facts)
        return DENIED

    with open_record(tmp_path) as record:
        record.step(request(), judge)
        with pytest.raises(RecordFailed, match="outside of its judgement"):
            views[0].used(PAY.key)


def test_a_transaction_that_ended_inside_the_judgement_writes_nothing(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:

        def judge(_: UsageView) -> Decision:
            record._writer.connection.execute("ROLLBACK")  # as SQLite does by itself on some errors
            return allow(Charge(PAY.key))(_)

        with pytest.raises(RecordFailed, match="nothing was written"):
            record.step(request(), judge)
        assert used(record) == Usage()
        assert verify(record.directory) == []


@pytest.mark.parametrize(
    ("calls", "sums"),
    [(-1, "{}"), (1, '{"amount": "-5"}'), (1, '{"amount": "NaN"}'), (1, "[]"), (1, "no JSON"), ("many", "{}")],
)
def test_usage_that_the_guard_never_wrote_is_no_call(tmp_path: Path, calls: object, sums: str) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), allow(Charge(PAY.key)))
        with raw(record.directory) as connection:
            connection.execute("UPDATE usage SET calls=?, sums=?", (calls, sums))
        with pytest.raises(RecordFailed, match="changed by somebody else"):
            record.step(request(), at_most(3))


amounts = st.decimals(min_value=0, max_value=10**9, places=4)
moves = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["s1", "s2"]), amounts, st.sampled_from(["keep", "refund", "deny"])),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(moves)
def test_usage_is_what_the_admitted_calls_add_up_to(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, str, Decimal, str]]
) -> None:
    place = tmp_path_factory.mktemp("usage")
    model = {session: (0, Decimal(0)) for session in ("s1", "s2")}
    with open_record(place) as one, open_record(place) as two:
        for which, session, amount, what in moves:
            record = (one, two)[which]
            judge = deny if what == "deny" else allow(Charge(PAY.key, 1, {"amount": amount}))
            entry = record.step(request(session=session), judge)
            if what == "refund":
                record.finish(entry, Outcome.NOT_SENT, duration_ms=0, refund=True)
            elif what == "keep":
                calls, total = model[session]
                model[session] = (calls + 1, total + amount)
        for session, (calls, total) in model.items():
            usage = used(one, session=session)
            assert (usage.calls, usage.sums.get("amount", Decimal(0))) == (calls, total)
        assert verify(one.directory) == []


def test_the_error_of_a_broken_read_reaches_the_judge_as_the_guards_own(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        connection = sqlite3.connect(":memory:")
        with UsageView(connection, SESSION, record._writer.clock()) as view, pytest.raises(RecordFailed):
            view.used(PAY.key)
        connection.close()
