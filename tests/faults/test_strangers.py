"""What belongs to no request of the client's reaches none of them; and who waits for several servers at once is not
given what another one said.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.eras import Era
from mcp_guard.record.query import Filter, Row, open_for_reading
from tests.cli.commands import guard
from tests.fixtures.client import LEGACY, MODERN
from tests.guards import Stand
from tests.test_extensions import FORM as TASKS_FORM
from tests.test_extensions import state, tasks
from tests.test_rounds import DONE, META, Modern, Server, asking, question

STRANGER = """
import json, sys

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

HELLO = {"capabilities": {"tools": {}, "logging": {}}, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
ANSWERS = {
    "initialize": {**HELLO, "protocolVersion": "2025-11-25", "serverInfo": {"name": "s", "version": "1"}},
    "server/discover": {**HELLO, "supportedVersions": ["2026-07-28"]},
    "tools/list": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}], "resultType": "complete"},
}
for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("method") == "tools/call":
        token = asked["params"].get("_meta", {}).get("progressToken")
        for strange in (999, "theirs", "mine", None, True, 1.0, str(token), [token], {"a": 1}):
            say(method="notifications/progress", params={"progressToken": strange, "progress": 1})
            log = {"level": "info", "data": 1, "_meta": {"progressToken": strange}}
            say(method="notifications/message", params=log)
        say(method="notifications/progress", params={"progress": 1})
        say(method="notifications/progress")
        say(method="notifications/progress", params={"progressToken": token, "progress": 2})
        say(id=asked["id"], result={"content": [{"type": "text", "text": "done"}], "resultType": "complete"})
        say(method="notifications/progress", params={"progressToken": token, "progress": 3})
        say(method="notifications/message", params={"level": "info", "data": 2})
    elif "id" in asked:
        say(id=asked["id"], result=ANSWERS.get(asked["method"], {}))
"""


@pytest.mark.parametrize("era", [LEGACY, MODERN])
async def test_progress_under_a_token_that_nobody_gave_reaches_nobody(tmp_path: Path, era: str) -> None:
    """A server's log messages are bound to no token: the legacy era has them all, the modern one those asked for."""
    async with Stand(tmp_path).wrap(server=[sys.executable, "-S", "-c", STRANGER]) as client:
        await (client.initialize() if era == LEGACY else client.discover())
        for _ in range(2):
            answer = await client.call("echo", _meta={**client.meta, "progressToken": "mine"})
            assert answer["content"][0]["text"] == "done"
        await client.request("tools/list")  # what came after the answers has come by now
        told = [message["params"] for message in client.received if message.get("method") == "notifications/progress"]
        assert told == [{"progressToken": "mine", "progress": 2}] * 2
        logged = [message for message in client.received if message.get("method") == "notifications/message"]
        assert len(logged) == (20 if era == LEGACY else 0)


async def test_rounds_at_several_servers_at_once_each_carry_their_own_state_byte_for_byte(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    policy = "version: 1\ngrants:\n" + "".join(
        f"  - {{id: t{name}, tool: {name}/echo, args: any}}\n"
        f"  - {{id: q{name}, server_requests: {{server: {name}, allow: [elicitation]}}}}\n"
        for name in names
    )
    states = {name: [f'{{"{name}":  {number}, "é": "\\u0000"}} ' for number in range(3)] for name in names}
    servers = [Server(*(asking(one, who=question()) for one in states[name]), name=name) for name in names]
    held: dict[str, dict[str, Any]] = {name: {} for name in names}
    with Modern(tmp_path, policy=policy, era=Era.MODERN, servers=[*servers], prefixed=True) as scene:
        for number in range(4):
            for name in names[number % 3 :] + names[: number % 3]:  # never in the same order
                call = {"name": f"{name}__echo", "arguments": {"text": name}, **held[name]}
                result = (await scene.tell("tools/call", **call))["result"]
                answers = {"who": {"action": "accept", "content": {"from": name, "round": number}}}
                held[name] = {"inputResponses": answers, "requestState": result.get("requestState")}
                assert result["resultType"] == ("complete" if number == 3 else "input_required")
                if number < 3:
                    assert result["inputRequests"]["who"]["params"]["message"] == f"[{name}] Who?"
        for name, one in zip(names, servers, strict=True):
            assert [call.get("requestState") for call in one.calls] == [None, *states[name]]
            given = [call["inputResponses"]["who"]["content"] for call in one.calls[1:]]
            assert given == [{"from": name, "round": number} for number in range(3)]


async def test_a_call_may_ask_while_a_task_runs_and_each_gets_its_own_answer(tmp_path: Path) -> None:
    with tasks(tmp_path, state("input_required", inputRequests={"who": TASKS_FORM})) as scene:
        handle = await scene.begin()
        scene.servers[0].replies["tools/call"] = lambda params: (
            DONE if "requestState" in params else asking(who=TASKS_FORM)
        )
        asked = (await scene.ask("tools/call", {"name": "echo", "arguments": {}, "_meta": META}))["result"]
        polled = (await scene.about("tasks/get", handle))["result"]
        for one in (asked, polled):
            assert one["inputRequests"]["who"]["params"]["message"] == "[raw] Who?"
        mine, tasks_own = ({"who": {"action": "accept", "content": {"for": name}}} for name in ("call", "task"))
        assert "result" in await scene.about("tasks/update", handle, inputResponses=tasks_own)
        again = {"inputResponses": mine, "requestState": asked["requestState"]}
        done = await scene.ask("tools/call", {"name": "echo", "arguments": {}, "_meta": META, **again})
        assert done["result"]["resultType"] == "complete"
        sent = [
            (made, params["inputResponses"]) for made, params in scene.servers[0].requests if "inputResponses" in params
        ]
        assert sent == [("tasks/update", tasks_own), ("tools/call", mine)]


async def test_check_and_log_name_the_server_that_is_ill_and_no_other(tmp_path: Path) -> None:
    stand = Stand(tmp_path, 'version: 1\ngrants: [{id: all, tool: ["ill/*", "sound/*"], args: any}]\n')
    async with stand.run({"ill": [sys.executable, "-S", "-c", CRASHES], "sound": stand.server("sound")}) as client:
        await client.initialize()
        async with asyncio.timeout(client.timeout):
            while not any(row.kind.value == "server_ill" for row in everything(stand)):
                assert (await client.call("sound__echo", {"text": "x"}))["content"][0]["text"] == "x"
    logged = [json.loads(line) for line in guard(stand.state, "log", "--json", cwd=tmp_path).stdout.splitlines()]
    assert {row["data"]["server"] for row in logged if row["kind"] == "server_ill"} == {"ill"}
    checked = guard(stand.state, "check", "--config", "guard.yaml", "--json", cwd=tmp_path).stdout
    servers = {one["name"]: one for one in json.loads(checked)["servers"]}
    assert (servers["ill"]["ill"], servers["sound"]["ill"]) == (True, False)
    assert servers["ill"]["ended"] >= 3
    assert servers["sound"]["ended"] == 0


def everything(stand: Stand) -> list[Row]:
    with open_for_reading(stand.state) as query:
        return list(query.entries(Filter()))


CRASHES = """
import json, sys
asked = json.loads(sys.stdin.readline())
hello = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": hello}), flush=True)
raise SystemExit(3)
"""
