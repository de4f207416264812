"""The circuit breaker: what freezes a session, and whose; a person lets it go on, and `verify` sees all of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.model import Decision, Effect, Reason
from mcp_guard.monitor.severity import OWN_CALLS, Severity, of_refusal
from mcp_guard.record import denied, stops
from mcp_guard.record.denied import Breaker
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, Row, open_for_reading
from mcp_guard.record.store import Record
from mcp_guard.record.verify import verify
from tests.guards import Scene, decision_in
from tests.record.examples import Clock, open_record, raw, request

POLICY = """version: 1
grants: [{id: say, tool: raw/echo, args: {text: any}}]
deny: [{id: never, tool: raw/echo, args: {text: poison}}]
"""
FIVE = Breaker(denials=5, within=timedelta(minutes=5))


def refuse(record: Record, session: str, reason: Reason, count: int = 1, method: str = "tools/call") -> None:
    record.refuse(request(session=session, method=method), Decision(Effect.DENY, reason), count=count)


def frozen(record: Record) -> set[str]:
    return {scope for (scope,) in record.look("SELECT scope FROM stops")}


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("refuse"),
            st.sampled_from(["s1", "s2"]),
            st.sampled_from([Reason.NO_GRANT, Reason.DENIED, Reason.PROTECTED, Reason.UNAVAILABLE, Reason.STOPPED]),
            st.integers(1, 3),
        ),
        st.tuples(st.just("pass"), st.integers(1, 400)),
        st.tuples(st.just("unfreeze"), st.sampled_from(["s1", "s2"])),
        st.tuples(st.just("days"), st.integers(1, 2)),
        st.tuples(st.just("restart")),
    ),
    max_size=30,
)
BREAKERS = st.builds(
    Breaker,
    st.none() | st.integers(1, 6),
    st.integers(30, 600).map(lambda seconds: timedelta(seconds=seconds)),
    st.none() | st.sampled_from(Severity),
)


@settings(max_examples=60, deadline=None)
@given(STEPS, BREAKERS)
def test_a_session_is_frozen_exactly_when_its_own_refusals_say_so(
    steps: list[tuple[object, ...]], breaker: Breaker
) -> None:
    clock = Clock()
    lately: dict[str, list[tuple[object, int]]] = {"s1": [], "s2": []}
    expected: set[str] = set()
    with TemporaryDirectory() as home:
        record = open_record(Path(home), clock=clock)
        record.breaker = breaker
        for what, *said in steps:
            match what, said:
                case "refuse", [str(session), Reason() as reason, int(count)]:
                    refuse(record, session, reason, count)
                    severity = of_refusal("tools/call", "x", reason.value)
                    if severity is None:
                        continue
                    lately[session].append((clock.now, count))
                    recent = sum(n for at, n in lately[session] if at > clock.now - breaker.within)  # type: ignore[operator, misc]
                    grave = breaker.severity is not None and severity >= breaker.severity
                    if grave or (breaker.denials is not None and recent >= breaker.denials):
                        expected.add(f"session:{session}")
                case "pass", [int(seconds)]:
                    clock.now += timedelta(seconds=seconds)
                case "days", [int(days)]:
                    clock.now += timedelta(days=days)
                case "unfreeze", [str(session)]:
                    scope = f"session:{session}"
                    if record.change(lambda moment, scope=scope: stops.resume(moment, scope)):  # type: ignore[misc]
                        expected.discard(scope)
                        lately[session].clear()
                case _:
                    record.close()
                    record = open_record(Path(home), clock=clock)
                    record.breaker = breaker
            assert frozen(record) == expected
        record.close()
        assert verify(record.directory) == []


async def test_the_call_after_the_last_refusal_is_refused_although_it_is_granted(tmp_path: Path) -> None:
    with Scene(tmp_path, POLICY) as scene:
        scene.record.breaker = FIVE
        await scene.listed()
        assert (await scene.call("echo", {"text": "hello"}))["result"]["content"] == []
        for _ in range(5):
            await scene.call("echo", {"text": "poison"})
        said = await scene.call("echo", {"text": "hello"})
        assert decision_in(said["result"])["reason"] == "stopped"
        assert len(scene.servers[0].calls) == 1
        why = [row.body["data"] for row in _entries(scene.record) if row.kind is EntryKind.HALTED]
        assert why == [{"scope": "session:s1", "why": "circuit breaker: 5 refusals within 300 seconds"}]
        scene.record.change(lambda moment: stops.resume(moment, "session:s1"))
        assert (await scene.call("echo", {"text": "hello"}))["result"]["content"] == []
        await scene.call("echo", {"text": "poison"})  # the old ones count no more
        assert (await scene.call("echo", {"text": "hello"}))["result"]["content"] == []


async def test_naming_the_guards_own_files_once_is_enough_for_a_breaker_of_high_severity(tmp_path: Path) -> None:
    with Scene(tmp_path, POLICY, protect=["/srv/guard.yaml"]) as scene:
        scene.record.breaker = Breaker(severity=Severity.HIGH)
        await scene.listed()
        await scene.call("echo", {"text": "poison"})
        assert frozen(scene.record) == set()
        await scene.call("echo", {"text": "/srv/guard.yaml"})
        assert frozen(scene.record) == {"session:s1"}


@pytest.mark.parametrize("method", ["(none)", "elicitation/create", "notifications/message", "x/extension"])
def test_what_a_server_sends_or_nobody_asked_for_freezes_no_client(tmp_path: Path, method: str) -> None:
    with open_record(tmp_path) as record:
        record.breaker = Breaker(denials=1, severity=Severity.LOW)
        refuse(record, "s1", Reason.NO_GRANT, method=method)
        assert method not in OWN_CALLS and frozen(record) == set()


def test_a_server_that_is_down_freezes_nobody(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.breaker = Breaker(denials=1)
        for reason in (Reason.UNAVAILABLE, Reason.TOO_MANY, Reason.UNRECORDED, Reason.EXPIRED):
            refuse(record, "s1", reason)
        assert frozen(record) == set()


def test_a_row_that_was_taken_away_shows(tmp_path: Path) -> None:
    """Whoever sheds refusals would keep the breaker from tripping."""
    with open_record(tmp_path) as record:
        refuse(record, "s1", Reason.NO_GRANT)
    assert verify(record.directory) == []
    with raw(record.directory) as connection:
        connection.execute("DELETE FROM denied")
    assert any("was refused lately" in text for text in verify(record.directory))


def test_no_more_refusals_of_a_session_are_kept_than_any_breaker_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denied, "MOST", 4)
    with open_record(tmp_path) as record:
        for _ in range(7):
            refuse(record, "s1", Reason.NO_GRANT)
        assert record.look("SELECT count(*) FROM denied") == [(4,)]
    assert verify(record.directory) == []


def _entries(record: Record) -> list[Row]:
    with open_for_reading(record.directory) as query:
        return list(query.entries(Filter()))
