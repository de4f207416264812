"""`mcp-guard log verify | head | key | was | set-clock`, and the ways out of the record: CSV, JSON Lines, counts."""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcp_guard.cli.app import app
from mcp_guard.cli.log import log
from mcp_guard.errors import GuardError, InputError
from mcp_guard.model import Outcome
from mcp_guard.record.chain import entry_hash
from mcp_guard.record.entries import canonical
from mcp_guard.record.keys import signing_seed
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.signing import Signer
from mcp_guard.record.was import value_digests
from mcp_guard.wire import keyed_digest
from tests.record.examples import Clock, allow, deny, open_record, raw, request

HOSTILE = "=cmd|' /C calc'!A0\x1b[2J\r\n"


def run(*words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["log", *words], input=answer, standalone_mode=False)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An allowed call with its outcome, a refused one of a hostile server, and a checkpoint."""
    with open_record(tmp_path, Clock(datetime.now(UTC) - timedelta(minutes=5))) as record:
        arguments = {"amount": 50, "recipient": "DE02"}
        params = {"name": "transfer_money", "arguments": arguments}
        described = request(
            digest=keyed_digest(record.key, {"method": "tools/call", "params": params}),
            values=value_digests(record.key, arguments, {"amount": {}, "recipient": {}}),
        )
        record.finish(record.step(described, allow()), Outcome.OK, duration_ms=3)
        record.step(request(server=HOSTILE, target="fetch"), deny)
        record.checkpoint(Signer(signing_seed(record.directory)))
    return record.directory


def entry_of(state: Path, target: str) -> str:
    with open_for_reading(state) as query:
        (row,) = query.entries(Filter(tool=target))
    return row.id


def test_a_record_as_it_was_written_verifies_with_its_key_and_the_head_that_was_kept(
    state: Path, tmp_path: Path
) -> None:
    key, heads = tmp_path / "guard.pub", tmp_path / "heads"
    key.write_text(run("key", "--state", str(state)).stdout)
    head = run("head", "--state", str(state)).stdout.strip()
    heads.write_text(f"{head} key 12\n")
    for kept in (head, str(heads)):
        done = run("verify", "--key", str(key), "--head", kept, "--state", str(state))
        assert (done.exit_code, done.return_value) == (0, 0), done.output
        assert "signed to the end" in done.stdout
        assert "each stands where it was" in done.stdout
    told = json.loads(run("verify", "--json", "--key", str(key), "--state", str(state)).stdout)
    assert (told["ok"], told["entries"], told["signed"]) == (True, 5, 5)


def test_a_copy_of_the_file_is_enough_and_need_not_be_private(state: Path, tmp_path: Path) -> None:
    copy = tmp_path / "evidence.db"
    shutil.copy(state / "guard.db", copy)
    copy.chmod(0o644)
    assert run("verify", str(copy)).return_value == 0
    with raw(state) as connection:
        connection.execute("UPDATE entries SET body=replace(body, 'deny', 'ally')")
    assert run("verify", "--state", str(state)).return_value == 1


def test_a_changed_entry_is_named_with_exit_code_1(state: Path) -> None:
    with raw(state) as connection:
        connection.execute(
            "UPDATE entries SET body=CAST(replace(CAST(body AS TEXT), 'DENY', '') || ' ' AS BLOB) WHERE position=4"
        )
    done = run("verify", "--state", str(state))
    assert done.return_value == 1
    bad = entry_of_position(state, 4)
    assert f"the first bad entry is {bad} 4" in done.stdout
    told = json.loads(run("verify", "--json", "--state", str(state)).stdout)
    assert (told["findings"][0]["entry"], told["findings"][0]["position"]) == (bad, 4)


def entry_of_position(state: Path, position: int) -> str:
    with raw(state) as connection:
        row = "SELECT substr(c.id, 1, 8) || '-' || e.seq FROM entries e JOIN chains c ON c.number=e.chain"
        return str(connection.execute(f"{row} WHERE position=?", (position,)).fetchone()[0])


def test_without_a_head_it_says_what_would_not_show(state: Path) -> None:
    assert "cut off after the last checkpoint seen here wouldn't show" in run("verify", "--state", str(state)).stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["verify", "--head", "17"], "no head"),
        (["verify", "--head", "17:abc"], "no head"),
        (["verify", "--key", "/dev/null"], "no Ed25519 public key"),
        (["verify", "/nowhere/guard.db"], "no file"),
        (["was", "0123456789-1", "{}"], "no entry"),
        (["was", "x", "[1]"], "JSON object"),
    ],
)
def test_wrong_input_is_said_with_what_it_should_be(state: Path, words: list[str], error: str) -> None:
    done = run(*words, *([] if words[-1].startswith("/nowhere") else ["--state", str(state)]))
    assert isinstance(done.exception, InputError)
    assert error in str(done.exception)


def test_it_tells_whether_it_was_this_value(state: Path) -> None:
    entry = entry_of(state, "transfer_money")

    def ask(text: str) -> Result:
        return run("was", entry, text, "--state", str(state))

    assert (ask('{"recipient": "DE02"}').return_value, ask('{"recipient": "DE03"}').return_value) == (0, 1)
    assert ask('{"amount": 50, "recipient": "DE02"}').stdout.splitlines() == [
        "amount: yes",
        "recipient: yes",
        "this is all that the call carried",
    ]
    assert ask('{"amount": "50", "memo": "x"}').stdout.splitlines() == [
        "amount: no",
        "memo: not given in that call, or not kept",
    ]
    assert ask('{"amount": 50, "memo": "x"}').return_value == 1
    assert ask("{}").return_value == 1


def test_the_clock_is_set_only_if_the_record_is_ahead_and_a_person_agrees(tmp_path: Path) -> None:
    with open_record(tmp_path, Clock(datetime.now(UTC) + timedelta(days=9))) as record:
        record.step(request(), deny)
    state = str(record.directory)
    assert run("set-clock", "--state", state, answer="n\n").return_value == 1
    assert run("set-clock", "--state", state, answer="y\n").return_value == 0
    assert "aren't ahead" in run("set-clock", "--state", state).stderr
    assert run("verify", "--state", state).return_value == 0


def show(state: Path, *words: str) -> str:
    done = CliRunner().invoke(log, [*words, "--state", str(state)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_csv_has_one_line_a_row_and_nothing_that_a_spreadsheet_would_run(state: Path) -> None:
    text = show(state, "--csv")
    assert "\x1b" not in text and "\r" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["kind"] for row in rows] == ["opened", "decision", "decision"]
    assert (rows[1]["target"], rows[1]["outcome"], rows[1]["rules"]) == ("transfer_money", "ok", "policy/pay")
    assert rows[2]["server"] == "'=cmd|' /C calc'!A0\\x1b[2J\\x0d\\x0a"


def test_json_lines_are_enough_to_follow_the_chain(state: Path) -> None:
    before = bytes(32)
    lines = [json.loads(line) for line in show(state, "--jsonl").splitlines()]
    for position, line in enumerate(lines, 1):
        assert line["position"] == position
        before = entry_hash(before, canonical(line["body"]))
        assert line["hash"] == before.hex()
    assert [line["body"]["kind"] for line in lines] == ["opened", "decision", "outcome", "decision", "checkpoint"]


def test_counts_by_a_field_are_told_the_most_frequent_first(state: Path) -> None:
    assert show(state, "--count-by", "outcome").split() == ["2", "-", "1", "ok"]
    lines = show(state, "--count-by", "effect", "--json").splitlines()
    assert {line["effect"]: line["count"] for line in map(json.loads, lines)} == {"": 1, "allow": 1, "deny": 1}


@pytest.mark.parametrize(
    ("words", "targets"),
    [
        (["--effect", "deny"], ["fetch"]),
        (["--outcome", "ok"], ["transfer_money"]),
        (["--rule", "policy/pay"], ["transfer_money"]),
        (["--reason", "denied"], ["fetch"]),
        (["--principal", "ALICE", "--client", "assist*", "--method", "tools/call"], ["transfer_money", "fetch"]),
        (["--principal", "bob"], []),
        (["--kind", "decision", "--until", "2h"], []),
    ],
)
def test_each_field_is_a_filter(state: Path, words: list[str], targets: list[str]) -> None:
    found = [json.loads(line) for line in show(state, "--json", *words).splitlines()]
    assert [row["target"] for row in found] == targets


def test_one_entry_is_shown_by_its_id(state: Path) -> None:
    entry = entry_of(state, "fetch")
    assert [json.loads(line)["entry"] for line in show(state, "--json", "--entry", entry).splitlines()] == [entry]


def test_checkpoints_are_shown_only_when_they_are_asked_for(state: Path) -> None:
    assert "checkpoint" not in show(state)
    assert "the record was signed" in show(state, "--kind", "checkpoint")


@pytest.mark.parametrize("words", [["--csv", "--follow"], ["--jsonl", "--counts"], ["--jsonl", "--tool", "x"]])
def test_views_that_do_not_go_together_are_wrong_input(state: Path, words: list[str]) -> None:
    assert CliRunner().invoke(log, [*words, "--state", str(state)]).exit_code == 2


def test_a_head_of_an_empty_directory_is_no_head(tmp_path: Path) -> None:
    assert isinstance(run("head", "--state", str(tmp_path)).exception, GuardError)
