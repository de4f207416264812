"""A long record answers by way of an index, and answers the same."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.errors import InputError
from mcp_guard.model import Decision, Effect, Outcome, Reason
from mcp_guard.record import index
from mcp_guard.record.keys import signing_seed
from mcp_guard.record.query import Filter, Query, open_for_reading
from mcp_guard.record.signing import Signer
from tests.record.examples import NO_EGRESS, NOON, PAY, Clock, allow, deny, open_record, raw, request

ASK = Decision(Effect.ASK, Reason.NEEDS_APPROVAL, rules=(PAY, NO_EGRESS))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls of some servers, clients, principals and ends, one a minute from noon on."""
    place, clock = tmp_path_factory.mktemp("long"), Clock()
    with open_record(place, clock) as record:
        for number in range(60):
            clock.move(minutes=1)
            described = request(
                server=("bank", "web", "files")[number % 3],
                target=("transfer_money", "Fetch", "a/b")[number % 2],
                principal=("alice", "bob")[number % 5 == 0],
                client=("assistant", "other 2")[number % 7 == 0],
                session=("5e55101", "0a0b")[number % 11 == 0],
            )
            judge = (allow(), deny, lambda _: ASK)[number % 4 % 3]
            entry = record.step(described, judge)
            if entry.decision.allowed and number % 8:
                record.finish(entry, (Outcome.OK, Outcome.UNKNOWN)[number % 3 == 0], duration_ms=1)
        record.refuse(request(), Decision(Effect.DENY, Reason.TOO_MANY), count=5)
        record.note("server_exited", {"server": "web"})
        record.first_sight("web:ab12", ["fetch"])
        record.checkpoint(Signer(signing_seed(record.directory)))
    return record.directory


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SMALL", 0)


filters = st.builds(
    Filter,
    denied=st.booleans(),
    tool=st.sampled_from([None, None, "*", "bank/*", "BANK/transfer_money", "fetch", "files/a/b", "a/b", "*/*/*"]),
    server=st.sampled_from([None, None, "web", "bank", "nobody"]),
    session=st.sampled_from([None, None, "5e5", "0a0b", "zz"]),
    since=st.sampled_from([None, None, NOON + timedelta(minutes=30, seconds=30)]),
    until=st.sampled_from([None, None, NOON + timedelta(minutes=45)]),
    limit=st.sampled_from([None, 1, 7, 1000]),
    kind=st.sampled_from([None, None, None, "decision", "checkpoint", "first_sight", "opened"]),
    effect=st.sampled_from([None, None, None, "allow", "ask", "deny"]),
    reason=st.sampled_from([None, None, None, "denied", "too_many"]),
    rule=st.sampled_from([None, None, None, "policy/pay", "*", "policy/NO-*", "pay"]),
    outcome=st.sampled_from([None, None, None, "ok", "unknown"]),
    principal=st.sampled_from([None, None, None, "alice", "*o*"]),
    client=st.sampled_from([None, None, None, "assistant", "other *"]),
    method=st.sampled_from([None, None, None, "tools/call", "tools/list"]),
    everything=st.booleans(),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(filters)
def test_every_filter_finds_the_same_rows_with_the_index_as_without(
    directory: Path, monkeypatch: pytest.MonkeyPatch, wanted: Filter
) -> None:
    found = []
    for small in (10**9, 0):
        monkeypatch.setattr(index, "SMALL", small)
        with open_for_reading(directory) as query:
            found.append(list(query.entries(wanted)))
    assert found[0] == found[1]


def rows(directory: Path) -> Iterator[str]:
    with open_for_reading(directory) as query:
        yield from (row.id for row in query.entries(Filter(everything=True)))


@pytest.mark.parametrize(
    ("field", "value_of"),
    [
        ("tool", lambda row: [row.name]),
        ("effect", lambda row: [row.effect]),
        ("rule", lambda row: row.rules or [""]),
        ("outcome", lambda row: [row.outcome]),
        ("day", lambda row: [f"{row.time:%Y-%m-%d}"]),
    ],
)
def test_counts_are_those_of_the_rows(directory: Path, field: str, value_of: object) -> None:
    assert callable(value_of)
    with open_for_reading(directory) as query:
        expected: Counter[str] = Counter()
        for row in query.entries(Filter(kind="decision")):
            for value in value_of(row):
                expected[value] += row.count
        assert query.counts(field, Filter(kind="decision")) == expected


@pytest.mark.usefixtures("long")
def test_what_came_in_since_is_found_too_and_so_is_an_outcome_that_came_later(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        entry = record.step(request(), allow())
        with open_for_reading(record.directory) as query:
            assert [row.outcome for row in query.entries(Filter(tool="*"))] == [""]
        record.finish(entry, Outcome.OK, duration_ms=1)
        record.step(request(target="later"), deny)
        with open_for_reading(record.directory) as query:
            assert [(row.target, row.outcome) for row in query.entries(Filter(tool="*"))] == [
                ("transfer_money", "ok"),
                ("later", ""),
            ]
            assert [row.target for row in query.entries(Filter(outcome="ok"))] == ["transfer_money"]


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("content", [b"no database at all", b""])
def test_an_index_of_another_record_or_a_damaged_one_is_made_anew(tmp_path: Path, content: bytes) -> None:
    with open_record(tmp_path / "one") as one, open_record(tmp_path / "two") as two:
        one.step(request(target="one"), deny)
        two.step(request(target="two"), deny)
    list(rows(one.directory))
    (two.directory / "index.db").write_bytes(content or (one.directory / "index.db").read_bytes())
    (two.directory / "index.db").chmod(0o600)
    with open_for_reading(two.directory) as query:
        assert [row.target for row in query.entries(Filter(tool="*"))] == ["two"]


@pytest.mark.usefixtures("long")
def test_the_index_is_private_and_holds_no_hash_key(directory: Path) -> None:
    list(rows(directory))
    assert (directory / "index.db").stat().st_mode & 0o777 == 0o600
    (directory / "index.db").chmod(0o644)
    try:
        with pytest.raises(InputError, match="open to other users"):
            list(rows(directory))
    finally:
        (directory / "index.db").chmod(0o600)


@pytest.mark.usefixtures("long")
def test_a_lying_index_shows_no_row_that_does_not_fit(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(target="one"), deny)
    list(rows(record.directory))
    with sqlite3.connect(record.directory / "index.db") as lying:
        lying.execute("UPDATE rows SET effect = (SELECT number FROM texts WHERE text = 'decision')")
        lying.execute("UPDATE texts SET text = 'allow' WHERE text = 'deny'")
    lying.close()
    with open_for_reading(record.directory) as query:
        assert list(query.entries(Filter(effect="allow"))) == []


def test_an_entry_is_found_by_its_id_and_nothing_by_another(directory: Path) -> None:
    ids = list(rows(directory))
    with open_for_reading(directory) as query:
        assert [row.id for one in ids if (row := query.find(one)) is not None] == ids
        for odd in ("", "x", ids[0].rpartition("-")[0], f"{ids[0]}9999", "*-1", "????????-1", f"{ids[0]} "):
            assert query.find(odd) is None


def test_the_whole_record_comes_out_with_the_hashes_it_is_chained_by(directory: Path) -> None:
    with open_for_reading(directory) as query, raw(directory) as connection:
        out = [(position, hashed) for position, hashed, _ in query.raw()]
        there = connection.execute("SELECT position, lower(hex(hash)) FROM entries ORDER BY position").fetchall()
    assert out == there
    assert isinstance(query, Query)
