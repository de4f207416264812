"""The link over HTTP in front of a scripted server: what it sends, what it makes of the answers, in both eras."""

from __future__ import annotations

import asyncio

import pytest

from mcp_guard.eras import Era
from mcp_guard.errors import ServerGone
from mcp_guard.transports import http_link
from mcp_guard.transports.http_link_remote import NoCredential
from tests.fixtures.http_server import (
    LEGACY,
    MODERN,
    SESSION,
    Heard,
    Wire,
    accept,
    event,
    result,
    serving,
    silent,
)
from tests.transports.link_support import Linked, linked, said, settle
from tests.transports.processes import until

ERAS = (Era.LEGACY, Era.MODERN)
PROGRESS = {"_meta": {"progressToken": "mine"}}


async def streamed(heard: Heard, wire: Wire) -> None:
    """The answer on a stream, after a notification."""
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": None}}
    await wire.stream(event(note), event(result(heard)))
    await wire.finish()


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_is_answered_by_a_json_body(era: Era) -> None:
    async with serving() as server, linked(server) as link:
        await link.open(era)
        assert said(await link.call("plain")) == "plain"
        assert server.executed == ["plain"]
        assert link.odd == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_is_answered_on_a_stream_after_what_comes_before_it(era: Era) -> None:
    async with serving(tools_call=streamed) as server, linked(server) as link:
        await link.open(era)
        assert said(await link.call("streamed")) == "streamed"
        assert link.notified == [("notifications/message", {"level": "info", "data": None})]


async def test_connections_are_kept_and_used_again() -> None:
    async with serving() as server, linked(server) as link:
        await link.open(Era.MODERN)
        for number in range(20):
            await link.call(str(number))
        assert server.connections == 1


async def test_two_links_to_one_server_share_its_connections() -> None:
    async with serving() as server, linked(server) as one:
        other = Linked(server)
        await one.open(Era.MODERN)
        await other.open(Era.MODERN)
        other.link.close()
        assert said(await one.call("still there")) == "still there"
        assert server.connections == 1


async def test_a_legacy_session_is_repeated_in_every_message_and_ended_with_the_link() -> None:
    async with serving() as server:
        async with linked(server) as link:
            await link.open()
            await link.call()
        first, *rest = server.heard
        assert first.method == "initialize"
        assert (first.header("mcp-session-id"), first.header("mcp-protocol-version")) == (None, None)
        assert {heard.method for heard in rest} == {"notifications/initialized", "GET", "tools/call", "DELETE"}
        for heard in rest:
            assert heard.header("mcp-session-id") == SESSION
            assert heard.header("mcp-protocol-version") == LEGACY
            assert heard.header("mcp-method") is None


async def test_a_server_without_sessions_gets_no_stream_to_open_and_none_to_delete() -> None:
    async def no_session(heard: Heard, wire: Wire) -> None:
        await wire.json(result(heard, {"protocolVersion": LEGACY, "capabilities": {}, "serverInfo": {}}))

    async with serving(initialize=no_session) as server:
        async with linked(server) as link:
            await link.open()
            await link.call()
        assert {heard.method for heard in server.heard} == {"initialize", "notifications/initialized", "tools/call"}
        assert {heard.header("mcp-session-id") for heard in server.heard} == {None}


async def test_a_modern_request_says_in_headers_what_its_body_says() -> None:
    async with serving() as server, linked(server) as link:
        await link.open(Era.MODERN)
        await link.call()
        await link.ask("resources/read", {"uri": "file:///größe"})
        discovery, call, read = server.heard
        assert [heard.header("mcp-protocol-version") for heard in server.heard] == [MODERN] * 3
        assert (discovery.header("mcp-method"), discovery.header("mcp-name")) == ("server/discover", None)
        assert (call.header("mcp-method"), call.header("mcp-name")) == ("tools/call", "echo")
        assert read.header("mcp-name") == "=?base64?ZmlsZTovLy9ncsO2w59l?="
        assert {heard.header("mcp-session-id") for heard in server.heard} == {None}


