"""`mcp-guard run` with everything that watches in its guard.yaml: over real processes, and after a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mcp_guard.__main__ import main
from mcp_guard.cli.app import app
from mcp_guard.transports.front import TRACE
from tests.fixtures.client import RawClient
from tests.guards import Stand, decision_in
from tests.transports.http_support import Conversations, Request, front, gives, http, modern
from tests.watching.receiver import Receiver, attributes
from tests.watching.stage import scanner_file

POLICY = "version: 1\ngrants: [{id: say, tool: [raw/echo, raw/add], args: any}]\n"
CODE = "def look(request):\n    return 'medium' if 'maybe' in str(request['value']) else None\n"


def client(stand: Stand, watched: str) -> RawClient:
    file = stand.home / "guard.yaml"
    command = json.dumps({"command": stand.server()})
    file.write_text(f"version: 1\npolicy: {stand.policy_file}\nservers: {{raw: {command}}}\n{watched}")
    return stand.client(["run", "--config", str(file)])


async def test_a_guard_with_everything_watched_tells_it_and_freezes_over_a_restart(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    keys = scanner_file(tmp_path, CODE)
    with Receiver() as receiver:
        watched = f"""telemetry: {{endpoint: '{receiver.url}', every: 0.1}}
monitor: {{learn: 10}}
breaker: {{severity: high}}
scanners:
  - {{name: keys, pattern: AKIA}}
  - {{name: maybe, python: 'mine:look', {keys}, timeout: 20, severity: medium}}
"""
        async with client(stand, watched) as first:
            await first.initialize()
            for number in range(11):
                await first.call("raw__echo", {"text": str(number)})
            await first.call("raw__add", {"a": 1, "b": 2})
            pending = await first.start("tools/call", {"name": "raw__echo", "arguments": {"text": "maybe"}})
            refused = await first.call("raw__echo", {"text": "AKIA1234"})
            assert decision_in(refused)["reason"] == "scanned"
            assert decision_in(await first.call("raw__echo", {"text": "x"}))["reason"] == "stopped"
            assert not pending.done()
        names = [span.name for span in receiver.spans]
        assert names.count("tools/call echo") == 14 and names.count("tools/call add") == 1
        assert {attributes(span.attributes).get("mcp_guard.reason") for span in receiver.spans} >= {
            "scanned",
            "stopped",
        }
    async with client(stand, watched) as again:
        await again.initialize()
        assert decision_in(await again.call("raw__echo", {"text": "x"}))["reason"] == "stopped"
    assert len(stand.ledger()) == 12
    assert stand.verified() == []
    flagged = CliRunner().invoke(app, ["log", "--flagged", "--state", str(stand.state)], standalone_mode=False).output
    assert [line.count("flagged") for line in flagged.splitlines()] == [1, 1, 1]
    assert all(word in flagged for word in ("new_tool: raw/add was not used", "scanner maybe", "scanner keys: high"))
    counted = CliRunner().invoke(app, ["log", "--count-by", "flag", "--state", str(stand.state)], standalone_mode=False)
    numbers = {line.split(maxsplit=1)[1]: line.split()[0] for line in counted.output.splitlines()}
    assert {name: numbers[name] for name in ("new_tool", "scanner keys", "scanner maybe")} == {
        "new_tool": "1",
        "scanner keys": "1",
        "scanner maybe": "1",
    }
    said = CliRunner().invoke(app, ["report", "--json", "--state", str(stand.state)], standalone_mode=False).output
    found = {one["flag"]: (one["name"], one["times"], one["allowed"]) for one in json.loads(said)["flagged"]}
    assert found["new_tool"] == ("raw/add", 1, 1) and found["scanner keys"] == ("raw/echo", 1, 0)


async def test_the_trace_of_an_http_request_reaches_whoever_takes_the_message() -> None:
    seen: list[str] = []

    def take(request: Request) -> None:
        seen.append(TRACE.get())
        gives({"content": [], "resultType": "complete"})(request)

    async with front(Conversations(echo=take)) as url, http() as there:
        for headers in ({"traceparent": "00-1"}, {}):
            body, own = modern("tools/call", {"name": "echo", "arguments": {"region": "r"}})
            await there.post(url, json=body, headers={**own, **headers, "mcp-param-region": "r"})
    assert seen == ["00-1", ""]


def test_a_guard_whose_telemetry_is_not_installed_says_so_and_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    real = importlib.import_module

    def without(name: str, *args: Any) -> Any:
        if name.startswith("mcp_guard.telemetry.spans"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(importlib, "import_module", without)
    file = tmp_path / "guard.yaml"
    file.write_text("version: 1\nservers: {raw: {command: [raw]}}\ntelemetry: {endpoint: 'http://127.0.0.1:4318'}\n")
    monkeypatch.setattr("sys.argv", ["mcp-guard", "run", "--config", str(file)])
    assert main() == 2 and 'pip install "mcp-guard[otel]"' in capsys.readouterr().err
