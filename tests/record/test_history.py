"""Labels, order and new beginnings in the record: set with the decision, kept, and held against the entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.errors import InputError, RecordFailed
from mcp_guard.model import Admitted, Decision, Effect, Kind, Outcome
from mcp_guard.record.ledger_past import Past
from mcp_guard.record.query import open_for_reading
from mcp_guard.record.sessions import sessions, the_one
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView
from mcp_guard.record.verify import verify
from tests.record.examples import PAY, SESSION, bodies, deny, open_record, raw, request

TOOL = "bank/transfer_money"


def giving(*labels: str) -> Callable[[UsageView], Decision]:
    decision = Decision(Effect.ALLOW, rules=(PAY,), gives=frozenset(labels))
    return lambda _: decision


def seen(record: Record, session: str = SESSION) -> tuple[frozenset[str], Admitted]:
    """What a judge is shown at the next call."""
    found: list[tuple[frozenset[str], Admitted]] = []

    def judge(view: UsageView) -> Decision:
        found.append((view.labels(), view.admitted()))
        return deny(view)

    record.step(request(session=session), judge)
    return found[0]


def test_a_label_is_there_at_the_next_call_of_its_session_and_of_no_other(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), giving("untrusted"))
        assert seen(record) == (frozenset({"untrusted"}), Admitted({TOOL: 1}, {PAY.key: 1}))
        assert seen(record, "another") == (frozenset(), Admitted())
        assert verify(record.directory) == []


def test_the_judge_sees_the_history_before_its_own_call(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        before: list[frozenset[str]] = []

        def judge(view: UsageView) -> Decision:
            before.append(view.labels())
            return giving("untrusted")(view)

        for _ in range(2):
            record.step(request(), judge)
        assert before == [frozenset(), {"untrusted"}]


def test_a_refused_call_leaves_nothing(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), lambda view: replace(deny(view), gives=frozenset({"untrusted"})))
        assert seen(record) == (frozenset(), Admitted())
        assert verify(record.directory) == []


def test_a_call_that_was_not_sent_did_not_come_before_but_its_label_stays(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        for refund in (True, False):
            entry = record.step(request(), giving("untrusted"))
            record.finish(entry, Outcome.NOT_SENT if refund else Outcome.OK, duration_ms=0, refund=refund)
        assert seen(record) == (frozenset({"untrusted"}), Admitted({TOOL: 1}, {PAY.key: 1}))
        assert verify(record.directory) == []


def test_what_is_no_tool_counts_for_its_grant_alone(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(kind=Kind.RESOURCE, target="file:///a"), giving())
        assert seen(record)[1] == Admitted({}, {PAY.key: 1})


def test_a_restart_inherits_all_of_it(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), giving("untrusted"))
    with open_record(tmp_path) as record:
        assert seen(record) == (frozenset({"untrusted"}), Admitted({TOOL: 1}, {PAY.key: 1}))


def test_a_person_clears_labels_and_an_answer_that_is_still_to_come_sets_them_again(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        over = record.step(request(), giving("untrusted"))
        record.finish(over, Outcome.OK, duration_ms=1)
        under_way = record.step(request(), giving("secret"))
        assert record.clear_labels(SESSION, "local:iris") == {"untrusted", "secret"}
        assert record.labels(SESSION) == frozenset()
        assert verify(record.directory) == []
        record.finish(under_way, Outcome.OK, duration_ms=1)
        assert record.labels(SESSION) == {"secret"}
        assert verify(record.directory) == []


def test_what_a_server_says_beside_its_answers_is_one_entry_for_each_new_label(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        for labels in ({"untrusted"}, {"untrusted"}, {"untrusted", "chatty"}):
            record.exposed(SESSION, "web", frozenset(labels), "a log message")
        assert record.labels(SESSION) == {"untrusted", "chatty"}
        assert sum('"kind":"exposed"' in body for body in bodies(record.directory)) == 2
        assert verify(record.directory) == []


def test_a_new_history_begins_at_the_next_start_and_the_old_one_stays(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), giving("untrusted"))
        first = record.renew(SESSION, "local:iris")
        assert first == record.current(SESSION) != SESSION
        second = record.renew(first, "local:iris")  # by the key that is shown now: the same start
        assert second == record.current(SESSION) not in (SESSION, first)
        assert record.current("another") == "another"
        assert record.labels(SESSION) == {"untrusted"}
        assert record.labels(second) == frozenset()
        assert verify(record.directory) == []
        with open_for_reading(record.directory) as query:
            assert the_one(sessions(query), SESSION[:3]).next == second


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DELETE FROM labels", "label `untrusted`"),
        ("UPDATE labels SET session='x'", "label `untrusted`"),
        ("UPDATE labels SET position=1", "label `untrusted`"),
        ("INSERT INTO labels VALUES ('x', 'y', 1)", "label `y`"),
        ("UPDATE admitted SET calls=0", "what sessions have called"),
        ("UPDATE admitted SET calls=2", "what sessions have called"),
        ("UPDATE admitted SET tool='bank/balance'", "what sessions have called"),
        ("DELETE FROM renewed", "begun anew"),
        ("UPDATE renewed SET times=7", "begun anew"),
    ],
)
def test_a_changed_history_is_found(tmp_path: Path, change: str, found: str) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), giving("untrusted"))
        record.renew(SESSION, "local:iris")
        assert verify(record.directory) == []
        with raw(record.directory) as connection:
            connection.execute(change)
        assert any(found in finding for finding in verify(record.directory))


@pytest.mark.parametrize("calls", [-1, "many", 1.5])
def test_a_history_that_nobody_of_us_wrote_ends_the_call(tmp_path: Path, calls: object) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), giving())
        with raw(record.directory) as connection:
            connection.execute("UPDATE admitted SET calls=?", (calls,))
        with pytest.raises(RecordFailed, match="changed by somebody else"):
            seen(record)


def test_a_decision_of_an_earlier_version_counts_for_no_history() -> None:
    past = Past()
    body = {"session": "s", "target_kind": "tool", "server": "a", "target": "b", "rules": []}
    past.admitted(body)
    past.taken_back(body)
    assert not past._admitted


def test_a_session_is_named_by_a_beginning_that_only_one_has(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        for session in ("abc1", "abc2", "abc"):
            record.step(request(session=session), deny)
        with open_for_reading(record.directory) as query:
            found = sessions(query)
    assert the_one(found, "abc1").refused == 1
    assert the_one(found, "abc").key == "abc"
    for wrong in ("ab", "x", ""):
        with pytest.raises(InputError, match="session list"):
            the_one(found, wrong)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["call", "refuse", "not sent", "answer", "say", "clear"]),
        st.sampled_from(["s1", "s2"]),
        st.frozensets(st.sampled_from(["a", "b", "c"]), min_size=1),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(ACTS)
def test_labels_only_grow_but_for_a_persons_act_and_the_entries_say_the_same(
    acts: list[tuple[str, str, frozenset[str]]],
) -> None:
    expected: dict[str, frozenset[str]] = {"s1": frozenset(), "s2": frozenset()}
    with TemporaryDirectory() as directory, open_record(Path(directory)) as record:
        for act, session, labels in acts:
            if act == "clear":
                assert record.clear_labels(session, "iris") == expected[session]
                expected[session] = frozenset()
                continue
            if act == "say":
                record.exposed(session, "web", labels, "words")
            elif act == "refuse":
                record.step(request(session=session), deny)
            else:
                entry = record.step(request(session=session), giving(*labels))
                if act != "call":
                    gone = act == "not sent"
                    record.finish(entry, Outcome.NOT_SENT if gone else Outcome.OK, duration_ms=0, refund=gone)
            expected[session] |= labels if act != "refuse" else frozenset()
            assert record.labels(session) == expected[session]
        assert {key: record.labels(key) for key in expected} == expected
        assert verify(record.directory) == []
