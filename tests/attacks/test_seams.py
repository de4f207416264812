"""Attacks on the seams: what one room lets through because another one was thought to look at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_guard.eras import Era
from mcp_guard.model import Reason
from tests.guards import RecordingDownstream, Scene, decision_in, tool

ERAS = pytest.mark.parametrize("era", list(Era))
POLICY = """\
version: 1
grants:
  - {id: t, tool: raw/echo, args: any}
  - {id: more, extensions: {server: raw, allow: [acme/do, notifications/acme, trace]}}
"""


def servers(**replies: Any) -> list[RecordingDownstream]:
    return [RecordingDownstream(tools=[tool("echo", text={"type": "string"})], replies=replies)]


# --- law 7: a state that no handle of the guard's carries is the client's own words


@ERAS
async def test_a_member_called_state_of_an_extension_cannot_name_the_guards_files(tmp_path: Path, era: Era) -> None:
    own = str(tmp_path / "own" / "policy.yaml")
    with Scene(tmp_path, policy=POLICY, era=era, servers=servers(), protect=[own]) as scene:
        answer = await scene.ask("acme/do", {"requestState": own})
        assert decision_in(answer["error"])["reason"] == Reason.PROTECTED
        assert scene.servers[0].requests == []
