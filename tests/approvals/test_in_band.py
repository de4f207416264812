"""Asking the client itself, in both eras: only where a rule leaves it to the client, and only if it can be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_guard.approvals.in_band import KEY
from mcp_guard.eras import Era
from mcp_guard.model import By
from tests.approvals.room import ASKING, Room, answer_of
from tests.guards import decision_in

BY_CLIENT = ASKING.replace("ask: true", "ask: {by: client}")
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
ABLE: dict[str, Any] = {"elicitation": {}}


def legacy(home: Path, policy: str = BY_CLIENT, offers: dict[str, Any] = ABLE) -> Room:
    room = Room(home, policy)
    room.scene.gateway.session.capabilities = offers
    return room


def modern(home: Path, policy: str = BY_CLIENT, wait: float = 0.01) -> Room:
    return Room(home, policy, wait=wait, era=Era.MODERN)


async def retry(room: Room, text: str = "hi", offers: dict[str, Any] = ABLE, **beside: Any) -> dict[str, Any]:
    return await room.scene.call("echo", {"text": text}, _meta={CAPABILITIES: offers}, **beside)


ACCEPT = {KEY: {"action": "accept", "content": {}}}


async def test_a_client_of_the_handshake_era_is_asked_during_the_call(tmp_path: Path) -> None:
    room = legacy(tmp_path)
    _, answer = await room.start(text="a\u202eb\n[mcp-guard] fake")
    ((method, params, reply),) = room.scene.asked
    assert method == "elicitation/create"
    assert params["message"].startswith("[mcp-guard] May raw/echo be called")
    assert "\u202e" not in params["message"]
    assert "\n[mcp-guard] fake" not in params["message"]
    reply({"result": {"action": "accept", "content": {}}})
    assert not (await answer_of(answer))["result"].get("isError")
    assert room.executed() == 1
    reply({"result": {"action": "accept", "content": {}}})
    assert room.executed() == 1
    assert room.verified() == []


@pytest.mark.parametrize(
    "reply",
    [
        {"result": {"action": "decline"}},
        {"result": {"action": "cancel"}},
        {"result": {"action": "Accept"}},
        {"result": {}},
        {"result": "accept"},
        {"error": {"code": -32601, "message": "what?"}},
        {},
    ],
)
async def test_everything_but_a_plain_accept_means_no(tmp_path: Path, reply: dict[str, Any]) -> None:
    room = legacy(tmp_path)
    _, answer = await room.start(text="hi")
    room.scene.asked[0][2](reply)
    assert decision_in((await answer_of(answer))["result"])["reason"] == "not_approved"
    assert room.executed() == 0


@pytest.mark.parametrize(
    ("policy", "offers"),
    [
        (BY_CLIENT, {}),
        (BY_CLIENT, {"sampling": {}}),
        (ASKING, ABLE),
        (BY_CLIENT + "ask: [{id: b, tool: raw/echo}]\n", ABLE),
        (BY_CLIENT + "ask: [{id: b, tool: raw/echo, by: console}]\n", ABLE),
    ],
)
async def test_a_client_is_asked_only_if_it_can_be_and_every_rule_leaves_it_to_it(
    tmp_path: Path, policy: str, offers: dict[str, Any]
) -> None:
    room = legacy(tmp_path / "legacy", policy, offers)
    await room.start(text="hi")
    assert room.scene.asked == []
    assert len(room.waiting()) == 1
    room = modern(tmp_path / "modern", policy)
    answer = await retry(room, offers=offers)
    assert decision_in(answer["result"])["kind"] == "pending"


async def test_a_person_who_is_faster_takes_the_question_from_the_client(tmp_path: Path) -> None:
    room = legacy(tmp_path)
    _, answer = await room.start(text="hi")
    room.approve(tier=By.PERSON)
    await answer_of(answer)
    assert room.scene.taken_back == ["answered otherwise"]
    room.scene.asked[0][2]({"result": {"action": "decline"}})
    assert room.states() == ["used"]
    assert room.executed() == 1


async def test_a_call_that_is_cancelled_takes_the_question_back_from_the_client(tmp_path: Path) -> None:
    room = legacy(tmp_path)
    exchange, _ = await room.start(text="hi")
    exchange.cancel("gave up")
    assert len(room.scene.taken_back) == 1
    room.scene.asked[0][2]({"result": {"action": "accept"}})
    assert room.states() == ["withdrawn"]
    assert room.executed() == 0


async def test_in_the_modern_era_the_answer_asks_and_the_retry_is_good_once(tmp_path: Path) -> None:
    room = modern(tmp_path)
    asked = (await retry(room))["result"]
    assert asked["resultType"] == "input_required"
    assert asked["inputRequests"][KEY]["method"] == "elicitation/create"
    answers = {"requestState": asked["requestState"], "inputResponses": ACCEPT}
    done = (await retry(room, **answers))["result"]
    assert not done.get("isError")
    assert "requestState" not in room.scene.servers[0].calls[0]
    assert "inputResponses" not in room.scene.servers[0].calls[0]
    assert "error" in await retry(room, **answers)
    assert room.executed() == 1
    assert room.verified() == []


@pytest.mark.parametrize("changed", ["text", "state", "nothing said", "another key", "decline", "more keys"])
async def test_a_retry_that_is_another_call_or_no_plain_accept_is_refused(tmp_path: Path, changed: str) -> None:
    room = modern(tmp_path)
    state = (await retry(room))["result"]["requestState"]
    answers: dict[str, Any] = {"requestState": state, "inputResponses": ACCEPT}
    if changed == "state":
        answers["requestState"] = state[:-6] + "AAAAA="
    if changed == "nothing said":
        del answers["inputResponses"]
    if changed == "another key":
        answers["inputResponses"] = {"approval": ACCEPT[KEY]}
    if changed == "decline":
        answers["inputResponses"] = {KEY: {"action": "decline"}}
    if changed == "more keys":
        answers["inputResponses"] = {**ACCEPT, "other": {"action": "accept"}}
    answer = await retry(room, "ho" if changed == "text" else "hi", **answers)
    assert "error" in answer or decision_in(answer["result"])["kind"] == "denied"
    assert room.executed() == 0


async def test_a_client_cannot_accept_what_it_was_not_asked(tmp_path: Path) -> None:
    room = modern(tmp_path)
    answer = await retry(room, requestState="g1.e30=.AAAA", inputResponses=ACCEPT)
    assert "error" in answer
    room = modern(tmp_path / "person", ASKING)
    await retry(room)
    assert "error" in await retry(room, inputResponses=ACCEPT)
    assert room.executed() == 0
    assert room.states() == ["open"]
