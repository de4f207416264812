"""Messages that two parsers read differently, to a real guard in front of a real server. The twins are sent between."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fixtures.ledger import executed
from tests.guards import Stand

POLICY = """version: 1
grants:
  - {id: say, tool: raw/echo, args: {text: {in: [hello]}}}
  - {id: add, tool: raw/add, args: {a: {max: 10}, b: any}}
"""
CALL = '{"jsonrpc":"2.0","id":"%d","method":"tools/call","params":{"name":"echo","arguments":%s}}'
FORGED = [
    '{"text":"hello","text":"evil"}',
    '{"text":"evil","text":"hello"}',
    '{"text":"hello","t\\u0065xt":"evil"}',
    '{"text":"hello"},"arguments":{"text":"evil"}',
    '{"text":"hello"},"name":"add"',
    '{"text":"hello"}},"params":{"name":"echo","arguments":{"text":"evil"}',
    '{"text":"hello"}},"method":"tools/list","x":{',
    '{"text":"hello","__proto__":{"text":"evil"}}',
    '{"text":"hello\\u0000evil"}',
    '{"text":"hello\\ud800"}',
    '{"text":["hello"]}',
    '{"text":"hello",}',
    "{'text':'hello'}",
    '{"text":"hello"/*,"x":1*/}',
    '{"text":NaN}',
    '{"text":1e999}',
    '{"text":' + "[" * 2000 + "]" * 2000 + "}",
]
BATCHED = "[" + CALL % (900, '{"text":"hello"}') + "]"


async def test_a_message_that_two_parsers_read_differently_is_not_carried_and_the_plain_one_is(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap() as client:
        await client.initialize()
        for number, arguments in enumerate(FORGED):
            await client.send_bytes((CALL % (number, arguments)).encode() + b"\n")
        await client.send_bytes(BATCHED.encode() + b"\n")
        await client.send_bytes((CALL % (901, '{"text":"hello\xff"}')).encode("latin-1") + b"\n")
        for _ in FORGED:
            assert "isError" not in await client.call("echo", {"text": "hello"})
    assert len(executed(stand.ledger_file())) == len(FORGED)
    reached = [json.dumps(message) for message in stand.trace("tools/call")]
    assert len(reached) == len(FORGED) and not any("evil" in message for message in reached)
