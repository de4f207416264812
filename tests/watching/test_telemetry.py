"""Telemetry as a collector receives it: what is told, what never is, and that no call waits for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.eras import Era
from mcp_guard.telemetry.outbox import Outbox
from mcp_guard.telemetry.spans import CallSpan, OpenTelemetry
from tests.approvals.room import Room
from tests.guards import REPOSITORY, RecordingDownstream, tool
from tests.patience import PATIENCE
from tests.watching.receiver import Receiver, attributes
from tests.watching.stage import ECHO, watched

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-00"


def to(receiver: Receiver, **more: str) -> str:
    beside = "".join(f", {key}: {value}" for key, value in more.items())
    return f"telemetry: {{endpoint: '{receiver.url}', every: 300{beside}}}"


def sent(room: Room) -> None:
    """End telemetry as the end of a guard does: everything goes out."""
    watch = room.scene.guard.watch
    assert watch is not None and watch.telemetry is not None
    watch.telemetry.close()
    watch.telemetry = None


def value(receiver: Receiver, metric: str, **wanted: str) -> float:
    """The sum of a metric's points with these attributes."""
    asked = {name.replace("__", "."): text for name, text in wanted.items()}
    points = receiver.metrics.get(metric, [])
    return sum(number for said, number in points if asked.items() <= said.items())


async def test_a_call_is_one_span_with_the_conventions_and_the_decision_and_no_value(tmp_path: Path) -> None:
    with Receiver() as receiver, watched(tmp_path, to(receiver)) as room:
        await room.scene.listed()
        await room.call(text="hunter2", hunter2="x")
        sent(room)
        (span,) = receiver.spans
        said = attributes(span.attributes)
        entry = room.scene.rows()[-1].id
        assert (span.name, span.kind, span.status.code) == ("tools/call echo", 2, 0)  # a server's; no error
        assert said == {
            "mcp.method.name": "tools/call",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "echo",
            "jsonrpc.request.id": said["jsonrpc.request.id"],
            "network.transport": "pipe",
            "mcp_guard.session": "s1",
            "mcp_guard.server": "raw",
            "mcp_guard.effect": "allow",
            "mcp_guard.rule": "policy/say",
            "mcp_guard.entry": entry,
            "mcp_guard.outcome": "ok",
        }
        assert receiver.resource["service.name"] == "mcp-guard"
        assert not any(b"hunter2" in body for body in receiver.bodies)
        assert value(receiver, "mcp_guard.decisions", mcp_guard__effect="allow", mcp_guard__rule="policy/say") == 1
        assert value(receiver, "mcp.server.operation.duration", gen_ai__tool__name="echo") == 1
        assert value(receiver, "mcp_guard.budget.left", mcp_guard__rule="policy/say") == 8


async def test_a_refusal_is_a_span_with_its_reason(tmp_path: Path) -> None:
    policy = ECHO + "deny: [{id: never, tool: raw/echo, args: {text: poison}}]\n"
    with Receiver() as receiver, watched(tmp_path, to(receiver), policy) as room:
        await room.scene.listed()
        await room.call(text="poison")
        sent(room)
        said = attributes(receiver.spans[0].attributes)
        assert receiver.spans[0].status.code == 2
        kept = {name: said[f"mcp_guard.{name}"] for name in ("effect", "reason", "rule")}
        assert kept == {"effect": "deny", "reason": "denied", "rule": "policy/never"}
        assert said["error.type"] == "refused" and "mcp_guard.outcome" not in said


async def test_names_that_a_client_makes_up_are_told_nowhere(tmp_path: Path) -> None:
    """They would be a way out for secrets, and fill the collector with series."""
    with Receiver() as receiver, watched(tmp_path, to(receiver)) as room:
        await room.scene.listed()
        await room.scene.call("secret-name")
        await room.scene.ask("secret/method", {})
        await room.scene.ask("resources/read", {"uri": "file:///secret"})
        await room.scene.ask("prompts/get", {"name": "secret"})
        sent(room)
        assert value(receiver, "mcp_guard.decisions", mcp_guard__effect="deny") >= 3
        assert not any(b"secret" in body for body in receiver.bodies)


