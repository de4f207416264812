"""Whatever is changed, removed or moved in the record, `verify` says so; and says what it can't see."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcp_guard.model import Charge, Outcome
from mcp_guard.record.chain import START, entry_hash
from mcp_guard.record.verify import verify
from tests.record.examples import PAY, Clock, allow, deny, open_record, raw, request

Change = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of three chains in turns, at standing time, with every kind of dependent table filled."""
    place, clock = tmp_path_factory.mktemp("whole"), Clock()
    charge = Charge(PAY.key, 1, {"amount": Decimal("2.5")})
    with open_record(place, clock) as one, open_record(place, clock) as two:
        for record in (one, two):
            record.note("loaded", {"file": "policy.yaml"})
            record.finish(record.step(request(), allow(charge)), Outcome.OK, duration_ms=1)
            entry = record.step(request(), allow(charge))
            record.step(request(), deny)
            record.finish(entry, Outcome.NOT_SENT, duration_ms=1, refund=True)
        one.first_sight("bank@1", ["transfer_money"])
        one.first_pins("bank@1", {"tool:pay": "0a;description=1"})
        two.see_anew("web@1", ["fetch"], {"tool:fetch": "0b"})
        two.started("mandate-1")
        two.step(request(), allow())
    with open_record(place, clock) as three:
        three.note("stopped", {})
    assert verify(three.directory) == []
    return three.directory


def after(whole: Path, place: Path, change: Change) -> list[str]:
    """What `verify` finds in a copy of the record to which somebody did this."""
    shutil.copytree(whole, place / "state")
    with raw(place / "state") as connection:
        change(connection)
    return verify(place / "state")


def positions(whole: Path) -> list[int]:
    with closing(sqlite3.connect(whole / "guard.db")) as connection:
        return [row[0] for row in connection.execute("SELECT position FROM entries ORDER BY position")]


def rows_of(table: str) -> str:
    return f"SELECT * FROM {table}"  # noqa: S608 - of the list below


values = st.one_of(
    st.none(), st.integers(-2, 40), st.binary(max_size=40), st.text(max_size=30), st.just("2026-12-31T12:00:00.000000Z")
)
columns = st.sampled_from(
    [("entries", name) for name in ("position", "chain", "seq", "time", "finishes", "body", "hash")]
    + [("chains", name) for name in ("number", "id", "seq", "head", "bound")]
    + [("usage", name) for name in ("session", "rule", "calls", "sums")]
    + [("first_seen", name) for name in ("server", "tools")]
    + [("first_pins", name) for name in ("server", "pins")]
    + [("first_used", name) for name in ("key", "time")]
)


