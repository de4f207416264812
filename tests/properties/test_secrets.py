"""Law 8: nothing that an argument carries is in the record or on standard error, however a call ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.client import LEGACY, MODERN
from tests.guards import Stand

SECRET = "hunter2-S3CRET"
POLICY = """
version: 1
grants:
  - {id: echo, tool: raw/echo, args: {text: {max_length: 30}}, optional: {nonce: {matches: "[a-z]+"}}}
  - {id: add, tool: [raw/add, raw/fail, raw/crash, raw/structured, raw/map], args: any}
  - {id: file, tool: raw/surroundings, args: {path: {under: /srv}}, others: any}
  - {id: prompt, prompt: raw/greet, args: {who: {in: [bob]}}}
ask: [{id: slow, tool: raw/slow}]
deny: [{id: big, tool: raw/big, args: {bytes: {above: 1}}, advice: Not this.}]
"""
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("echo", {"text": SECRET}),
    ("echo", {"text": SECRET * 9}),
    ("echo", {"text": SECRET, SECRET: SECRET}),
    ("echo", {"text": {"deep": [{SECRET: SECRET}]}}),
    ("echo", {"text": "x", "nonce": SECRET}),
    ("echo", {}),
    ("add", {"a": SECRET, "b": {SECRET: 1}}),
    ("add", {"a": [SECRET]}),
    ("fail", {"rpc": True, "message": SECRET}),
    ("fail", {"rpc": SECRET}),
    ("structured", {"value": SECRET}),
    ("surroundings", {"path": f"/etc/{SECRET}/../x"}),
    ("surroundings", {"path": f"/srv/{SECRET}"}),
    ("slow", {"until": SECRET}),
    ("big", {"bytes": SECRET}),
    ("crash", {"nonce": SECRET, SECRET: 1}),
]


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_no_argument_leaves_a_trace_in_the_record_or_on_standard_error(tmp_path: Path, era: str) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap() as client:
        await (client.initialize() if era == LEGACY else client.discover())
        requests = [
            ("tools/call", {"name": name, "arguments": arguments, **beside})
            for name, arguments in CALLS
            for beside in ({}, {"task": {SECRET: SECRET}}, {"_meta": {"example.com/x": SECRET}})
        ]
        requests += [
            ("tools/call", {"name": "echo", "arguments": SECRET}),
            ("prompts/get", {"name": "greet", "arguments": {"who": SECRET}}),
            ("prompts/get", {"name": "greet", "arguments": {SECRET: "bob"}}),
            ("resources/read", {"uri": f"fixture://user:{SECRET}@notes/1?token={SECRET}#{SECRET}"}),
            ("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"value": SECRET}}),
            ("tools/list", {"cursor": SECRET}),
            ("logging/setLevel", {"level": SECRET}),
        ]
        for method, params in requests:
            await (await client.start(method, params))
        answer = client.expect("end")
        await client.send_bytes(
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"%s":NaN}}\n' % SECRET.encode()
        )
        await client.send_bytes(b'{"jsonrpc":"2.0","id":"x","%s":1,"method":"tools/call"}\n' % SECRET.encode())
        await client.send({"id": "end", "method": "ping"})
        await answer
    assert len(stand.decisions()) >= len(CALLS)
    assert [row.body for row in stand.rows() if SECRET in str(row.body)] == []
    for file in (one for one in stand.state.rglob("*") if one.is_file()):
        assert SECRET.encode() not in file.read_bytes(), file.name
    own = [line for line in client.stderr.splitlines() if "Traceback" in line or SECRET in line]
    assert own == []


async def test_a_name_that_a_client_made_up_is_not_in_what_the_schema_says(tmp_path: Path) -> None:
    """A schema can bind arguments that it doesn't name; where such a one fails, its name is the client's own."""
    from mcp_guard.catalog import compile_schema

    check, _ = compile_schema(
        {
            "properties": {"known": {"properties": {"inner": {"type": "number"}}, "additionalProperties": False}},
            "patternProperties": {"^p": {"type": "number"}},
            "additionalProperties": {"additionalProperties": {"type": "number"}},
        }
    )
    assert check is not None
    for arguments in (
        {SECRET: {SECRET: "x"}},
        {f"p{SECRET}": "x"},
        {"known": {SECRET: 1}},
        {SECRET: {"a": {SECRET: 1}}},
    ):
        problem = check(arguments)
        assert problem is not None
        assert SECRET not in problem
    assert "`known.inner`" in (check({"known": {"inner": "x"}}) or "")
