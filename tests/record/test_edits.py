"""Thousands of random edits of a record, as somebody could make them who has the file: each one is found.

`MCP_GUARD_EDITS` sets how many.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from mcp_guard.model import Charge, Outcome
from mcp_guard.record.keys import signing_seed
from mcp_guard.record.signing import Signer
from mcp_guard.record.verify import examine
from tests.record.examples import PAY, Clock, allow, deny, open_record, request

EDITS = int(os.environ.get("MCP_GUARD_EDITS", "2000"))
Edit = Callable[[random.Random, sqlite3.Connection], int]
"""Makes one edit; gives the position from which on something must be found wrong (0: anywhere)."""


def record_of(place: Path) -> bytes:
    """The bytes of a record of two processes with checkpoints in between; a third one has bound their ends."""
    clock, charge = Clock(), Charge(PAY.key, 1, {"amount": Decimal("2.5")})
    with open_record(place, clock) as one, open_record(place, clock) as two:
        signer = Signer(signing_seed(one.directory))
        for number in range(12):
            clock.move(seconds=1)
            record = (one, two)[number % 3 == 2]
            record.finish(record.step(request(), allow(charge)), Outcome.OK, duration_ms=number)
            record.step(request(target=f"tool_{number}"), deny)
            if number % 4 == 3:
                record.checkpoint(signer)
        one.first_sight("bank@1", ["transfer_money"])
        two.started("mandate-1")
    with open_record(place, clock) as three:
        three.checkpoint(signer)
    with closing(sqlite3.connect(three.directory / "guard.db")) as connection:
        content = bytearray(connection.serialize())
    content[18:20] = b"\x01\x01"  # no write-ahead log: in memory there is none
    return bytes(content)


def at_random(chance: random.Random, connection: sqlite3.Connection) -> tuple[int, int]:
    """A position, not the last one, and the one after it."""
    found = [row[0] for row in connection.execute("SELECT position FROM entries ORDER BY position")]
    where = chance.randrange(len(found) - 1)
    return found[where], found[where + 1]


def flip_a_byte(chance: random.Random, connection: sqlite3.Connection) -> int:
    position, _ = at_random(chance, connection)
    column = chance.choice(["body", "hash"])
    text = bytearray(connection.execute(f"SELECT {column} FROM entries WHERE position=?", (position,)).fetchone()[0])  # noqa: S608
    text[chance.randrange(len(text))] ^= chance.randrange(1, 256)
    connection.execute(f"UPDATE entries SET {column}=? WHERE position=?", (bytes(text), position))  # noqa: S608
    return position


def rewrite_a_word(chance: random.Random, connection: sqlite3.Connection) -> int:
    """A plausible lie in well-formed words."""
    position, _ = at_random(chance, connection)
    body = orjson.loads(connection.execute("SELECT body FROM entries WHERE position=?", (position,)).fetchone()[0])
    name = chance.choice([key for key, value in body.items() if isinstance(value, str)])
    body[name] += chance.choice("abc0")
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    connection.execute("UPDATE entries SET body=? WHERE position=?", (text, position))
    return position


def remove(chance: random.Random, connection: sqlite3.Connection) -> int:
    position, _ = at_random(chance, connection)
    connection.execute("DELETE FROM entries WHERE position=?", (position,))
    return position


def remove_and_close_the_gap(chance: random.Random, connection: sqlite3.Connection) -> int:
    position = remove(chance, connection)
    last = connection.execute("SELECT max(position) FROM entries").fetchone()[0]
    for at in range(position + 1, last + 1):
        connection.execute("UPDATE entries SET position=position - 1 WHERE position=?", (at,))
    return position


def swap(chance: random.Random, connection: sqlite3.Connection) -> int:
    first, second = at_random(chance, connection)
    for before, now in ((first, -1), (second, first), (-1, second)):
        connection.execute("UPDATE entries SET position=? WHERE position=?", (now, before))
    return first


def splice(chance: random.Random, connection: sqlite3.Connection) -> int:
    """An entry in the place of another one."""
    (to, _), (of, _) = at_random(chance, connection), at_random(chance, connection)
    if of == to:
        of = to + 1
    connection.execute(
        "UPDATE entries SET body=(SELECT body FROM entries WHERE position=?), "
        "hash=(SELECT hash FROM entries WHERE position=?) WHERE position=?",
        (of, of, to),
    )
    return to


def repeat(chance: random.Random, connection: sqlite3.Connection) -> int:
    """An entry once more, at the end."""
    position, _ = at_random(chance, connection)
    last = connection.execute("SELECT max(position) FROM entries").fetchone()[0]
    connection.execute(
        "INSERT INTO entries SELECT ?, chain, seq, time, NULL, body, hash FROM entries WHERE position=?",
        (last + 1, position),
    )
    return int(last) + 1


def change_what_was_used(chance: random.Random, connection: sqlite3.Connection) -> int:
    change = chance.choice(["calls=calls-1", """sums='{"amount":"1"}'""", "session='other'", "rule='policy/other'"])
    connection.execute(f"UPDATE usage SET {change}")  # noqa: S608 - of the list
    return 0


def change_an_end(chance: random.Random, connection: sqlite3.Connection) -> int:
    change = chance.choice(["seq=seq-1", "head=randomblob(32)", "bound=bound+1", "id=id||'0'"])
    connection.execute(f"UPDATE chains SET {change} WHERE number=?", (chance.randint(1, 3),))  # noqa: S608
    return 0


KINDS: list[Edit] = [
    *(flip_a_byte, rewrite_a_word, remove, remove_and_close_the_gap, swap, splice, repeat),
    *(change_what_was_used, change_an_end),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return record_of(tmp_path_factory.mktemp("whole"))


def test_every_random_edit_is_found_and_the_first_bad_entry_is_where_it_was_made(whole: bytes) -> None:
    chance, made = random.Random(20261231), Counter[str]()
    while made.total() < EDITS:
        edit = KINDS[made.total() % len(KINDS)]
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.deserialize(whole)
        position = edit(chance, connection)
        report = examine(connection)
        connection.close()
        assert report.count, (edit.__name__, made)
        if position:
            assert report.findings[0].position in (position, position + 1), (edit.__name__, position, report.findings)
        made[edit.__name__] += 1
    assert len(made) == len(KINDS)


def test_the_record_that_was_edited_was_whole(whole: bytes) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(whole)
    report = examine(connection)
    connection.close()
    assert (report.findings, report.checkpoints) == ([], 4)
