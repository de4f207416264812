"""Which client works with which server: eras by ways, over real processes. A shared era is mirrored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.client import LEGACY, MODERN, Message, RawClient, RpcError
from tests.guards import Stand, decision_in

POLICY = """
version: 1
grants:
  - {id: tools, tool: ["old/*", "new/*", "raw/*"], args: any}
  - {id: prompts, prompt: raw/greet, args: any}
  - {id: notes, resource: {server: raw, uri: {in: ["fixture://notes/1"]}}}
  - {id: ask, server_requests: {server: raw, allow: [elicitation]}, budget: {calls: 3}}
"""
BOTH = "both"
NAMED = {"action": "accept", "content": {"name": "Ada"}}
ANSWER: Message = {"elicitation": {}}


async def begin(client: RawClient, era: str) -> Message:
    """As a client does that knows one era only: in the modern one, without a question first."""
    client.answerers["elicitation/create"] = lambda _: NAMED
    if era == LEGACY:
        return await client.initialize(capabilities=ANSWER)
    client.speak_modern(capabilities=ANSWER)
    return {}


async def called_with_answers(client: RawClient, era: str) -> Any:
    """What `ask` says after the person has answered, in the way of the client's era."""
    said = await client.call("ask")
    if era == MODERN:
        assert said["resultType"] == "input_required"
        (key, question), *_ = said["inputRequests"].items()
        assert question["params"]["message"] == "[raw] Who?"
        again = {"inputResponses": {key: NAMED}, "requestState": said["requestState"]}
        said = await client.call("ask", **again)
        with pytest.raises(RpcError):  # a state is good for one retry
            await client.call("ask", **again)
    else:
        assert [one["params"]["message"] for one in client.requests] == ["[raw] Who?"]
    return said["structuredContent"]


@pytest.mark.parametrize("server", ["--no-legacy", "--no-modern"])
@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_a_client_of_one_era_works_with_a_server_of_either(tmp_path: Path, era: str, server: str) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap(server) as client:
        await begin(client, era)
        names = [tool["name"] for tool in await client.list_all()]
        assert len(names) == 15
        said = await client.call("echo", {"text": "x", "nonce": "once"}, _meta={"progressToken": "p"})
        assert said["content"] == [{"type": "text", "text": "x"}]
        assert ("resultType" in said) == (era == MODERN)
        with pytest.raises(RpcError, match="as asked"):
            await client.call("fail", {"rpc": True})
        await client.call("progress", {"n": 3}, _meta={"progressToken": "p"})
        steps = await client.wait_for_notification("notifications/progress", 3)
        assert [one["params"]["progress"] for one in steps] == [1, 2, 3]
        assert {one["params"]["progressToken"] for one in steps} == {"p"}
        prompt = await client.request("prompts/get", {"name": "greet", "arguments": {"who": "me"}})
        assert prompt["messages"][0]["content"]["text"] == "Greet me."
        note = await client.request("resources/read", {"uri": "fixture://notes/1"})
        assert note["contents"][0]["text"] == "Note 1."
        asked = await called_with_answers(client, era)
        assert asked in ({"who": NAMED}, {"result": NAMED})

        if era == MODERN:
            wanted = {"toolsListChanged": True, "resourceSubscriptions": ["fixture://notes/1"]}
            stream = await client.start("subscriptions/listen", {"notifications": wanted}, id="mine")
            (told,) = await client.wait_for_notification("notifications/subscriptions/acknowledged")
            assert told["params"]["notifications"] == wanted
        else:
            assert await client.request("resources/subscribe", {"uri": "fixture://notes/1"}) == {}
        await client.call("grow", {"name": "grown", "description": "Another one."})
        changed = (await client.wait_for_notification("notifications/tools/list_changed"))[-1]
        stamped = (changed.get("params") or {}).get("_meta", {}).get("io.modelcontextprotocol/subscriptionId")
        assert stamped == ("mine" if era == MODERN else None)
        assert "Another one." in [tool["description"] for tool in await client.list_all()]
        if era == MODERN:
            assert not stream.done()
        assert "Traceback" not in client.stderr
    assert [line["nonce"] for line in stand.ledger() if line["tool"] == "echo"] == ["once"]
    assert stand.verified() == []


@pytest.mark.parametrize("era", [LEGACY, MODERN, BOTH])
async def test_servers_of_different_eras_are_one_to_a_client_of_either(tmp_path: Path, era: str) -> None:
    stand = Stand(tmp_path, POLICY)
    servers = {"old": stand.server("old", "--no-modern"), "new": stand.server("new", "--no-legacy")}
    async with stand.run(servers) as client:
        if era == BOTH:
            with pytest.raises(RpcError) as refused:
                await client.discover()
            assert refused.value.code == -32601
            client.meta = {}
        await begin(client, MODERN if era == MODERN else LEGACY)
        assert len(await client.list_all()) == 30
        for name in servers:
            said = await client.call(f"{name}__echo", {"text": name, "nonce": name})
            assert said["content"][0]["text"] == name
        with pytest.raises(RpcError):
            await client.call("new__crash")
        assert (await client.call("new__echo", {"text": "back"}))["content"][0]["text"] == "back"
    for name in servers:
        assert [line["nonce"] for line in stand.ledger(name) if line["nonce"]] == [name]


async def test_a_client_that_knows_both_eras_asks_first_and_nothing_is_translated_for_it(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap("--no-modern") as client:
        with pytest.raises(RpcError) as refused:
            await client.discover()
        assert refused.value.code == -32601
        client.meta = {}
        await client.initialize()
        await client.call("echo", {"text": "x", "nonce": "once"})
    (sent,) = stand.trace("tools/call")
    assert "_meta" not in sent["params"]
    assert [line["nonce"] for line in stand.ledger()] == ["once"]


async def test_what_a_modern_server_asks_is_judged_and_each_round_is_a_call(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY.replace("args: any}\n", "args: any, budget: {calls: 3}}\n", 1))
    async with stand.wrap("--no-legacy") as client:
        await begin(client, LEGACY)
        await client.call("ask")
        client.answerers.clear()  # now the client refuses to be asked
        withheld = await client.start("tools/call", {"name": "ask", "arguments": {}})
        assert decision_in((await withheld)["result"])["kind"] == "withheld"
        refused = await client.call("ask")
        assert decision_in(refused)["reason"] == "budget_spent"
    assert len(stand.trace("tools/call")) == 3
    rows = stand.decisions()
    assert [row.outcome for row in rows] == ["ok", "ok", "withheld", ""]
    assert "requestState" not in stand.trace("tools/call")[2]["params"]
    assert stand.verified() == []


async def test_what_a_server_of_the_other_era_may_not_ask_it_does_not_get(tmp_path: Path) -> None:
    policy = "\n".join(line for line in POLICY.splitlines() if "server_requests" not in line)
    for era, server in ((LEGACY, "--no-legacy"), (MODERN, "--no-modern")):
        stand = Stand(tmp_path / era, policy)
        async with stand.wrap(server) as client:
            await begin(client, era)
            answer = await (await client.start("tools/call", {"name": "ask", "arguments": {}}))
            assert decision_in(answer["result"])["kind"] == "withheld"
            assert client.requests == []
