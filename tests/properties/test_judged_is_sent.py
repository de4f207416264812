"""Law 1: what the server gets is what was judged and recorded, and nothing that was not."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.eras import Era
from mcp_guard.guard import Guard
from mcp_guard.model import Approval, Call, Decision, Facts, Reason
from mcp_guard.wire import canonical, keyed_digest, parse
from tests.fixtures.client import LEGACY, MODERN
from tests.guards import RecordingDownstream, Scene, Stand, decision_in, tool

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=10
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
META = st.dictionaries(NAMES.map(lambda name: f"example.com/{name}"), VALUES, max_size=3)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


class Noting(Guard):
    """Keeps what it judged."""

    judged: list[Mapping[str, Any]] = []  # noqa: RUF012 - emptied by each test

    def judge(self, call: Call, tool: Any, facts: Facts, approvals: Collection[Approval] = ()) -> Decision:
        Noting.judged.append(call.params)
        return super().judge(call, tool, facts, approvals)


@given(OBJECTS, META, st.sampled_from(list(Era)), st.booleans())
@QUICK
def test_the_server_gets_the_judged_object_and_its_digest_is_recorded(
    arguments: dict[str, Any], meta: dict[str, Any], era: Era, prefixed: bool
) -> None:
    async def conversation(directory: Path) -> None:
        Noting.judged.clear()
        with Scene(directory, era=era, prefixed=prefixed, guard_class=Noting) as scene:
            own = {"mcp-guard/decision": {"kind": "denied"}, "mcp-guard/x": 1}
            name = "raw__echo" if prefixed else "echo"
            answer = await scene.call(name, arguments, _meta={**meta, **own})
            assert "isError" not in answer["result"]
            (sent,) = scene.servers[0].calls
            (judged,) = Noting.judged
            assert canonical(sent) == canonical(judged)
            assert canonical(sent["arguments"]) == canonical(arguments)
            assert sent["name"] == "echo"
            kept = {key: value for key, value in sent.get("_meta", {}).items() if not key.startswith("io.model")}
            assert canonical(kept) == canonical(meta)
            key = scene.record.key
            assert scene.rows()[-1].body["digest"] == keyed_digest(key, {"method": "tools/call", "params": sent})

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(conversation(Path(directory)))


@given(st.text(max_size=12).filter(lambda name: name not in ("name", "arguments", "_meta")), VALUES)
@QUICK
def test_a_sibling_that_nothing_allows_is_refused_and_recorded(sibling: str, value: Any) -> None:
    async def conversation(directory: Path) -> None:
        with Scene(directory) as scene:
            params = {"name": "echo", "arguments": {}, sibling: value}
            answer = await scene.ask("tools/call", params)
            assert decision_in(answer["result"])["reason"] == Reason.UNEXPECTED_MEMBER
            assert scene.servers[0].calls == []
            assert scene.rows()[-1].reason == Reason.UNEXPECTED_MEMBER

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(conversation(Path(directory)))


@pytest.mark.parametrize("sibling", ["inputResponses", "requestState", "task", "Name", "arguments ", "progressToken"])
@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_no_sibling_reaches_a_real_server(tmp_path: Path, sibling: str, era: str) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await (client.initialize() if era == LEGACY else client.discover())
        line = {"name": "echo", "arguments": {"text": "x"}, sibling: {"ttl": 1}}
        answer = await (await client.start("tools/call", line))
        assert "error" in answer or answer["result"]["isError"]
    assert stand.ledger() == []
    assert stand.trace("tools/call") == []


BYTES = [
    b'{"text":"x","n":1.0,"m":-0.0,"big":123456789012345678901234567890,"tiny":1e-7,"null":null,"nonce":"1"}',
    b'{ "nonce" : "2", "text":"\\u00e9\\u0000\\ud83d\\ude00", "nested": {"b":[1,{"z":null,"a":[]}],"a":{}} }',
    b'{"text":"a","":"","nonce":"3","_meta":{"mcp-guard/decision":1},"x y":[[[[[[]]]]]]}',
]


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_bytes_written_by_hand_arrive_as_the_value_that_they_are(tmp_path: Path, era: str) -> None:
    stand = Stand(tmp_path)
    async with stand.wrap() as client:
        await (client.initialize() if era == LEGACY else client.discover())
        sent = []
        for number, arguments in enumerate(BYTES):
            meta = (
                b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28","x":null}' if era == MODERN else b'{"x":null}'
            )
            line = (
                b'{"jsonrpc":"2.0","id":"b%d","method":"tools/call","params":{"name":"echo","_meta":%b,"arguments":%b}}'
            )
            line %= (number, meta, arguments)
            answer = client.expect(f"b{number}")
            await client.send_bytes(line + b"\n")
            assert "isError" not in await client.result(answer)
            sent.append(parse(line)["params"])
    got = [message["params"] for message in stand.trace("tools/call")]
    assert [canonical(params) for params in got] == [canonical(params) for params in sent]
    key = (stand.state / "digest.key").read_bytes()
    digests = [keyed_digest(key, {"method": "tools/call", "params": params}) for params in got]
    assert [row.body["digest"] for row in stand.decisions()] == digests


async def test_what_is_refused_is_not_seen_by_the_double(tmp_path: Path) -> None:
    servers = [RecordingDownstream(tools=[tool("echo"), tool("other")])]
    policy = "version: 1\ngrants: [{id: one, tool: raw/echo, args: {}}]\n"
    with Scene(tmp_path, policy=policy, servers=servers) as scene:
        assert (await scene.call("echo", {"x": 1}))["result"]["isError"]
        assert "error" in await scene.call("other")
        assert servers[0].calls == []
