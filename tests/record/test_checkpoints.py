"""Signed checkpoints and heads kept elsewhere: what each of them shows that the chains alone can't."""

from __future__ import annotations

import shutil
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from mcp_guard.errors import InputError, RecordFailed
from mcp_guard.model import Kind
from mcp_guard.record import schema, signing
from mcp_guard.record.chain import START, entry_hash
from mcp_guard.record.entries import canonical
from mcp_guard.record.heads import KeptHead, heads_in, newest_head, parse_head
from mcp_guard.record.history import called, take_back
from mcp_guard.record.keys import signing_seed
from mcp_guard.record.signing import Signer
from mcp_guard.record.sinks import HeadsFile, Journal, sink_of
from mcp_guard.record.store import Record
from mcp_guard.record.verify import Report, examine
from tests.record.examples import Clock, allow, deny, open_record, raw, request


def signer_of(record: Record) -> Signer:
    return Signer(signing_seed(record.directory))


def look(directory: Path, *heads: KeptHead, keys: tuple[str, ...] = ()) -> Report:
    return examine(schema.open_for_reading(directory), keys=keys, heads=heads)


def texts(report: Report) -> str:
    return "\n".join(finding.text for finding in report.findings)


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, str, list[KeptHead]]:
    """Two processes in turns, three checkpoints, and two entries after the last one."""
    clock, heads = Clock(), []
    with open_record(tmp_path, clock) as one, open_record(tmp_path, clock) as two:
        signer = signer_of(one)
        for record in (one, two, one):
            record.step(request(), deny)
            record.step(request(), allow())
            heads.append(record.checkpoint(signer))
        two.step(request(), deny)
        two.step(request(), deny)
    return one.directory, signer.public, heads


def forge(directory: Path, change: Callable[[dict[str, object]], None], seed: bytes | None = None) -> None:
    """Rewrite the record as somebody would who may write the file: all hashes, all tables, all bindings made anew."""
    signer = None if seed is None else Signer(seed)
    with raw(directory) as connection:
        heads: dict[str, tuple[int, bytes]] = {}
        rows = connection.execute("SELECT position, body FROM entries ORDER BY position").fetchall()
        for position, text in rows:
            body = orjson.loads(text)
            change(body)
            if "heads" in body:
                body["heads"] = {chain: [heads[chain][0], heads[chain][1].hex()] for chain in body["heads"]}
            if "signature" in body and signer is not None:
                body |= {"key": signer.public}
                body |= {"signature": signer.sign(signing.message_of(body)).hex()}
            before = heads.get(body["chain"], (-1, START))[1]
            new = canonical(body)
            heads[body["chain"]] = (body["seq"], entry_hash(before, new))
            connection.execute(
                "UPDATE entries SET body=?, hash=? WHERE position=?", (new, heads[body["chain"]][1], position)
            )
        for chain, (_, hashed) in heads.items():
            connection.execute("UPDATE chains SET head=? WHERE id=?", (hashed, chain))


def hide(body: dict[str, object]) -> None:
    if body.get("effect") == "deny":
        body["detail"] = "nothing to see"


def test_a_record_with_checkpoints_verifies_and_says_up_to_where_it_is_signed(
    signed: tuple[Path, str, list[KeptHead]],
) -> None:
    directory, public, heads = signed
    report = look(directory, *heads, keys=(public,))
    assert (texts(report), report.checkpoints, report.keys) == ("", 3, [public])
    assert (report.signed, report.last) == (heads[-1].position, heads[-1].position + 2)


def test_a_forgery_without_the_key_is_found_at_the_first_checkpoint_after_it(
    signed: tuple[Path, str, list[KeptHead]],
) -> None:
    directory, _, heads = signed
    forge(directory, hide)
    report = look(directory)
    assert report.findings[0].position == heads[0].position
    assert "signature that isn't of its content" in texts(report)


def test_a_forgery_with_another_key_passes_by_itself_and_not_with_the_key_given(
    signed: tuple[Path, str, list[KeptHead]],
) -> None:
    directory, public, _ = signed
    forge(directory, hide, bytes(32))
    assert look(directory).keys != [public]  # this is what nobody sees who has only the file
    assert "signed with another key" in texts(look(directory, keys=(public,)))


def test_a_forgery_with_the_key_is_found_by_a_head_kept_elsewhere_and_by_nothing_else(
    signed: tuple[Path, str, list[KeptHead]],
) -> None:
    directory, public, heads = signed
    forge(directory, hide, signing_seed(directory))
    assert texts(look(directory, keys=(public,))) == ""
    for head in heads:
        assert "isn't what stood at its position" in texts(look(directory, head))


def cut(connection: sqlite3.Connection, keep: int) -> None:
    """Cut off everything after a position, and mend every table that counts it."""
    for (text,) in connection.execute("SELECT body FROM entries WHERE position > ?", (keep,)).fetchall():
        body = orjson.loads(text)
        if body.get("effect") == "allow":
            keys = [rule["key"] for rule in body["rules"]]
            take_back(connection, (body["session"], Kind(body["target_kind"]), body["server"], body["target"]), keys)
    connection.execute("DELETE FROM entries WHERE position > ?", (keep,))
    connection.execute("DELETE FROM denied WHERE position > ?", (keep,))
    for number, chain in connection.execute("SELECT number, id FROM chains").fetchall():
        found = connection.execute(
            "SELECT seq, hash FROM entries WHERE chain=? ORDER BY seq DESC", (number,)
        ).fetchone()
        bound = -1
        for (text,) in connection.execute("SELECT body FROM entries").fetchall():
            bound = max(bound, orjson.loads(text).get("heads", {}).get(chain, [-1])[0])
        connection.execute("UPDATE chains SET seq=?, head=?, bound=? WHERE number=?", (*found, bound, number))
    connection.execute("DELETE FROM admitted")
    for body in (orjson.loads(text) for (text,) in connection.execute("SELECT body FROM entries").fetchall()):
        if body.get("effect") == "allow":
            tool = called(Kind(body["target_kind"]), body["server"], body["target"], (r["key"] for r in body["rules"]))
            again = "INSERT INTO admitted VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET calls = calls + 1"
            connection.execute(again, (body["session"], *tool))
    bodies = [orjson.loads(text) for (text,) in connection.execute("SELECT body FROM entries")]
    allowed = sum(body.get("effect") == "allow" for body in bodies)  # all of them are one tool's, by one grant
    connection.execute("UPDATE admitted SET calls=?", (allowed,))


