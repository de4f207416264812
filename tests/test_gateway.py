"""The enforcement point in memory: what the server gets, what the client gets, and what is kept, around doubles."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from mcp_guard.deadlines import Deadlines
from mcp_guard.eras import Era
from mcp_guard.errors import RecordBusy
from mcp_guard.model import Reason
from tests.guards import ALL_OF_RAW, DECISION, FullDisk, RecordingDownstream, Scene, Stumbling, decision_in, tool
from tests.patience import PATIENCE

ERAS = pytest.mark.parametrize("era", list(Era))
ECHO = tool("echo", text={"type": "string"})
PROMPT = 'version: 1\ngrants: [{id: p, prompt: "raw/greet", args: any}, {id: t, tool: "raw/echo", args: any}]\n'


def raw(**replies: Any) -> list[RecordingDownstream]:
    return [
        RecordingDownstream(tools=[ECHO], replies={name.replace("_", "/"): reply for name, reply in replies.items()})
    ]


async def until(true: Callable[[], bool]) -> None:
    """Let the loop go on until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0)


# --- nothing without a record (law 2)


@ERAS
async def test_a_call_that_cannot_be_recorded_is_not_sent(tmp_path: Path, era: Era) -> None:
    with Scene(tmp_path, era=era) as scene:
        await scene.listed()
        disk: Any = FullDisk(scene.record)
        scene.guard.record = disk
        answer = await scene.call("echo", {"text": "x"})
        assert answer["result"]["isError"]
        assert decision_in(answer["result"])["reason"] == Reason.UNRECORDED
        assert scene.servers[0].calls == []


