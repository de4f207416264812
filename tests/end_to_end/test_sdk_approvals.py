"""Asking through the SDK's own client: on stdio and over HTTP, in both eras; and a person at the desk beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_types import ElicitRequestParams, ElicitResult

from mcp_guard.approvals import answering
from mcp_guard.model import By
from tests.end_to_end.clients import PATIENCE
from tests.end_to_end.test_server_requests import Person, connected
from tests.guards import Stand

POLICY = """version: 1
grants: [{id: say, tool: raw/echo, args: any, ask: {by: client}}]
"""
PAIRS = pytest.mark.parametrize(
    ("front", "mode"),
    [("stdio", "legacy"), ("stdio", "2026-07-28"), ("http", "legacy"), ("http", "2026-07-28")],
)


class Asked(Person):
    """Answers what the guard asks in one way."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action = action

    async def answer(self, _: Any, params: ElicitRequestParams) -> ElicitResult:
        self.read.append(params.message)
        accepts = self.action == "accept"
        return ElicitResult(action="accept", content={}) if accepts else ElicitResult(action="decline")


@PAIRS
async def test_an_accept_carries_one_call_and_a_decline_none(tmp_path: Path, front: str, mode: str) -> None:
    stand, person = Stand(tmp_path, POLICY), Asked("accept")
    name = "echo" if front == "stdio" else "raw__echo"
    async with connected(stand, front, person, mode) as client:
        with anyio.fail_after(PATIENCE):
            await client.list_tools()
            assert not (await client.call_tool(name, {"text": "hi"})).is_error
            person.action = "decline"
            assert (await client.call_tool(name, {"text": "hi"})).is_error
    assert [message.splitlines()[0] for message in person.read] == ["[mcp-guard] May raw/echo be called, once?"] * 2
    assert len(stand.ledger()) == 1
    assert stand.verified() == []


@pytest.mark.parametrize(("front", "mode"), [("stdio", "2026-07-28"), ("http", "legacy")])
async def test_a_person_at_the_desk_answers_for_a_client_that_is_not_asked(
    tmp_path: Path, front: str, mode: str
) -> None:
    stand, person = Stand(tmp_path, POLICY.replace("{by: client}", "true")), Asked("accept")
    name = "echo" if front == "stdio" else "raw__echo"
    async with connected(stand, front, person, mode) as client, anyio.create_task_group() as group:
        with anyio.fail_after(PATIENCE):
            await client.list_tools()
            group.start_soon(_approve, stand)
            assert not (await client.call_tool(name, {"text": "hi"})).is_error
    assert person.read == []
    assert len(stand.ledger()) == 1
    assert stand.verified() == []


async def _approve(stand: Stand) -> None:
    """Say yes to the first question that comes, as the command does once the PIN is right."""
    while True:
        with answering.looking_at(stand.state) as desk:
            waiting = desk.waiting()
        if waiting:
            break
        await anyio.sleep(0.05)
    with answering.at(stand.state) as desk:
        desk.approve(waiting[0], "a test", By.PERSON)
