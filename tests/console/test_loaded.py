"""The authority page of real guards: what they loaded, also once somebody has edited the files."""

from __future__ import annotations

import html
import sys
from pathlib import Path

import yaml

from tests.console.visitor import Visitor
from tests.guards import Stand

POLICY = """version: 1
grants: [{id: say, tool: raw/echo, args: {text: {max_length: 20}}, budget: {calls: 3}}]
"""
MANDATE = """version: 1
task: Say it once.
expires: 30m
grants: [{id: once, tool: raw/echo, args: {text: any}, budget: {calls: 1, per: mandate}}]
"""


async def page(state: Path) -> str:
    return html.unescape((await (await Visitor(state).log_in()).get("/authority")).text)


async def test_policy_and_mandate_are_told_as_they_were_loaded_and_not_as_they_were_edited(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap(mandate=MANDATE) as client:
        await client.initialize()
        await client.call("echo", {"text": "hi"})
    seen = await page(stand.state)
    assert "For this task, which ends 30 minutes after it starts: Say it once." in seen
    assert "raw/echo with text: text of at most 20 characters" in seen
    assert "at most 3 times a session; used: 1 call" in seen
    assert "carried 1" in seen and f"{stand.policy_file}:2:" in seen
    stand.policy_file.write_text(POLICY.replace("20", "2000"))
    (tmp_path / "mandate.yaml").unlink()
    edited = await page(stand.state)
    assert "at most 20 characters" in edited and "Say it once" in edited and "2000" not in edited


async def test_variables_of_a_guard_yaml_beside_the_policy_are_known(tmp_path: Path) -> None:
    stand = Stand(tmp_path, "version: 1\ngrants: [{id: read, tool: raw/echo, args: {text: {under: $notes}}}]\n")
    config = {
        "version": 1,
        "policy": str(stand.policy_file),
        "set": {"notes": "/srv/notes"},
        "servers": {"raw": {"command": [sys.executable, "-c", "pass"]}},
    }
    (tmp_path / "guard.yaml").write_text(yaml.safe_dump(config))
    async with stand.client(["run", "--config", str(tmp_path / "guard.yaml")]) as client:
        await client.initialize()
    assert "an absolute path under /srv/notes" in await page(stand.state)
