"""A server that turns (`servers/shifty.py`): in mid-session, between listing and call, at restart, under another name.

Prevention is read from its own ledger, where a call that it executed once it had turned is marked with `!`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import sighting
from mcp_guard.downstream import Downstream, State
from mcp_guard.eras import Era
from mcp_guard.lock.pins import PinKind, pin_of
from mcp_guard.lock.servers import Lock, ServerPin
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.verify import verify
from mcp_guard.server_spec import ServerSpec
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.link import see_links_end
from mcp_guard.wire import digest
from tests.guards import REPOSITORY, Scene
from tests.remote_scene import begin
from tests.transports.processes import until

SHIFTY = REPOSITORY / "servers" / "shifty.py"
POLICY = """
version: 1
grants:
  - {id: all, tool: [s/weather, s/note, s/forecast, s/read_text_file], args: any}
  - {id: brief, prompt: s/brief, args: any}
"""
ERAS = [Era.LEGACY, Era.MODERN]
WAYS = ["rewrite", "loosen", "rename", "shadow"]


@dataclass
class Shifty:
    """The hostile server behind a guard in memory."""

    scene: Scene
    home: Path
    hello: Any = None

    def turn(self) -> None:
        (self.home / "turned").touch()

    @property
    def executed(self) -> list[str]:
        file = self.home / "ledger.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.partition('"tool": "')[2].partition('"')[0] for line in lines]

    @property
    def server(self) -> Downstream:
        return self.scene.gateway.session.servers[0]

    async def restart(self) -> None:
        """It crashes, and the guard starts it again."""
        link = self.server._link
        assert link is not None
        link.close()
        self.server._ended(self.server._life, "a test ended it")
        await until(lambda: self.server.state is State.READY)

    async def weather(self, name: str = "weather") -> dict[str, Any]:
        return await self.scene.call(name, {"city": "Utrecht"})

    def lock(self) -> Lock:
        """What the server offers now, as `mcp-guard lock` puts it down."""
        sys.path.insert(0, str(SHIFTY.parent))
        try:
            import shifty
        finally:
            sys.path.pop(0)
        pins = [pin_of(PinKind.TOOL, shifty.WEATHER), pin_of(PinKind.TOOL, shifty.NOTE)]
        pins.append(pin_of(PinKind.PROMPT, shifty.BRIEF))
        told = digest("Ask me about the weather.")
        return Lock({"s": ServerPin("s", instructions=told, pins={pin.key: pin for pin in pins})})

    def withheld(self) -> list[dict[str, Any]]:
        """What the record says was withheld, oldest first."""
        with open_for_reading(self.scene.directory / "state") as query:
            rows = [row for row in query.entries(Filter()) if row.kind is EntryKind.WITHHELD]
        return [one for row in rows for one in row.body["data"]["tools"]]


@asynccontextmanager
async def shifty(
    home: Path, *options: str, era: Era = Era.LEGACY, http: bool = False, locked: bool = False, prefixed: bool = False
) -> AsyncIterator[Shifty]:
    command = [
        sys.executable,
        "-S",
        str(SHIFTY),
        "--turn",
        str(home / "turned"),
        "--ledger",
        str(home / "ledger.jsonl"),
    ]
    process = None
    spec = ServerSpec("s", (*command, *options))
    if http:
        process = await asyncio.create_subprocess_exec(*command, *options, "--http", str(home / "port"))
        await until((home / "port").exists)
        spec = ServerSpec("s", remote=Remote(f"http://127.0.0.1:{(home / 'port').read_text()}/mcp"))
    with Scene(home, policy=POLICY, servers=[], era=era, prefixed=prefixed) as scene:
        session = scene.gateway.session
        session.era, session.settled = None, False
        session.servers.append(Downstream(spec, scene.gateway))
        found = Shifty(scene, home)
        if locked:
            scene.guard.lock = found.lock()
        try:
            found.hello = await begin(scene)
            yield found
        finally:
            scene.gateway.close()
            await see_links_end(5)
            if process is not None:
                process.kill()
                await process.wait()
    assert verify(home / "state") == []


@pytest.mark.parametrize("locked", [False, True], ids=["first sight", "lock"])
@pytest.mark.parametrize("http", [False, True], ids=["stdio", "http"])
@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_changed_without_a_word_is_gone_before_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, era: Era, http: bool, locked: bool
) -> None:
    async with shifty(tmp_path, era=era, http=http, locked=locked) as it:
        assert await it.scene.listed() == ["weather", "note"]
        assert "isError" not in (await it.weather())["result"]
        it.turn()
        monkeypatch.setattr(sighting, "FRESH", -1.0)  # what was listed is older than any bound
        gone = await it.weather()
        absent = await it.weather("no_such_tool")
        assert gone["error"]["message"].replace("weather", "no_such_tool") == absent["error"]["message"]
        assert await it.scene.listed() == ["note"]
        assert "error" not in await it.scene.call("note", {"text": "the rest goes on"})
        assert it.executed == ["weather", "note!"]
        (said,) = it.withheld()  # once, however often it is asked for
        assert (said["tool"], said["code"]) == ("weather", "changed")
        assert "description, inputSchema" in said["why"]


async def test_within_the_bound_a_call_goes_by_what_was_listed(tmp_path: Path) -> None:
    """What the bound costs: a minute in which the old descriptor still counts. A listing by the client ends it."""
    async with shifty(tmp_path) as it:
        await it.weather()
        it.turn()
        await it.weather()
        await it.scene.listed()
        await it.weather()
        assert it.executed == ["weather", "weather!"]


async def test_a_change_that_the_server_tells_counts_at_once(tmp_path: Path) -> None:
    async with shifty(tmp_path, "--tell") as it:
        await it.weather()
        it.turn()
        assert "error" not in await it.scene.call("note", {"text": "x"})
        await until(lambda: it.server.listing is None)
        assert "error" in await it.weather()
        assert it.executed == ["weather", "note!"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_is_another_one_after_a_restart_is_gone(tmp_path: Path, era: Era) -> None:
    async with shifty(tmp_path, era=era) as it:
        await it.weather()
        it.turn()
        await it.restart()
        assert "error" in await it.weather()
        assert it.executed == ["weather"]


@pytest.mark.parametrize("way", WAYS)
async def test_under_a_lock_nothing_escapes_by_another_name(tmp_path: Path, way: str) -> None:
    """Even where the grants name it: a new name is new authority."""
    async with shifty(tmp_path, "--as", way, locked=True) as it:
        it.turn()
        shown = await it.scene.listed()
        assert set(shown) == ({"weather", "note"} if way == "shadow" else {"note"})
        for name in ("forecast", "read_text_file"):
            assert "error" in await it.weather(name)
        assert it.executed == []
        codes = {one["tool"]: (one["code"], one["why"]) for one in it.withheld() if one["tool"][0] != "("}
        expected = {"rewrite": "weather", "loosen": "weather", "rename": "forecast", "shadow": "read_text_file"}[way]
        code, why = codes[expected]
        assert code == {"rename": "moved", "shadow": "added"}.get(way, "changed")
        assert "s/weather" in why if way == "rename" else "looser" in why or way == "shadow"


@pytest.mark.parametrize("locked", [False, True], ids=["first sight", "lock"])
@pytest.mark.parametrize("era", ERAS)
async def test_instructions_and_a_prompt_that_changed_are_not_passed_on(tmp_path: Path, era: Era, locked: bool) -> None:
    async with shifty(tmp_path, era=era, locked=locked) as it:
        assert it.hello["result"]["instructions"] == "Ask me about the weather."
        assert "error" not in await it.scene.ask("prompts/get", {"name": "brief"})
        it.turn()
    async with shifty(tmp_path, era=era, locked=locked) as it:
        assert "instructions" not in it.hello["result"]
        assert (await it.scene.ask("prompts/list"))["result"]["prompts"] == []
        gone, absent = [await it.scene.ask("prompts/get", {"name": name}) for name in ("brief", "no_such")]
        assert gone["error"]["code"] == absent["error"]["code"]
        assert it.executed == ["(prompt)"]


async def test_one_of_several_servers_that_comes_back_with_other_instructions_is_not_heard(tmp_path: Path) -> None:
    async with shifty(tmp_path, era=Era.MODERN, prefixed=True) as it:
        assert it.hello["result"]["instructions"] == "s: Ask me about the weather."
        it.turn()
        await it.restart()
        assert "instructions" not in (await begin(it.scene))["result"]
        (said,) = it.withheld()
        assert said["tool"] == "(instructions)" and said["code"] == "changed"


async def test_a_server_that_the_lock_does_not_know_shows_nothing(tmp_path: Path) -> None:
    async with shifty(tmp_path) as it:
        it.scene.guard.lock = Lock({})
        assert await it.scene.listed() == []
        assert "error" in await it.weather()
        assert it.executed == []
        assert {one["code"] for one in it.withheld()} == {"server"}


async def test_a_server_that_is_started_otherwise_than_it_was_locked_shows_nothing(tmp_path: Path) -> None:
    async with shifty(tmp_path, locked=True) as it:
        it.scene.guard.unlike = {"s": "its server's command or URL isn't the one that was locked"}
        assert await it.scene.listed() == []
        assert it.executed == []


async def test_a_change_back_to_what_was_seen_is_shown_again(tmp_path: Path) -> None:
    async with shifty(tmp_path) as it:
        assert await it.scene.listed() == ["weather", "note"]
        it.turn()
        assert await it.scene.listed() == ["note"]
        (tmp_path / "turned").unlink()
        assert await it.scene.listed() == ["weather", "note"]
