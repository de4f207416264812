"""The client is asked about a call that answers a server's own questions: in both eras, once, about exactly that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_guard.approvals.in_band import KEY
from mcp_guard.eras import Era
from mcp_guard.model import By
from tests.approvals.room import Room, answer_of
from tests.approvals.test_in_band import ABLE, ACCEPT, CAPABILITIES
from tests.approvals.test_passage import until
from tests.guards import decision_in
from tests.test_rounds import DONE, STATE, Server, asking, question

POLICY = """version: 1
grants:
  - {id: say, tool: raw/echo, args: {text: any}, ask: {by: client}}
  - {id: form, server_requests: {server: raw, allow: [elicitation]}}
"""
ADA = {"who": {"action": "accept", "content": {"name": "Ada"}}}


class Client:
    """A client of the modern era that offers elicitation, and a server that asks who before it answers."""

    def __init__(self, home: Path, policy: str = POLICY, *script: dict[str, Any]) -> None:
        servers = [Server(*(script or (asking(who=question()), DONE)))]
        self.room = Room(home, policy, wait=0.01, era=Era.MODERN, servers=servers)

    async def say(self, **beside: Any) -> dict[str, Any]:
        return await self.room.scene.call("echo", {"text": "hi"}, _meta={CAPABILITIES: ABLE}, **beside)

    async def asked(self, **beside: Any) -> dict[str, Any]:
        """The questions of an answer that asks, and its state."""
        result: dict[str, Any] = (await self.say(**beside))["result"]
        assert result["resultType"] == "input_required", result
        return result

    async def accept(self, state: str) -> dict[str, Any]:
        return await self.say(requestState=state, inputResponses=ACCEPT)

    async def round(self) -> str:
        """The server has asked: the state of its round."""
        asked = (await self.accept((await self.asked())["requestState"]))["result"]
        assert list(asked["inputRequests"]) == ["who"]
        return str(asked["requestState"])

    @property
    def calls(self) -> list[Any]:
        return self.room.scene.servers[0].calls


async def test_the_answers_of_a_round_are_asked_about_and_sent_as_they_were_given(tmp_path: Path) -> None:
    client = Client(tmp_path)
    handle = await client.round()
    again = await client.asked(requestState=handle, inputResponses=ADA)
    assert list(again["inputRequests"]) == [KEY]
    assert '| inputResponses = {"who": {"action": "accept"' in again["inputRequests"][KEY]["params"]["message"]
    assert len(client.calls) == 1
    done = await client.accept(again["requestState"])
    assert done["result"]["resultType"] == "complete"
    assert client.calls[1]["requestState"] == STATE
    assert client.calls[1]["inputResponses"] == ADA
    for state, answers in ((again["requestState"], ACCEPT), (handle, ADA)):
        assert "error" in await client.say(requestState=state, inputResponses=answers)
    assert len(client.calls) == 2
    assert client.room.states() == ["used", "used"]
    assert client.room.verified() == []


@pytest.mark.parametrize("answers", [{KEY: {"action": "decline"}}, {**ACCEPT, **ADA}, ADA, {}])
async def test_all_but_a_plain_accept_leaves_the_round_unanswered_and_it_can_be_asked_again(
    tmp_path: Path, answers: dict[str, Any]
) -> None:
    client = Client(tmp_path)
    handle = await client.round()
    again = await client.asked(requestState=handle, inputResponses=ADA)
    refused = await client.say(requestState=again["requestState"], inputResponses=answers)
    assert decision_in(refused["result"])["reason"] == "not_approved"
    assert len(client.calls) == 1
    later = await client.asked(requestState=handle, inputResponses=ADA)
    assert (await client.accept(later["requestState"]))["result"]["resultType"] == "complete"
    assert client.room.verified() == []


async def test_a_round_that_was_finished_meanwhile_is_not_continued_by_a_late_accept(tmp_path: Path) -> None:
    client = Client(tmp_path)
    handle = await client.round()
    states = [
        (
            await client.asked(
                requestState=handle, inputResponses={"who": {"action": "accept", "content": {"name": name}}}
            )
        )["requestState"]
        for name in ("Ada", "Eve")
    ]
    assert (await client.accept(states[0]))["result"]["resultType"] == "complete"
    late = await client.accept(states[1])
    assert decision_in(late["error"])["reason"] == "unknown_handle"
    assert [call.get("inputResponses") for call in client.calls] == [None, ADA]


async def test_answers_that_no_handle_can_carry_wait_for_a_person_and_the_identical_call_succeeds(
    tmp_path: Path,
) -> None:
    client = Client(tmp_path)
    handle = await client.round()
    long = {"who": {"action": "accept", "content": {"name": "A" * (70 << 10)}}}
    refused = await client.say(requestState=handle, inputResponses=long)
    assert decision_in(refused["result"])["kind"] == "pending"
    assert "identical call succeeds" in refused["result"]["content"][0]["text"]
    client.room.approve(tier=By.PERSON)
    assert (await client.say(requestState=handle, inputResponses=long))["result"]["resultType"] == "complete"
    assert client.calls[1]["inputResponses"] == long


async def test_answers_that_a_document_grants_by_name_come_back_with_the_accept(tmp_path: Path) -> None:
    extra = POLICY + "  - {id: more, extensions: {server: raw, allow: [inputResponses]}}\n"
    client = Client(tmp_path, extra, DONE)
    asked = await client.asked(inputResponses=ADA)
    assert (await client.accept(asked["requestState"]))["result"]["resultType"] == "complete"
    assert [call["inputResponses"] for call in client.calls] == [ADA]
    assert "requestState" not in client.calls[0]


async def test_in_the_handshake_era_the_client_is_asked_before_each_call_of_the_round(tmp_path: Path) -> None:
    server = Server(asking(who=question()), DONE)
    server.translated = True
    room = Room(tmp_path, POLICY, servers=[server])
    room.scene.gateway.session.capabilities = ABLE
    _, answer = await room.start(text="hi")
    replies: list[dict[str, Any]] = [ACCEPT[KEY], ADA["who"], ACCEPT[KEY]]
    for number, reply in enumerate(replies):
        await until(lambda wanted=number: len(room.scene.asked) > wanted)  # type: ignore[misc]
        room.scene.asked[number][2]({"result": reply})
    assert "error" not in await answer_of(answer)
    messages = [params["message"].splitlines()[0] for _, params, _ in room.scene.asked]
    assert messages == ["[mcp-guard] May raw/echo be called, once?", "[raw] Who?", messages[0]]
    assert server.calls[1]["inputResponses"] == ADA
    assert room.states() == ["used", "used"]
    assert room.verified() == []