async def test_arguments_that_a_schema_binds_to_headers_are_repeated_there() -> None:
    schema = {"properties": {"text": {"type": "string", "x-mcp-header": "Text"}}}
    async with serving() as server, linked(server, schema_of={"echo": schema}.get) as link:
        await link.open(Era.MODERN)
        await link.call("line\nbreak")
        assert server.heard[-1].header("mcp-param-text") == "=?base64?bGluZQpicmVhaw==?="
        await link.open(Era.LEGACY)
        await link.call("x")
        assert server.heard[-1].header("mcp-param-text") is None


async def test_a_tool_whose_schema_binds_headers_wrongly_is_not_called() -> None:
    schema = {"properties": {"text": {"type": "string", "x-mcp-header": "a b"}}}
    async with serving() as server, linked(server, schema_of={"echo": schema}.get) as link:
        await link.open(Era.MODERN)
        with pytest.raises(ServerGone, match="x-mcp-header"):
            await link.call()
        assert server.executed == []


async def test_the_guards_own_credentials_travel_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCS_TOKEN", "t0ken")
    monkeypatch.setenv("DOCS_KEY", "k3y")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with serving() as server:
        async with linked(server, token_env="DOCS_TOKEN", headers_env={"X-Api-Key": "DOCS_KEY"}) as link:
            await link.open()
            await link.call()
        ours = {"host", "user-agent", "accept", "accept-encoding", "content-type", "content-length"}
        for heard in server.heard:
            assert heard.header("authorization") == "Bearer t0ken"
            assert heard.header("x-api-key") == "k3y"
            assert {name for name, _ in heard.lines} <= {
                *ours,
                *("authorization", "x-api-key", "mcp-session-id", "mcp-protocol-version"),
            }


async def test_without_its_credential_a_server_is_sent_nothing_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCS_TOKEN", raising=False)
    async with serving() as server:
        with pytest.raises(NoCredential, match="`DOCS_TOKEN`"):
            async with linked(server, token_env="DOCS_TOKEN"):
                pass
        assert server.connections == 0


async def test_progress_comes_under_the_clients_token_and_goes_under_ours() -> None:
    async def progressing(heard: Heard, wire: Wire) -> None:
        token = heard.message["params"]["_meta"]["progressToken"]
        assert token == heard.message["id"]
        steps = [{"progressToken": token, "progress": step, "x": None} for step in (1, 2.5)]
        notes = [{"jsonrpc": "2.0", "method": "notifications/progress", "params": params} for params in steps]
        await wire.stream(*map(event, notes), event(result(heard)))
        await wire.finish()

    async with serving(tools_call=progressing) as server, linked(server) as link:
        await link.open()
        found: list[object] = []
        await link.ask("tools/call", {"name": "echo", "arguments": {}, **PROGRESS}, found.append)
        assert found == [
            {"progressToken": "mine", "progress": 1, "x": None},
            {"progressToken": "mine", "progress": 2.5, "x": None},
        ]
        assert link.odd == []


async def test_nothing_overtakes_the_end_of_the_handshake() -> None:
    go_on = asyncio.Event()

    async def slowly(_: Heard, wire: Wire) -> None:
        await go_on.wait()
        await wire.respond(202)

    async with serving(notifications_initialized=slowly) as server, linked(server) as link:
        await link.open()
        _, answers = link.start("tools/call", {"name": "echo", "arguments": {"text": "after"}})
        await until(lambda: server.of("notifications/initialized"))
        await settle()
        assert server.executed == []
        go_on.set()
        await until(lambda: answers)
        assert server.executed == ["after"]


async def test_a_server_that_never_takes_the_end_of_the_handshake_is_called_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_link, "FIRST_DEADLINE", 0.05)
    async with serving(notifications_initialized=silent) as server, linked(server) as link:
        await link.open()
        assert said(await link.call("late")) == "late"


async def test_a_notification_that_the_server_does_not_take_holds_up_nothing() -> None:
    async with serving(**{"notifications_roots/list_changed": silent}) as server, linked(server) as link:
        await link.open()
        for _ in range(3):
            link.link.notify("notifications/roots/list_changed", None)
        await until(lambda: len(server.of("notifications/roots/list_changed")) == 3)
        assert said(await link.call("past them")) == "past them"