@settings(max_examples=150, deadline=None)
@given(columns, st.integers(0, 30), values)
def test_a_changed_value_anywhere_is_found(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, column: tuple[str, str], which: int, value: object
) -> None:
    table, name = column
    changed: list[bool] = []

    def change(connection: sqlite3.Connection) -> None:
        rows = connection.execute(rows_of(table))
        before, key = rows.fetchall(), rows.description[0][0]
        row = before[which % len(before)][0]
        with suppress(sqlite3.IntegrityError, sqlite3.OperationalError):  # what SQLite itself forbids
            connection.execute(f"UPDATE {table} SET {name}=? WHERE {key}=?", (value, row))  # noqa: S608
        changed.append(connection.execute(rows_of(table)).fetchall() != before)

    found = after(whole, tmp_path_factory.mktemp("changed"), change)
    assume(changed[0])
    assert found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_of_an_entry_is_found(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, which: int, where: int, flip: int
) -> None:
    def change(connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT position, body FROM entries").fetchall()
        position, body = rows[which % len(rows)]
        text = bytearray(body)
        text[where % len(text)] ^= flip
        connection.execute("UPDATE entries SET body=? WHERE position=?", (bytes(text), position))

    assert after(whole, tmp_path_factory.mktemp("flipped"), change)


def test_a_removed_row_is_found_wherever_it_stood(whole: Path, tmp_path: Path) -> None:
    for position in positions(whole):
        assert after(
            whole,
            tmp_path / str(position),
            lambda connection, at=position: connection.execute("DELETE FROM entries WHERE position=?", (at,)),  # type: ignore[misc]
        )


def test_two_swapped_rows_are_found_in_one_chain_and_across_chains(whole: Path, tmp_path: Path) -> None:
    for first in positions(whole)[:-1]:

        def swap(connection: sqlite3.Connection, at: int = first) -> None:
            for before, now in ((at, -1), (at + 1, at), (-1, at + 1)):
                connection.execute("UPDATE entries SET position=? WHERE position=?", (now, before))

        assert after(whole, tmp_path / str(first), swap)


def test_a_row_that_was_added_is_found(whole: Path, tmp_path: Path) -> None:
    def add(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO entries SELECT position + 1, chain, seq + 1, time, NULL, body, hash FROM entries "
            "ORDER BY position DESC LIMIT 1"
        )

    assert after(whole, tmp_path, add)


def _cut(connection: sqlite3.Connection, chain: int, keep: int) -> None:
    """Cut a chain's end off as somebody would who knows the tables: counters and positions mended too."""
    connection.execute("DELETE FROM entries WHERE chain=? AND seq>?", (chain, keep))
    connection.execute("DELETE FROM denied WHERE position NOT IN (SELECT position FROM entries)")
    head = connection.execute("SELECT hash FROM entries WHERE chain=? AND seq=?", (chain, keep)).fetchone()[0]
    connection.execute("UPDATE chains SET seq=?, head=?, bound=min(bound, ?) WHERE number=?", (keep, head, keep, chain))


def test_the_end_of_the_newest_chain_can_be_cut_off_only_until_a_later_chain_binds_it(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.note("loaded", {})
        record.step(request(), deny)
    shutil.copytree(record.directory, tmp_path / "bound" / "state")
    with raw(record.directory) as connection:
        _cut(connection, 1, 1)
    assert verify(record.directory) == []  # this is what a chain alone can't show

    open_record(tmp_path / "bound").close()
    with raw(tmp_path / "bound" / "state") as connection:
        _cut(connection, 1, 1)
    found = verify(tmp_path / "bound" / "state")
    assert any("was there when" in finding for finding in found)


def test_a_chain_forged_with_fresh_hashes_is_found_by_the_chain_that_bound_it(whole: Path, tmp_path: Path) -> None:
    def forge(connection: sqlite3.Connection) -> None:
        before = START
        rows = connection.execute("SELECT position, body FROM entries WHERE chain=1 ORDER BY seq").fetchall()
        for position, text in rows:
            body = orjson.loads(text)
            if body.get("effect") == "deny":
                body["detail"] = "nothing to see"
            text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
            before = entry_hash(before, text)
            connection.execute("UPDATE entries SET body=?, hash=? WHERE position=?", (text, before, position))
        connection.execute("UPDATE chains SET head=? WHERE number=1", (before,))

    found = after(whole, tmp_path, forge)
    assert found
    assert all("was there when" in finding for finding in found)


def test_a_whole_chain_that_was_removed_is_found(whole: Path, tmp_path: Path) -> None:
    def remove(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM entries WHERE chain=2")
        connection.execute("DELETE FROM chains WHERE number=2")

    assert any("was there when" in finding for finding in after(whole, tmp_path, remove))


def _append(connection: sqlite3.Connection, **says: object) -> None:
    """Go on with the last chain as its writer would, with whatever this entry says."""
    number, chain, seq, head, _ = connection.execute("SELECT * FROM chains ORDER BY number DESC").fetchone()
    last, time = connection.execute("SELECT position, time FROM entries ORDER BY position DESC").fetchone()
    body = {"chain": chain, "seq": seq + 1, "position": last + 1, "time": time, "session": "5e55101"} | says
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    row = (last + 1, number, seq + 1, time, says.get("finishes"), text, entry_hash(head, text))
    connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute("UPDATE chains SET seq=?, head=? WHERE number=?", (seq + 1, row[-1], number))


@pytest.mark.parametrize(
    ("says", "finding"),
    [
        ({"kind": "outcome", "finishes": 1, "outcome": "ok"}, "outcome of no allowed call"),
        ({"kind": "outcome", "finishes": 99, "outcome": "ok"}, "outcome of no allowed call"),
        ({"kind": "opened", "heads": {}}, "opens its chain in the middle"),
        ({"kind": "gossip"}, "can't be read"),
        ({"kind": "decision"}, "can't be read"),
        ({"kind": "first_sight", "data": {}}, "can't be read"),
        ({}, "can't be read"),
        ({"kind": "decision", "effect": "allow", "charges": [{"rule": PAY.key, "calls": 1, "sums": {}}]}, "add up"),
    ],
)
def test_a_well_linked_entry_that_makes_no_sense_is_found(
    whole: Path, tmp_path: Path, says: dict[str, object], finding: str
) -> None:
    found = after(whole, tmp_path, lambda connection: _append(connection, **says))
    assert [text for text in found if finding in text]


def test_an_entry_older_than_the_one_before_is_found(whole: Path, tmp_path: Path) -> None:
    def age(connection: sqlite3.Connection) -> None:
        _append(connection, kind="loaded", data={})
        _append(connection, kind="loaded", data={}, time="2026-12-31T11:00:00.000000Z")
        connection.execute(
            "UPDATE entries SET time='2026-12-31T11:00:00.000000Z' WHERE position=(SELECT max(position) FROM entries)"
        )

    assert any("older" in finding for finding in after(whole, tmp_path, age))


def test_a_record_in_use_verifies(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), allow())
        assert verify(record.directory) == []
