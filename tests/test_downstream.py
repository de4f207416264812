"""One server over several processes: opened, restarted, switched, held back, ended. With real processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import downstream
from mcp_guard.catalog import Listing
from mcp_guard.downstream import NOT_OPENED, Downstream, State
from mcp_guard.eras import REVISION_KEY, Era
from mcp_guard.errors import ServerGone
from mcp_guard.server_spec import ServerSpec, identity
from mcp_guard.session import InFlight, Session
from mcp_guard.transports import spawn as spawning
from mcp_guard.transports.front import Answer, Cancel
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.spawn import spawn
from mcp_guard.transports.stdio_link import StdioLink
from tests.fixtures.client import RAW_SERVER
from tests.transports.processes import alive, children, open_files, until

INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
DISCOVER = {"_meta": {REVISION_KEY: "2026-07-28"}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawning, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(downstream, "FIRST_BACK_OFF", 0.02)


class Told:
    """What the conversation was told."""

    def __init__(self) -> None:
        self.notified: list[tuple[str, Any]] = []
        self.asked: list[str] = []
        self.odd: list[str] = []
        self.changed: list[tuple[str, str]] = []

    def server_notified(self, _: Downstream, method: str, params: Any) -> None:
        self.notified.append((method, params))

    def server_asked(self, _: Downstream, method: str, params: Any, answer: Answer, during: int | None) -> Cancel:
        self.asked.append(method)
        answer({"result": {"answered": True}})
        return lambda _: None

    def server_stale(self, server: Downstream) -> None: ...

    def server_odd(self, _: Downstream, why: str) -> None:
        self.odd.append(why)

    def server_changed(self, _: Downstream, event: str, why: str) -> None:
        self.changed.append((event, why))

    def count(self, event: str) -> int:
        return sum(1 for changed, _ in self.changed if changed == event)


class Server(Downstream):
    """A downstream, and shorthand for tests."""

    told: Told

    async def opened(self, era: Era = Era.LEGACY) -> dict[str, Any]:
        method, params = ("initialize", INITIALIZE) if era is Era.LEGACY else ("server/discover", DISCOVER)
        answers: list[dict[str, Any]] = []
        self.open(era, method, params, answers.append)
        await until(lambda: answers)
        return answers[0]

    def call(self, tool: str, **arguments: Any) -> tuple[list[dict[str, Any]], Callable[[str | None], None]]:
        answers: list[dict[str, Any]] = []
        return answers, self.request("tools/call", {"name": tool, "arguments": arguments}, answers.append)

    async def result(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answers, _ = self.call(tool, **arguments)
        await until(lambda: answers)
        assert len(answers) == 1
        return answers[0]

    async def pid(self) -> int:
        return int((await self.result("surroundings"))["result"]["structuredContent"]["pid"])

    async def is_in(self, state: State) -> None:
        await until(lambda: self.state is state)


def server(*options: str | Path, command: tuple[str, ...] = ()) -> Server:
    told = Told()
    spec = ServerSpec("raw", command or (sys.executable, str(RAW_SERVER), *map(str, options)))
    made = Server(spec, told)
    made.told = told
    return made


@asynccontextmanager
async def using(made: Server) -> AsyncIterator[Server]:
    """Afterwards no process, zombie or descriptor is left."""
    files, processes = open_files(), children()
    try:
        yield made
    finally:
        made.close()
        await until(lambda: children() == processes)
        await until(lambda: open_files() <= files)


@pytest.mark.parametrize("era", Era)
async def test_a_server_is_opened_in_the_clients_era_and_called(era: Era) -> None:
    async with using(server()) as raw:
        reply = await raw.opened(era)
        assert ("protocolVersion" if era is Era.LEGACY else "supportedVersions") in reply["result"]
        assert raw.capabilities["tools"]
        assert (raw.state, raw.era) == (State.READY, era)
        params = {"name": "echo", "arguments": {"text": "hello"}, **(DISCOVER if era is Era.MODERN else {})}
        answers: list[dict[str, Any]] = []
        raw.request("tools/call", params, answers.append)
        await until(lambda: answers)
        assert answers[0]["result"]["content"][0]["text"] == "hello"


async def test_nothing_can_be_sent_to_a_server_that_nobody_opened() -> None:
    async with using(server()) as raw:
        told: list[bool] = []
        raw.when_ready(told.append)
        assert told == [False]
        with pytest.raises(ServerGone):
            raw.call("echo")


async def test_a_process_that_was_started_ahead_is_the_one_that_is_opened() -> None:
    files, processes = open_files(), children()
    async with using(server()) as raw:
        raw.child = spawn(raw.spec.command)
        await raw.opened()
        assert len(children()) == len(processes) + 1
    assert open_files() <= files


async def test_a_process_that_was_started_ahead_and_never_used_is_ended() -> None:
    async with using(server()) as raw:
        raw.child = spawn(raw.spec.command)


async def test_a_call_under_way_at_a_crash_is_answered_once_and_the_server_comes_back_in_its_era(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(downstream, "FIRST_BACK_OFF", 60.0)  # no machine is so busy that it is back before we look
    async with using(server()) as raw:
        await raw.opened()
        first = await raw.pid()
        slow, cancel = raw.call("slow", until="/no/such/file")
        crash, _ = raw.call("crash")
        await until(lambda: slow and crash)
        assert ("gone" in slow[0], "gone" in crash[0]) == (True, True)
        assert raw.state is State.DOWN
        with pytest.raises(ServerGone):
            raw.call("echo", text="x")
        cancel(None)  # of a process that is gone
        told: list[bool] = []
        raw.when_ready(told.append)
        raw._no_timer()
        raw._restart()
        await until(lambda: told)
        assert told == [True]
        assert (raw.state, raw.era, raw.restarted) == (State.READY, Era.LEGACY, True)
        assert await raw.pid() != first
        assert len(slow) == len(crash) == 1
        assert raw.told.count("ended") == 1


async def test_what_was_listed_is_forgotten_when_the_server_says_so_or_ends() -> None:
    async with using(server()) as raw:
        await raw.opened()
        raw.listing = Listing()
        await raw.result("grow", name="more")
        assert raw.listing is None
        raw.listing = Listing()
        await raw.result("crash")
        assert raw.listing is None


async def test_a_server_that_crashes_in_a_loop_is_not_waited_for_and_used_again_once_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downstream, "LAST_BACK_OFF", 0.5)
    gate = tmp_path / "sound"
    crashing = f"import os, sys; os.path.exists({str(gate)!r}) or sys.exit(3); os.execv(sys.argv[1], sys.argv[1:])"
    command = (sys.executable, "-S", "-c", crashing, sys.executable, str(RAW_SERVER))
    async with using(server(command=command)) as raw:
        raw.open(Era.LEGACY, "initialize", INITIALIZE, lambda _: None)
        waiting: list[bool] = []
        raw.when_ready(waiting.append)
        await until(lambda: [event for event, _ in raw.told.changed].count("ill") == 1)
        assert waiting == [False]  # whoever waited for the restart is let go
        again: list[bool] = []
        await until(lambda: raw.state in (State.DOWN, State.OPENING))
        raw.when_ready(again.append)
        assert again == [False]
        gate.touch()
        await until(lambda: raw.state is State.READY)
        raw.when_ready(again.append)
        assert again == [False, True]


async def test_crashes_in_a_row_are_further_and_further_apart() -> None:
    async with using(server(command=(sys.executable, "-c", "pass"))) as raw:
        reply = await raw.opened()
        assert reply["error"]["code"] == NOT_OPENED
        times = [asyncio.get_running_loop().time()]
        for _ in range(4):
            seen = raw.told.count("ended")
            await until(partial(more_ended, raw, seen))
            times.append(asyncio.get_running_loop().time())
        gaps = [later - sooner for sooner, later in pairwise(times)]
        assert all(gap > 0.02 * 2**number for number, gap in enumerate(gaps))


def more_ended(raw: Server, seen: int) -> bool:
    return raw.told.count("ended") > seen


@pytest.mark.parametrize("command", [("/no/such/command",), ("no-such-command",)])
async def test_a_command_that_does_not_exist_is_an_error_for_whoever_opens_it(command: tuple[str, ...]) -> None:
    async with using(server(command=command)) as raw:
        assert (await raw.opened())["error"]["code"] == NOT_OPENED
        assert raw.state is State.DOWN


@pytest.mark.parametrize("bad", [{"cwd": "/no/such/directory"}, {"command": ("a\0b",)}, {"env": {"A\0": "b"}}])
async def test_a_server_that_cannot_be_started_at_all_is_an_error_too(bad: dict[str, Any]) -> None:
    made = Server(ServerSpec(**{"name": "raw", "command": ("true",), **bad}), told := Told())
    made.told = told
    async with using(made) as raw:
        assert (await raw.opened())["error"]["code"] == NOT_OPENED
        assert raw.state is State.DOWN


async def test_a_server_that_refuses_the_modern_era_stays_as_it_is_and_is_opened_in_the_other() -> None:
    async with using(server("--no-modern")) as raw:
        assert (await raw.opened(Era.MODERN))["error"]["code"] == -32601
        assert raw.state is State.IDLE
        assert "result" in await raw.opened(Era.LEGACY)
        assert (raw.told.count("started"), raw.told.count("refused")) == (1, 1)


async def test_a_server_that_refuses_and_leaves_is_not_started_again_by_itself() -> None:
    code = 'import sys; sys.stdin.readline(); print(\'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}\')'
    async with using(server(command=(sys.executable, "-c", code))) as raw:
        assert (await raw.opened())["error"]["message"] == "no"
        await until(lambda: raw.told.count("ended"))
        assert raw.state is State.IDLE
        assert raw._timer is None


FLAKY = """
import json, os, sys
from pathlib import Path
starts = Path(sys.argv[1])
number = len(starts.read_text()) if starts.exists() else 0
with starts.open("a") as file: file.write("x")
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message: continue
    answer = {"result": {"protocolVersion": "2025-11-25", "capabilities": {}}}
    if message["method"] == "tools/call": os._exit(1)
    if number == 1: answer = {"error": {"code": 1, "message": "not yet"}}
    if number == 2: continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