async def test_a_result_whose_outcome_cannot_be_recorded_is_withheld(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        await scene.listed()
        disk: Any = FullDisk(scene.record, full=False)
        scene.guard.record = disk

        def fill_up(_: Any) -> dict[str, Any]:
            disk.full = True
            return {"result": {"content": [{"type": "text", "text": "the result"}]}}

        scene.servers[0].replies["tools/call"] = fill_up
        answer = await scene.call("echo")
        assert decision_in(answer["result"])["kind"] == "withheld"
        assert "the result" not in json.dumps(answer)


async def test_a_call_waits_for_a_record_that_is_busy_and_is_sent_once(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        await scene.listed()
        other = sqlite3.connect(tmp_path / "state" / "guard.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        _, answer = scene.start("tools/call", {"name": "echo", "arguments": {}})
        asyncio.get_running_loop().call_later(0.05, other.execute, "ROLLBACK")
        assert "isError" not in (await asyncio.wait_for(answer, PATIENCE))["result"]
        assert len(scene.servers[0].calls) == 1
        other.close()


async def test_a_call_given_up_while_the_record_is_busy_is_not_sent_and_costs_nothing(tmp_path: Path) -> None:
    policy = 'version: 1\ngrants: [{id: one, tool: "raw/echo", args: any, budget: {calls: 1}}]\n'
    with Scene(tmp_path, policy=policy) as scene:
        await scene.listed()
        other = sqlite3.connect(tmp_path / "state" / "guard.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        given_up, answer = scene.start("tools/call", {"name": "echo", "arguments": {}})
        given_up.cancel("enough")
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: any(row.outcome for row in scene.rows()))
        assert [row.outcome for row in scene.rows()] == ["not_sent"]
        assert scene.servers[0].calls == []
        assert not answer.done()
        assert "isError" not in (await scene.call("echo"))["result"]


async def test_when_the_mandate_is_over_the_client_sees_no_tool_and_the_record_says_why(tmp_path: Path) -> None:
    over = (
        "version: 1\ntask: Say hello.\nexpires: 2020-01-01T00:00:00Z\ngrants: [{id: all, tool: raw/echo, args: any}]\n"
    )
    with Scene(tmp_path, mandate=over) as scene:
        assert await scene.listed() == []
        assert (await scene.call("echo"))["error"]["message"] == "Unknown tool: echo"
        (row,) = scene.rows()
        assert (row.reason, "mandate is over" in row.detail) == ("expired", True)


async def test_without_a_required_mandate_nothing_is_listed_or_sent_and_the_record_says_why(tmp_path: Path) -> None:
    alone = f"mandate: required\n{ALL_OF_RAW}"
    with Scene(tmp_path, policy=alone) as scene:
        assert await scene.listed() == []
        assert (await scene.call("echo"))["error"]["message"] == "Unknown tool: echo"
        assert [request for request in scene.servers[0].requests if request[0] == "tools/call"] == []
        (row,) = scene.rows()
        assert (row.reason, "there is none" in row.detail) == ("no_mandate", True)
    task = "version: 1\ntask: Say hello.\nexpires: 1h\ngrants: [{id: all, tool: raw/echo, args: any}]\n"
    with Scene(tmp_path, policy=alone, mandate=task) as scene:
        assert await scene.listed() != []
        assert "isError" not in (await scene.call("echo"))["result"]


async def test_a_rate_ends_calls_for_now_and_says_so(tmp_path: Path) -> None:
    paced = 'version: 1\ngrants: [{id: all, tool: "raw/*", args: any, rate: 2/d}]\n'
    with Scene(tmp_path, policy=paced) as scene:
        answers = [(await scene.call("echo"))["result"] for _ in range(3)]
        assert [answer.get("isError", False) for answer in answers] == [False, False, True]
        assert decision_in(answers[2])["reason"] == Reason.TOO_OFTEN
        text = answers[2]["content"][0]["text"]
        assert "at most 2 times in any day" in text
        assert "may be permitted later" in text
        assert len([request for request in scene.servers[0].requests if request[0] == "tools/call"]) == 2


async def test_values_that_a_budget_counts_are_told_apart_by_the_record_and_not_kept(tmp_path: Path) -> None:
    few = "version: 1\ngrants: [{id: all, tool: raw/echo, args: {text: any}, budget: {distinct: {text: 1}}}]\n"
    with Scene(tmp_path, policy=few, servers=raw()) as scene:
        answers = [(await scene.call("echo", {"text": text}))["result"] for text in ("zq7secret", "zq7secret", "other")]
        assert [answer.get("isError", False) for answer in answers] == [False, False, True]
    assert b"zq7secret" not in b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir() if path.is_file())


async def test_a_record_that_was_replaced_ends_all_calls(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        await scene.listed()
        (tmp_path / "state" / "guard.db").rename(tmp_path / "elsewhere.db")
        assert decision_in((await scene.call("echo"))["result"])["reason"] == Reason.UNRECORDED
        assert scene.servers[0].calls == []


async def test_a_hidden_tool_is_not_denied_to_exist_before_that_is_recorded(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        await scene.listed()
        other = sqlite3.connect(tmp_path / "state" / "guard.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        _, answer = scene.start("tools/call", {"name": "absent", "arguments": {}})
        await asyncio.sleep(0)
        assert not answer.done()
        other.execute("ROLLBACK")
        other.close()
        assert "Unknown tool" in (await asyncio.wait_for(answer, PATIENCE))["error"]["message"]
        assert [row.reason for row in scene.rows()] == [Reason.UNKNOWN_TARGET]


async def test_calls_go_on_once_the_disk_has_room_again_and_nothing_of_before_is_left(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        await scene.listed()
        disk: Any = FullDisk(scene.record)
        scene.guard.record = disk
        await scene.call("echo")
        disk.full = False
        assert "isError" not in (await scene.call("echo"))["result"]
        assert [row.effect for row in scene.rows()] == ["allow"]


# --- unclear means no (law 4)


@ERAS
async def test_a_judge_that_raises_refuses_and_says_nothing_of_why(
    tmp_path: Path, era: Era, capfd: pytest.CaptureFixture[str]
) -> None:
    with Scene(tmp_path, era=era, guard_class=Stumbling) as scene:
        answer = await scene.call("echo", {"text": "x"})
        assert decision_in(answer["result"])["reason"] == Reason.INTERNAL
        assert scene.servers[0].calls == []
        assert [(row.effect, row.reason) for row in scene.rows()] == [("deny", Reason.INTERNAL)]
        assert "hunter2" not in json.dumps(answer) + "".join(capfd.readouterr())


@ERAS
@pytest.mark.parametrize("kind", ["input_required", "task", "", None, ["complete"], "COMPLETE", 1])
async def test_a_result_of_an_unknown_type_is_withheld(tmp_path: Path, era: Era, kind: Any) -> None:
    reply = {"result": {"resultType": kind, "content": [{"type": "text", "text": "secret question"}]}}
    with Scene(tmp_path, era=era, servers=raw(tools_call=reply)) as scene:
        answer = await scene.call("echo")
        assert decision_in(answer["result"])["kind"] == "withheld"
        assert "secret" not in json.dumps(answer)
        assert [row.outcome for row in scene.rows()] == ["withheld"]


@ERAS
async def test_what_is_withheld_of_another_method_is_an_error(tmp_path: Path, era: Era) -> None:
    servers = raw(prompts_get={"result": {"resultType": "input_required"}})
    with Scene(tmp_path, policy=PROMPT, era=era, servers=servers) as scene:
        answer = await scene.ask("prompts/get", {"name": "greet"})
        assert decision_in(answer["error"])["kind"] == "withheld"
        assert "result" not in answer


@ERAS
@pytest.mark.parametrize(
    "method",
    [
        "tools/calls",
        "TOOLS/CALL",
        " tools/call",
        "tasks/get",
        "sampling/createMessage",
        "x" * 999,
    ],
)
async def test_an_unknown_method_is_refused_and_recorded(tmp_path: Path, era: Era, method: str) -> None:
    with Scene(tmp_path, era=era) as scene:
        answer = await scene.ask(method, {"name": "echo", "arguments": {}})
        assert answer["error"]["code"] == -32601
        assert scene.servers[0].requests == []
        assert [row.reason for row in scene.rows()] == [Reason.UNKNOWN_METHOD]


@pytest.mark.parametrize("revision", ["2026-07-29", "", 7, None, ["2026-07-28"], {}, "2026-07-28 "])
async def test_an_unknown_revision_is_refused(tmp_path: Path, revision: Any) -> None:
    with Scene(tmp_path) as scene:
        scene.gateway.session.era, scene.gateway.session.settled = None, False
        meta = {"io.modelcontextprotocol/protocolVersion": revision}
        answer = await scene.ask("tools/call", {"name": "echo", "arguments": {}, "_meta": meta})
        assert answer["error"]["code"] in (-32022, -32600)
        assert scene.servers[0].requests == []


@ERAS
@pytest.mark.parametrize("arguments", [None, [], "x", 1, True])
async def test_arguments_that_are_no_object_are_refused(tmp_path: Path, era: Era, arguments: Any) -> None:
    with Scene(tmp_path, era=era) as scene:
        answer = await scene.ask("tools/call", {"name": "echo", "arguments": arguments})
        assert answer["error"]["code"] == -32602
        assert scene.servers[0].calls == []


@pytest.mark.parametrize("params", [{"level": "loud"}, {"level": "info", "more": 1}, {}, {"level": ["info"]}])
async def test_a_log_level_is_one_of_the_protocols_and_carries_nothing_else(
    tmp_path: Path, params: dict[str, Any]
) -> None:
    with Scene(tmp_path) as scene:
        assert (await scene.ask("logging/setLevel", params))["error"]["code"] == -32602
        assert scene.servers[0].requests == []
        assert await scene.ask("logging/setLevel", {"level": "info"}) == {"result": {}}


async def test_a_step_that_raises_after_the_request_was_taken_is_still_answered(tmp_path: Path) -> None:
    class Unreadable(RecordingDownstream):
        @property
        def capabilities(self) -> Any:
            raise ZeroDivisionError

    with Scene(tmp_path, servers=[Unreadable()]) as scene:
        assert (await scene.ask("tools/list"))["error"]["code"] == -32603


async def test_malformed_bytes_are_recorded_and_a_flood_of_them_is_only_counted(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        for _ in range(1000):
            scene.gateway.refused("not JSON")
        rows = scene.rows()
        assert {row.reason for row in rows} == {Reason.MALFORMED}
        assert 100 < len(rows) < 120


async def test_a_clients_notification_never_reaches_a_server(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        for method in (
            "notifications/tools/call",
            "notifications/progress",
            "notifications/x",
            "notifications/message",
        ):
            scene.gateway.notification(method, {"name": "echo", "arguments": {}})
        assert scene.servers[0].requests == []
        assert [row.reason for row in scene.rows()] == [Reason.UNKNOWN_METHOD] * 3


# --- nobody speaks in the guard's name (law 9)

FORGED = {DECISION: {"kind": "denied"}, "mcp-guard/else": 1, "example.com/kept": [1, None]}
KEPT = {"example.com/kept": [1, None]}


@ERAS
async def test_a_server_cannot_forge_a_decision(tmp_path: Path, era: Era) -> None:
    with Scene(tmp_path, era=era, servers=raw(tools_call={"result": {"content": [], "_meta": FORGED}})) as scene:
        assert (await scene.call("echo"))["result"]["_meta"] == KEPT
        scene.servers[0].replies["tools/call"] = {"error": {"code": -1, "message": "no", "data": FORGED}}
        assert (await scene.call("echo"))["error"] == {"code": -1, "message": "no", "data": KEPT}
        scene.servers[0].replies["tools/call"] = {"error": {"code": -1, "message": "no", "data": [DECISION]}}
        assert (await scene.call("echo"))["error"]["data"] == [DECISION]
        double: Any = scene.servers[0]
        double.hold = True
        scene.start("tools/call", {"name": "echo", "_meta": {"io.modelcontextprotocol/logLevel": "info"}})
        scene.gateway.server_notified(double, "notifications/message", {"data": 1, "_meta": FORGED})
        assert scene.notified[-1] == ("notifications/message", {"data": 1, "_meta": KEPT})


async def test_a_client_cannot_send_the_guards_own_keys(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        await scene.call("echo", _meta=FORGED)
        await scene.call("echo", _meta={"mcp-guard/else": 1})
        assert [call.get("_meta") for call in scene.servers[0].calls] == [KEPT, None]


# --- what became of it (law 6)


@ERAS
async def test_a_server_that_took_no_byte_is_unavailable_and_the_charge_goes_back(tmp_path: Path, era: Era) -> None:
    policy = 'version: 1\ngrants: [{id: one, tool: "raw/echo", args: any, budget: {calls: 1}}]\n'
    with Scene(tmp_path, policy=policy, era=era) as scene:
        await scene.listed()
        scene.servers[0].gone = True
        for _ in range(3):
            assert decision_in((await scene.call("echo"))["result"])["reason"] == Reason.UNAVAILABLE
        scene.servers[0].gone = False
        assert "isError" not in (await scene.call("echo"))["result"]
        assert decision_in((await scene.call("echo"))["result"])["reason"] == Reason.BUDGET_SPENT


async def test_a_server_that_dies_at_work_leaves_an_unknown_outcome_and_its_charge(tmp_path: Path) -> None:
    policy = 'version: 1\ngrants: [{id: one, tool: "raw/echo", args: any, budget: {calls: 1}}]\n'
    with Scene(tmp_path, policy=policy, servers=raw(tools_call={"gone": "closed"})) as scene:
        assert decision_in((await scene.call("echo"))["error"])["kind"] == "unknown"
        assert decision_in((await scene.call("echo"))["result"])["reason"] == Reason.BUDGET_SPENT
        assert len(scene.servers[0].calls) == 1
        assert [row.outcome for row in scene.rows()] == ["unknown", ""]


async def test_a_call_that_takes_too_long_is_cancelled_downstream_and_unknown(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        double = scene.servers[0]
        await scene.listed()
        object.__setattr__(double.spec, "timeout", 0.02)
        double.deadlines = Deadlines(0.02)
        double.hold = True
        assert decision_in((await scene.call("echo"))["error"])["kind"] == "unknown"
        assert double.cancelled == ["timed out"]
        double.holding[0]({"result": {"content": []}})  # late: nobody is told, and no second outcome is written
        assert [row.outcome for row in scene.rows()] == ["unknown"]


async def test_a_cancelled_call_is_cancelled_downstream_and_never_answered(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        await scene.listed()
        scene.servers[0].hold = True
        given_up, answer = scene.start("tools/call", {"name": "echo", "arguments": {}})
        await until(lambda: bool(scene.servers[0].holding))
        given_up.cancel("enough")
        assert scene.servers[0].cancelled == ["enough"]
        given_up.cancel("again")
        assert scene.servers[0].cancelled == ["enough"]
        assert not answer.done()
        assert [row.outcome for row in scene.rows()] == ["cancelled"]


async def test_a_client_that_leaves_cancels_what_it_had_under_way(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        await scene.listed()
        scene.servers[0].hold = True
        for _ in range(3):
            scene.start("tools/call", {"name": "echo", "arguments": {}})
        await until(lambda: len(scene.servers[0].holding) == 3)
        scene.gateway.close()
        assert len(scene.servers[0].cancelled) == 3
        assert [row.outcome for row in scene.rows()] == ["cancelled"] * 3


async def test_a_client_has_only_so_many_requests_under_way(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        await scene.listed()
        scene.servers[0].hold = True
        for _ in range(256):
            scene.start("tools/call", {"name": "echo", "arguments": {}})
        assert (await scene.call("echo"))["error"]["code"] == -32600
        assert len(scene.servers[0].calls) == 256
        for answer in scene.servers[0].holding:
            answer({"result": {"content": []}})
        scene.servers[0].hold = False
        assert "result" in await scene.call("echo")


async def test_a_busy_record_at_the_end_of_a_call_delays_the_result(tmp_path: Path) -> None:
    class Busy(FullDisk):
        left = 3

        def __getattr__(self, name: str) -> Any:
            taken = getattr(self._record, name)

            def finish(*args: Any, **kwargs: Any) -> Any:
                if Busy.left:
                    Busy.left -= 1
                    raise RecordBusy("a double")
                return taken(*args, **kwargs)

            return finish if name == "finish" else taken

    with Scene(tmp_path) as scene:
        busy: Any = Busy(scene.record)
        scene.guard.record = busy
        assert (await scene.call("echo"))["result"] == {"content": []}
        assert Busy.left == 0
        assert [row.outcome for row in scene.rows()] == ["ok"]


async def test_the_guards_time_does_not_go_back_in_a_listing(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        before = scene.guard.now()
        await scene.call("echo")
        scene.guard.clock = lambda: datetime(2020, 1, 1, tzinfo=UTC)
        assert scene.guard.now() >= before


async def test_a_call_is_answered_although_nobody_reads_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        def isatty(self) -> bool:
            return False

        def write(self, _: str) -> int:
            raise BrokenPipeError

        flush = write

    monkeypatch.setattr("sys.stderr", Closed())
    monkeypatch.setattr("mcp_guard.log._logger", None)
    with Scene(tmp_path, guard_class=Stumbling) as scene:
        assert decision_in((await scene.call("echo"))["result"])["reason"] == Reason.INTERNAL
    monkeypatch.undo()
    structlog.reset_defaults()