@pytest.mark.parametrize("era", Era)
async def test_the_trace_goes_from_client_to_server_through_the_guards_own_span(tmp_path: Path, era: Era) -> None:
    """And the client's wish not to be sampled doesn't turn the guard's span off."""
    with Receiver() as receiver, watched(tmp_path, to(receiver), era=era) as room:
        await room.scene.listed()
        meta = {"traceparent": PARENT, "tracestate": "rojo=1", "baggage": "a=b", "x": 1}
        await room.scene.call("echo", {"text": "hello"}, _meta=meta)
        sent(room)
        (span,) = receiver.spans
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
        (params,) = room.scene.servers[0].calls
        got = params["_meta"]
        assert got["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
        assert (got["tracestate"], got["baggage"], got["x"]) == ("rojo=1", "a=b", 1)


@pytest.mark.parametrize("parent", ["", "00-0-0-00", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE.upper()}-{SPAN}-01", 7])
async def test_a_trace_context_that_is_none_begins_a_new_trace(tmp_path: Path, parent: Any) -> None:
    with Receiver() as receiver, watched(tmp_path, to(receiver)) as room:
        await room.scene.listed()
        await room.scene.call("echo", {"text": "hello"}, _meta={"traceparent": parent, "tracestate": "rojo=1"})
        sent(room)
        (span,) = receiver.spans
        assert span.parent_span_id == b""
        (params,) = room.scene.servers[0].calls
        assert params["_meta"].keys() == {"traceparent"}
        assert params["_meta"]["traceparent"].startswith(f"00-{span.trace_id.hex()}-{span.span_id.hex()}-")


async def test_without_telemetry_the_clients_trace_context_passes_as_it_came(tmp_path: Path) -> None:
    with watched(tmp_path, "monitor: {}") as room:
        await room.scene.listed()
        await room.scene.call("echo", {"text": "hello"}, _meta={"traceparent": PARENT})
        await room.scene.call("echo", {"text": "hello"})
        first, second = room.scene.servers[0].calls
        assert first["_meta"] == {"traceparent": PARENT} and "_meta" not in second


async def test_an_approved_call_is_found_again_though_every_try_has_another_span(tmp_path: Path) -> None:
    policy = ECHO.replace("args: any", "args: any, ask: true")
    with Receiver() as receiver, watched(tmp_path, to(receiver), policy) as room:
        room.attach(wait=0.0)
        await room.scene.listed()
        await room.call(text="hello")
        room.approve()
        with room.scene.guard.record._writer.connection as connection:  # nobody holds the first call any more
            connection.execute("UPDATE questions SET waits=''")
        assert "isError" not in (await room.call(text="hello"))["result"]
        sent(room)
        assert value(receiver, "mcp_guard.asks") == 1
        assert [attributes(span.attributes)["mcp_guard.effect"] for span in receiver.spans] == ["ask", "allow"]


async def test_a_call_that_is_cancelled_ends_its_span(tmp_path: Path) -> None:
    with Receiver() as receiver, watched(tmp_path, to(receiver)) as room:
        room.scene.servers[0].hold = True
        request, _ = await room.start(text="hello")
        request.cancel("no longer")
        sent(room)
        assert attributes(receiver.spans[0].attributes)["error.type"] == "cancelled"


async def test_an_error_of_the_tool_is_an_error_of_the_span(tmp_path: Path) -> None:
    replies: list[tuple[dict[str, Any], str]] = [
        ({"result": {"content": [], "isError": True}}, "tool_error"),
        ({"error": {"code": -32602, "message": "secret"}}, "-32602"),
    ]
    for number, (reply, expected) in enumerate(replies):
        servers = [RecordingDownstream(tools=[tool("echo")], replies={"tools/call": reply})]
        home = tmp_path / str(number)
        home.mkdir()
        with Receiver() as receiver, watched(home, to(receiver), servers=servers) as room:
            await room.scene.listed()
            await room.call(text="hello")
            sent(room)
            assert attributes(receiver.spans[0].attributes)["error.type"] == expected
            assert not any(b"secret" in body for body in receiver.bodies)


async def test_a_collector_that_stalls_holds_up_no_call_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    with Receiver() as receiver, watched(tmp_path, to(receiver)) as room:
        watch = room.scene.guard.watch
        assert watch is not None and watch.telemetry is not None
        outbox: Outbox = watch.telemetry.outbox  # type: ignore[attr-defined]
        outbox._room = 3
        receiver.stalled.clear()
        await room.scene.listed()
        for _ in range(5):
            async with asyncio.timeout(PATIENCE):
                await room.call(text="hello")
        assert outbox.dropped == 2
        receiver.stalled.set()
        sent(room)
        assert len(receiver.spans) == 3
        assert value(receiver, "mcp_guard.telemetry.lost") == 2


async def test_nothing_is_sent_anywhere_but_to_the_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no redirect, no header and no address of the environment's."""
    with Receiver() as elsewhere, Receiver(307, {"Location": f"{elsewhere.url}/v1/traces"}) as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "OTEL_EXPORTER_OTLP_ENDPOINT"):
            monkeypatch.setenv(name, elsewhere.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=leaked")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "leaked=1")
        monkeypatch.setenv("COLLECTOR_KEY", "k1")
        with watched(tmp_path, to(receiver, headers_env="{X-Key: COLLECTOR_KEY}")) as room:
            await room.scene.listed()
            await room.call(text="hello")
            outbox = room.scene.guard.watch.telemetry.outbox  # type: ignore[union-attr]
            sent(room)
        assert elsewhere.paths == []
        assert set(receiver.paths) == {"/v1/traces", "/v1/metrics"}
        assert outbox.lost == 1
        assert all(
            headers["X-Key"] == "k1" and "authorization" not in map(str.lower, headers) for headers in receiver.headers
        )
        assert not any(b"leaked" in body for body in receiver.bodies)


async def test_telemetry_that_fails_at_every_step_fails_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ("carried_by", "budgets", "decided", "ended", "over")
    with Receiver() as receiver, watched(tmp_path, to(receiver)) as room:
        await room.scene.listed()
        for number, step in enumerate(steps):
            with monkeypatch.context() as patched:
                patched.setattr(CallSpan, step, lambda *_: 1 / 0)
                assert "isError" not in (await room.call(text="hello"))["result"], step
            assert room.executed() == number + 1
        for step in ("begin", "refused"):
            with monkeypatch.context() as patched:
                patched.setattr(OpenTelemetry, step, lambda *_, **__: 1 / 0)
                await room.call(text="hello")
                assert "error" in await room.scene.call("nobody")
        assert room.executed() == len(steps) + 2
        assert [row.outcome for row in room.scene.rows() if row.effect == "allow"] == ["ok"] * (len(steps) + 2)


def test_a_guard_without_telemetry_imports_none_of_it() -> None:
    script = "import mcp_guard.cli.run, mcp_guard.gateway, sys; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