"""


async def test_a_restart_that_is_refused_or_never_answered_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with using(server(command=(sys.executable, "-c", FLAKY, str(tmp_path / "starts")))) as raw:
        await raw.opened()
        monkeypatch.setattr(downstream, "OPENING_DEADLINE", 0.3)
        await raw.result("crash")
        await until(lambda: raw.told.count("ready") == 2)
        assert (tmp_path / "starts").read_text() == "xxxx"
        assert raw.told.count("refused") == 1
        assert not any("not yet" in why for event, why in raw.told.changed if event == "ended")  # that is recorded


async def test_a_revision_that_the_guard_does_not_know_is_not_spoken() -> None:
    answer = '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2030-01-01"}}'
    code = f"import sys; sys.stdin.readline(); print({answer!r}, flush=True); sys.stdin.read()"
    async with using(server(command=(sys.executable, "-c", code))) as raw:
        assert (await raw.opened())["error"]["code"] == NOT_OPENED
        assert raw.state is State.IDLE


async def test_the_other_era_gets_another_process_and_the_earlier_one_ends() -> None:
    async with using(server()) as raw:
        await raw.opened(Era.MODERN)
        answers: list[dict[str, Any]] = []
        raw.request("tools/call", {"name": "surroundings", "arguments": {}, **DISCOVER}, answers.append)
        await until(lambda: answers)
        first = answers[0]["result"]["structuredContent"]["pid"]
        late: list[dict[str, Any]] = []
        raw.request("tools/call", {"name": "slow", "arguments": {"until": "/no"}, **DISCOVER}, late.append)
        await raw.opened(Era.LEGACY)
        assert await raw.pid() != first
        await until(lambda: not alive(first))
        await until(lambda: late)
        assert late == [{"gone": "closed"}]
        assert raw.state is State.READY
        assert raw.told.count("ended") == 0  # nothing crashed


async def test_an_opening_that_another_one_overtakes_is_answered_and_releases_nobody(tmp_path: Path) -> None:
    ready = tmp_path / "go"
    async with using(server("--slow-start", ready)) as raw:
        first: list[dict[str, Any]] = []
        second: list[dict[str, Any]] = []
        parked: list[bool] = []
        raw.open(Era.MODERN, "server/discover", DISCOVER, first.append)
        await until(lambda: isinstance(raw._link, StdioLink) and raw._link._pending)
        raw.open(Era.LEGACY, "initialize", INITIALIZE, second.append)
        raw.when_ready(parked.append)
        await until(lambda: first)
        assert first[0]["error"]["code"] == NOT_OPENED
        assert parked == []
        ready.touch()
        await until(lambda: parked and second)
        assert parked == [True]
        assert "result" in second[0]


async def test_calls_wait_for_a_slow_start(tmp_path: Path) -> None:
    ready = tmp_path / "go"
    async with using(server("--slow-start", ready)) as raw:
        answers: list[dict[str, Any]] = []
        parked: list[bool] = []
        raw.open(Era.LEGACY, "initialize", INITIALIZE, answers.append)
        for _ in range(3):
            raw.when_ready(parked.append)
        assert (parked, raw.state) == ([], State.OPENING)
        ready.touch()
        await until(lambda: answers)
        assert parked == [True, True, True]


async def test_calls_do_not_wait_for_ever_nor_more_of_them_than_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downstream, "OPENING_DEADLINE", 0.1)
    monkeypatch.setattr(downstream, "MAX_PARKED", 5)
    async with using(server("--slow-start", tmp_path / "never")) as raw:
        raw.open(Era.LEGACY, "initialize", INITIALIZE, lambda _: None)
        parked: list[bool] = []
        for _ in range(7):
            raw.when_ready(parked.append)
        assert parked == [False, False]
        await until(lambda: len(parked) == 7)
        assert not any(parked)
        again: list[bool] = []
        raw.when_ready(again.append)
        assert again == []  # there is room again


async def test_closing_releases_who_waits_and_nothing_is_started_again(tmp_path: Path) -> None:
    async with using(server("--slow-start", tmp_path / "never")) as raw:
        answers: list[dict[str, Any]] = []
        parked: list[bool] = []
        raw.open(Era.LEGACY, "initialize", INITIALIZE, answers.append)
        raw.when_ready(parked.append)
        await until(lambda: isinstance(raw._link, StdioLink) and raw._link._pending)
        raw.close()
        assert parked == [False]
        await until(lambda: answers)
        assert answers[0]["error"]["code"] == NOT_OPENED
        raw.when_ready(parked.append)
        assert parked == [False, False]
        assert raw.told.count("ended") == 0


async def test_closing_while_a_restart_is_due_starts_nothing() -> None:
    async with using(server()) as raw:
        await raw.opened()
        await raw.result("crash")
        assert raw.state is State.DOWN
        raw.close()
        assert raw._timer is None
        assert raw.told.count("started") == 1


async def test_closing_before_the_process_is_attached_leaves_nothing() -> None:
    async with using(server()) as raw:
        raw.open(Era.LEGACY, "initialize", INITIALIZE, lambda _: None)


async def test_a_cancelled_call_stops_in_the_server() -> None:
    async with using(server()) as raw:
        await raw.opened()
        answers, cancel = raw.call("slow", until="/no/such/file")
        cancel("enough")
        cancel("again")
        released = await raw.result("release")
        assert answers == []
        assert released["result"]["content"][0]["text"] == "released 0"


async def test_a_client_that_takes_nothing_holds_back_the_next_process_too() -> None:
    code = 'import sys\nfor n in range(100_000): print(\'{"jsonrpc":"2.0","method":"notifications/message"}\')'
    async with using(server(command=(sys.executable, "-c", code))) as raw:
        raw.pause(True)
        raw.open(Era.LEGACY, "initialize", INITIALIZE, lambda _: None)
        await until(lambda: isinstance(raw._link, StdioLink) and raw._link._pending)
        other = server()
        await other.opened()
        assert raw.told.notified == []
        raw.pause(False)
        await until(lambda: len(raw.told.notified) > 1000)
        other.close()


def test_a_server_is_known_by_its_name_and_its_command_without_telling_it() -> None:
    spec = ServerSpec("raw", ("serve", "--token", "hunter2"))
    key = bytes(32)
    assert "hunter2" not in identity(spec, key)
    assert identity(spec, key) != identity(ServerSpec("raw", ("serve", "--token", "other")), key)
    assert identity(spec, key) != identity(ServerSpec("other", spec.command), key)


def test_first_sight_of_a_server_by_url_knows_it_by_its_address_and_keeps_no_secret_of_it() -> None:
    key = b"k" * 32
    one, other = (ServerSpec("web", remote=Remote(f"https://a.example/mcp?key={key}")) for key in ("hunter2", "x"))
    assert identity(one, key) != identity(other, key)
    assert identity(one, key) != identity(ServerSpec("web", ("url", "https://a.example/mcp?key=hunter2")), key)
    assert "hunter2" not in identity(one, key)
    assert one.shown == ["https://a.example/mcp"]


# --- one client's requests


def in_flight() -> tuple[Session, InFlight, list[Any], list[Any]]:
    answers: list[Any] = []
    notified: list[Any] = []
    session = Session("me", "key", lambda method, params: None)
    request = session.begin(1, answers.append, lambda method, params: notified.append((method, params)))
    return session, request, answers, notified


def test_a_request_is_answered_once_and_hears_no_progress_afterwards() -> None:
    session, request, answers, notified = in_flight()
    request.progress({"n": 1})
    request.finish({"result": {}})
    request.finish({"result": {"again": 1}})
    request.progress({"n": 2})
    request.cancel()
    assert answers == [{"result": {}}]
    assert notified == [("notifications/progress", {"n": 1})]
    assert session.in_flight == set()
    assert not request.waiting


def test_a_cancelled_request_tells_its_server_once_and_is_never_answered() -> None:
    session, request, answers, _ = in_flight()
    told: list[str | None] = []
    request.sent(told.append)
    request.cancel("enough")
    request.cancel("again")
    request.finish({"result": {}})
    assert (told, answers) == (["enough"], [])
    assert session.in_flight == set()


def test_closing_a_session_cancels_what_is_under_way() -> None:
    session, request, answers, _ = in_flight()
    told: list[str | None] = []
    request.sent(told.append)
    session.close()
    assert (told, answers, session.closed) == (["the client is gone"], [], True)