def test_a_tail_cut_back_to_an_older_checkpoint_shows_against_a_head_kept_elsewhere(
    signed: tuple[Path, str, list[KeptHead]],
) -> None:
    directory, public, heads = signed
    with raw(directory) as connection:
        cut(connection, heads[1].position)
    assert texts(look(directory, heads[0], heads[1], keys=(public,))) == ""  # as if it had never been longer
    report = look(directory, heads[2], keys=(public,))
    assert f"the record ends at {heads[1].position}: it was cut" in texts(report)


def test_a_record_without_a_checkpoint_of_the_key_given_is_not_taken_for_signed(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        public = signer_of(record).public
    assert "no checkpoint is signed" in texts(look(record.directory, keys=(public,)))
    assert look(record.directory).count == 0


def test_a_checkpoint_must_bind_every_chain_that_has_grown(signed: tuple[Path, str, list[KeptHead]]) -> None:
    directory, _, _ = signed

    def leave_out(body: dict[str, object]) -> None:
        heads = body.get("heads")
        if body["kind"] == "checkpoint" and isinstance(heads, dict):
            heads.pop(sorted(heads)[0])

    forge(directory, leave_out, signing_seed(directory))
    assert "which had grown" in texts(look(directory))


def test_a_checkpoint_copied_to_another_place_is_found(signed: tuple[Path, str, list[KeptHead]]) -> None:
    directory, _, heads = signed
    with raw(directory) as connection:
        place = "(SELECT body FROM entries WHERE position=?)"
        connection.execute(
            f"UPDATE entries SET body={place} WHERE position=?",  # noqa: S608
            (heads[0].position, heads[1].position),
        )
    assert look(directory).findings[0].position == heads[1].position


def test_the_newest_head_is_an_opening_or_a_checkpoint(signed: tuple[Path, str, list[KeptHead]]) -> None:
    directory, _, heads = signed
    with raw(directory) as connection:
        assert newest_head(connection) == heads[-1]
    with Record.open(directory, session="later", clock=Clock()):
        pass
    with raw(directory) as connection:
        found = newest_head(connection)
    assert found is not None and found.position == heads[-1].position + 3
    assert look(directory, found).count == 0


def test_the_signing_key_is_private_and_one_for_all_processes(tmp_path: Path) -> None:
    with open_record(tmp_path) as one, open_record(tmp_path) as two:
        assert signing_seed(one.directory) == signing_seed(two.directory)
        assert (one.directory / "signing.key").stat().st_mode & 0o777 == 0o600
        (one.directory / "signing.key").chmod(0o644)
        with pytest.raises(InputError, match="open to other users"):
            signing_seed(one.directory)


def test_the_public_key_comes_back_from_what_is_printed() -> None:
    public = Signer(bytes(range(32))).public
    assert signing.read_public(signing.public_pem(public).encode()) == public
    with pytest.raises(ValueError):
        signing.read_public(b"-----BEGIN NOTHING-----")


def test_a_head_is_read_back_and_anything_else_is_refused() -> None:
    head = KeptHead(17, "ab" * 32)
    assert parse_head(f" {head}\n") == head
    assert heads_in(f"{head} key 12\n{head}x\n{head}") == [head, head]
    for text in ("", "17", f"0:{'ab' * 32}", f"17:{'ab' * 31}", f"{head} {head}"):
        with pytest.raises(InputError, match="no head"):
            parse_head(text)


def test_a_file_of_heads_is_appended_to_and_never_made(tmp_path: Path) -> None:
    path, head = tmp_path / "heads", KeptHead(17, "ab" * 32)
    with pytest.raises(InputError, match="let another user make it"):
        sink_of("heads", path)
    path.write_text("before\n")
    for _ in range(2):
        sink_of("heads", path).send(head, "12")
    assert path.read_text() == f"before\n{head} key 12\n{head} key 12\n"
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(InputError, match="no plain file"):
        sink_of("link", link)
    with pytest.raises(OSError):
        HeadsFile(link).send(head, "12")


def test_the_journal_gets_one_message_a_head(tmp_path: Path) -> None:
    assert sink_of("journald", tmp_path) == Journal()
    head, path = KeptHead(17, "ab" * 32), tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        Journal(str(path)).send(head, "12")
        told = journal.recv(4096).decode()
    assert f"MCP_GUARD_HEAD={head}\n" in told
    assert "SYSLOG_IDENTIFIER=mcp-guard\n" in told


def test_a_checkpoint_that_finds_no_room_leaves_the_record_as_it_was(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record._writer.connection.execute("PRAGMA query_only=1")
        with pytest.raises(RecordFailed):
            record.checkpoint(signer_of(record))
        record._writer.connection.execute("PRAGMA query_only=0")
        record.checkpoint(signer_of(record))
    assert look(record.directory).count == 0
    shutil.rmtree(record.directory)
