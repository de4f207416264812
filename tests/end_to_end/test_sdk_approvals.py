"""Asking through the SDK's own client: on stdio and over HTTP, in both eras; and a person at the desk beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client.client import Client
from mcp_types import ElicitRequestParams, ElicitResult

from mcp_guard.approvals import answering
from mcp_guard.model import By
from tests.end_to_end.test_server_requests import Person, connected
from tests.guards import Stand
from tests.patience import PATIENCE

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


class Both(Person):
    """Accepts what the guard asks, and tells a server who it is."""

    async def answer(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        found = await super().answer(context, params)
        return ElicitResult(action="accept", content={}) if params.message.startswith("[mcp-guard]") else found


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


class Silent(Person):
    """A client that declares nothing: it can't be asked."""

    def client(self, transport: Any, mode: str) -> Client:
        return Client(transport, mode=mode, read_timeout_seconds=PATIENCE)


@PAIRS
async def test_a_server_that_asks_and_a_rule_that_asks_each_have_their_question(
    tmp_path: Path, front: str, mode: str
) -> None:
    asks = POLICY.replace("raw/echo", "raw/ask")
    granted = "  - {id: form, server_requests: {server: raw, allow: [elicitation]}}\n"
    stand, person = (
        Stand(tmp_path, asks.replace("grants: [{", "grants:\n  - {").replace("}]\n", "}\n") + granted),
        Both(),
    )
    async with connected(stand, front, person, mode) as client:
        with anyio.fail_after(PATIENCE):
            await client.list_tools()
            done = await client.call_tool("ask" if front == "stdio" else "raw__ask", {})
    assert "Ada" in json.dumps(done.structured_content)
    guard = "[mcp-guard] May raw/ask be called, once?"
    again = [] if mode == "legacy" else [guard]  # the answers are a call of their own
    assert [message.splitlines()[0] for message in person.read] == [guard, "[raw] Who?", *again]
    assert stand.verified() == []


@PAIRS
@pytest.mark.parametrize("by", ["a client that can't be asked", "a person"])
async def test_a_person_at_the_desk_answers_for_a_client_that_is_not_asked(
    tmp_path: Path, front: str, mode: str, by: str
) -> None:
    stand = Stand(tmp_path, POLICY.replace("{by: client}", "true") if by == "a person" else POLICY)
    person = Asked("accept") if by == "a person" else Silent()
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
