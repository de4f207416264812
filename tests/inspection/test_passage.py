"""A guarded conversation under obligations: what reaches the client, what the record says, what the server saw."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.model import Outcome
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Row
from mcp_guard.record.verify import verify
from tests.guards import RecordingDownstream, Scene, tool
from tests.inspection.samples import AWS, answer, text

REDACTING = """version: 1
grants:
  - {id: say, tool: raw/echo, args: any, result: [redact, strip_hidden]}
  - {id: plain, tool: raw/plain, args: any}
  - {id: greet, prompt: raw/greet, args: any, result: redact}
  - {id: read, resource: {server: raw, uri: any}, result: redact}
"""
HOLDING = (
    "version: 1\ngrants: [{id: say, tool: raw/echo, args: any, result: [redact, quarantine], budget: {calls: 3}}]\n"
)
LOG = "notifications/message"


def scene(directory: Path, policy: str = REDACTING, reply: Any = None, **tools: Any) -> Scene:
    double = RecordingDownstream(tools=[tool("echo"), tool("plain")])
    for method in ("tools/call", "prompts/get", "resources/read"):
        double.replies[method] = reply or answer(f"the key: {AWS}\u200b")
    return Scene(directory, policy=policy, servers=[double], **tools)


def release(held: Scene, row: Row) -> None:
    """What `mcp-guard quarantine release` does once a person is there."""
    digest = row.note.partition("held, digest ")[2].partition(",")[0]
    position = held.record.note(EntryKind.RELEASED, {"entry": row.id, "digest": digest})
    held.guard.quarantine.release(row.id, position)


async def test_only_what_a_grant_wants_redacted_is(tmp_path: Path) -> None:
    with scene(tmp_path) as guarded:
        assert (await guarded.call("echo"))["result"]["content"] == [text("the key: [redacted: aws access key]")]
        assert (await guarded.call("plain"))["result"]["content"] == [text(f"the key: {AWS}\u200b")]
        redacted, plain = guarded.rows()
        assert (redacted.outcome, redacted.note) == (Outcome.OK, "redacted aws access key 1, stripped 1")
        assert plain.note == "scan: stray-hidden"  # told, and passed on
        assert redacted.body["obligations"] == ["redact", "strip_hidden"]
        assert "obligations" not in plain.body


@pytest.mark.parametrize(
    ("method", "params"), [("prompts/get", {"name": "greet"}), ("resources/read", {"uri": "file:///a"})]
)
async def test_prompts_and_resources_pass_the_same_inspection(tmp_path: Path, method: str, params: Any) -> None:
    with scene(tmp_path) as guarded:
        assert AWS not in json.dumps(await guarded.ask(method, params))


async def test_an_error_passes_the_same_inspection(tmp_path: Path) -> None:
    error = {"error": {"code": -1, "message": f"bad {AWS}", "data": {"k": AWS}}}
    with scene(tmp_path, reply=error) as guarded:
        found = await guarded.call("echo")
        assert found["error"]["message"] == "bad [redacted: aws access key]"
        assert AWS not in json.dumps(found)


async def test_what_a_server_logs_passes_what_any_grant_of_it_wants(tmp_path: Path) -> None:
    with scene(tmp_path) as guarded:
        guarded.gateway.server_notified(guarded.servers[0], LOG, {"level": "info", "data": f"got {AWS}"})  # type: ignore[arg-type]
        assert guarded.notified == [(LOG, {"level": "info", "data": "got [redacted: aws access key]"})]


async def test_the_obligations_of_all_layers_add_up(tmp_path: Path) -> None:
    mandate = (
        "version: 1\ntask: T.\nexpires: 30m\ngrants: [{id: m, tool: raw/echo, args: any, result: [{truncate: 12}]}]\n"
    )
    with scene(tmp_path, mandate=mandate) as guarded:
        (block,) = (await guarded.call("echo"))["result"]["content"]
        assert block["text"].startswith("the key: [re[truncated: ")


async def test_a_promised_schema_that_can_not_be_kept_withholds(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"key": {"type": "string", "pattern": "^AKIA"}}}
    with scene(tmp_path, reply=answer("x", structuredContent={"key": AWS})) as guarded:
        guarded.servers[0].tools = [{**tool("echo"), "outputSchema": schema}]
        found = await guarded.call("echo")
        assert found["result"]["_meta"]["mcp-guard/decision"]["kind"] == "withheld"
        assert AWS not in json.dumps(found)
        assert [row.outcome for row in guarded.rows()] == [Outcome.WITHHELD]


async def test_a_held_answer_comes_once_it_is_released_and_the_call_is_not_made_again(tmp_path: Path) -> None:
    with scene(tmp_path, HOLDING) as held:
        first = await held.call("echo", {"n": 1})
        assert first["result"]["_meta"]["mcp-guard/decision"]["kind"] == "withheld"
        assert "the key" not in json.dumps(first)
        (row,) = held.rows()
        assert row.outcome == Outcome.WITHHELD
        release(held, row)

        assert "the key" not in json.dumps(await held.call("echo", {"n": 2}))  # another call gets another answer
        given = await held.call("echo", {"n": 1}, _meta={"progressToken": 7})
        assert given["result"]["content"] == [text("the key: [redacted: aws access key]\u200b")]
        assert len(held.servers[0].calls) == 2
        assert held.rows()[-1].outcome == Outcome.NOT_SENT
        assert row.id in held.rows()[-1].note

        again = await held.call("echo", {"n": 1})  # it is given once; and the charge of the one that got it went back
        assert "the key" not in json.dumps(again)
        assert len(held.servers[0].calls) == 3
    assert verify(tmp_path / "state") == []


async def test_however_much_was_done_to_it_an_answer_can_be_released(tmp_path: Path) -> None:
    names = ", ".join(f'{"n" * 30} {number}: "x{number}y"' for number in range(9))
    policy = HOLDING.replace("redact,", f"redact, {{redact: {{{names}}}}},")
    with scene(tmp_path, policy, answer(*(f"the key x{number}y" for number in range(9)))) as held:
        await held.call("echo")
        (row,) = held.rows()
        release(held, row)
        assert "the key" in json.dumps(await held.call("echo"))


async def test_a_line_in_the_file_alone_releases_nothing(tmp_path: Path) -> None:
    with scene(tmp_path, HOLDING) as held:
        await held.call("echo")
        (row,) = held.rows()
        held.guard.quarantine.release(row.id, 1)  # an entry that says something else
        assert "the key" not in json.dumps(await held.call("echo"))


async def test_other_content_than_was_held_is_not_given_out(tmp_path: Path) -> None:
    with scene(tmp_path, HOLDING) as held:
        await held.call("echo")
        (row,) = held.rows()
        release(held, row)
        with sqlite3.connect(tmp_path / "state" / "quarantine.db") as file:
            file.execute("UPDATE held SET content=?", (json.dumps(answer("the key is under the mat")).encode(),))
        assert "the key" not in json.dumps(await held.call("echo"))


async def test_a_server_whose_answers_are_held_says_nothing_else_in_their_place(tmp_path: Path) -> None:
    with scene(tmp_path, HOLDING) as held:
        server: Any = held.servers[0]
        held.gateway.server_notified(server, LOG, {"level": "info", "data": "the key"})
        held.gateway.server_notified(server, "notifications/prompts/list_changed", {"why": "the key"})
        assert "the key" not in json.dumps(held.notified)
        assert [row.method for row in held.rows()] == [LOG]


async def test_the_held_file_is_private_and_has_no_secret_that_was_redacted(tmp_path: Path) -> None:
    with scene(tmp_path, HOLDING) as held:
        await held.call("echo")
    file = tmp_path / "state" / "quarantine.db"
    assert file.stat().st_mode & 0o777 == 0o600
    assert AWS.encode() not in file.read_bytes()
    assert b"the key" not in (tmp_path / "state" / "guard.db").read_bytes()


async def test_a_guard_that_stumbles_over_an_answer_withholds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbling(*_: object, **__: object) -> None:
        raise ZeroDivisionError(AWS)

    monkeypatch.setattr("mcp_guard.inspecting.inspect", stumbling)
    with scene(tmp_path) as guarded:
        found = await guarded.call("echo")
        assert found["result"]["_meta"]["mcp-guard/decision"]["kind"] == "withheld"
        assert AWS not in json.dumps(found)


EGRESS = """version: 1
grants:
  - {id: send, tool: raw/echo, args: any, deny_secrets: true}
  - {id: plain, tool: raw/plain, args: any}
deny: [{id: never, tool: raw/plain, deny_secrets: true, advice: No keys.}]
"""


@pytest.mark.parametrize("name", ["echo", "plain"])
async def test_a_call_with_a_secret_in_it_is_not_sent(tmp_path: Path, name: str) -> None:
    with scene(tmp_path, EGRESS) as guarded:
        hidden = {"deep": [{"x": f"k={AWS}"}]}
        for arguments in ({"a": hidden}, {AWS: 1}, {"q": "AKIA%45XAMPLEEXAMPLE12"}):
            assert (await guarded.call(name, arguments))["result"]["isError"], arguments
        assert (await guarded.call(name, {"a": 1}, _meta={"k": AWS}))["result"]["isError"]
        assert guarded.servers[0].calls == []
        assert "isError" not in (await guarded.call(name, {"a": "no key"}))["result"]
        assert await guarded.listed() == ["echo", "plain"]
        assert AWS not in str(guarded.rows())