async def test_slow_calls_do_not_hold_up_fast_ones_and_a_queue_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link, "MAX_OPEN", 3)
    release = asyncio.Event()

    async def slowly(heard: Heard, wire: Wire) -> None:
        if heard.message["params"]["arguments"]["text"].startswith("slow"):
            await release.wait()
        await wire.json(result(heard))

    async with serving(tools_call=slowly) as server, linked(server) as link:
        await link.open(Era.MODERN)
        slow = [link.start("tools/call", {"name": "echo", "arguments": {"text": f"slow{n}"}})[1] for n in range(2)]
        assert said(await link.call("fast")) == "fast"
        slow += [link.start("tools/call", {"name": "echo", "arguments": {"text": f"slow{n}"}})[1] for n in (2, 3)]
        await until(lambda: len(server.executed) == 4)
        await settle()
        assert sorted(server.executed) == ["fast", "slow0", "slow1", "slow2"]  # the fourth waits for its turn
        release.set()
        await until(lambda: all(slow))
        assert [said(answers[0]) for answers in slow] == ["slow0", "slow1", "slow2", "slow3"]


@pytest.mark.parametrize("era", ERAS)
async def test_the_server_hears_that_a_call_is_cancelled_and_its_stream_ends(era: Era) -> None:
    async with serving(tools_call=silent) as server, linked(server) as link:
        await link.open(era)
        request_id, answers = link.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: server.held)
        link.link.cancel(request_id, "enough")
        await until(lambda: server.held == 0)
        told = [heard.message["params"] for heard in server.of("notifications/cancelled")]
        # In the modern era the end of the stream says it all.
        assert told == ([{"requestId": request_id, "reason": "enough"}] if era is Era.LEGACY else [])
        assert answers == []


async def test_a_link_that_ends_leaves_no_call_on_connections_that_others_share() -> None:
    async with serving(tools_call=silent, notifications_cancelled=silent) as server, linked(server) as stays:
        await stays.open()
        leaves = Linked(server)
        await leaves.open()
        request_id, _ = leaves.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        leaves.start("tools/call", {"name": "echo", "arguments": {"text": "y"}})
        await until(lambda: server.held == 2)
        leaves.link.cancel(request_id)
        leaves.link.close()
        await until(lambda: server.held == 0)
        await stays.ask("tools/list")


async def test_a_call_that_is_cancelled_in_the_queue_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link, "MAX_OPEN", 1)
    async with serving(tools_call=silent) as server, linked(server) as link:
        await link.open(Era.MODERN)
        first, _ = link.start("tools/call", {"name": "echo", "arguments": {"text": "first"}})
        second, answers = link.start("tools/call", {"name": "echo", "arguments": {"text": "second"}})
        await until(lambda: server.executed)
        link.link.cancel(second)
        link.link.cancel(first)
        await settle()
        assert (server.executed, answers) == (["first"], [])


async def test_a_cancelled_call_is_not_answered_by_what_still_comes() -> None:
    go_on = asyncio.Event()

    async def late(heard: Heard, wire: Wire) -> None:
        await go_on.wait()
        await wire.json(result(heard))

    async def cancelled(heard: Heard, wire: Wire) -> None:
        go_on.set()
        await settle()
        await accept(heard, wire)

    async with serving(tools_call=late, notifications_cancelled=cancelled) as server, linked(server) as link:
        await link.open()
        request_id, answers = link.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: server.executed)
        link.link.cancel(request_id)
        await until(lambda: server.of("notifications/cancelled"))
        await until(lambda: go_on.is_set())
        assert said(await link.call("next")) == "next"
        assert answers == []


async def test_what_an_unknown_member_holds_arrives_as_it_was_sent() -> None:
    odd = {"content": [{"type": "hologram", "depth": None, "x": [1, None]}], "x-top": {"big": 10**30, "small": 0.1}}

    async def oddly(heard: Heard, wire: Wire) -> None:
        await wire.stream(event(result(heard, odd)))
        await wire.finish()

    async with serving(tools_call=oddly) as server, linked(server) as link:
        await link.open()
        assert (await link.call("\u2028 and \r\n")) == {"result": odd}
        assert server.executed == ["\u2028 and \r\n"]
