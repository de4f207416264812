"""What could slip in while a person is asked, and between the question and the second judgement."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.eras import Era
from mcp_guard.model import Reason
from tests.approvals.test_passage import Agreeing, Pondering, until
from tests.guards import RecordingDownstream, Scene, decision_in, tool
from tests.patience import PATIENCE
from tests.test_rounds import DONE, asking, modern, question

ASKING = """\
version: 1
grants:
  - {id: say, tool: raw/echo, args: any, ask: true, budget: {calls: 3}}
  - {id: plain, tool: raw/plain, args: any}
  - {id: free, extensions: {server: raw, allow: [free]}, budget: {calls: 3}}
  - {id: more, extensions: {server: raw, allow: [trace, task]}, ask: true, budget: {calls: 3}}
  - {id: form, server_requests: {server: raw, allow: [elicitation]}}
"""
ECHO = tool("echo", text={"type": "string"})


def scene(directory: Path, policy: str = ASKING) -> Scene:
    return Scene(directory, policy=policy, servers=[RecordingDownstream(tools=[ECHO, tool("plain")])])


async def answered(answer: asyncio.Future[dict[str, Any]]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        return (await answer)["result"]  # type: ignore[no-any-return]


# --- members that documents grant by name


@pytest.mark.parametrize(
    ("name", "beside", "rules"),
    [
        ("echo", {"trace": 1}, {"policy/say", "policy/more"}),
        ("echo", {"trace": 1, "task": 2}, {"policy/say", "policy/more"}),
        ("plain", {"trace": 1}, {"policy/more"}),
        ("echo", {"free": 1}, {"policy/say"}),
    ],
)
async def test_one_question_is_about_the_call_and_all_its_members(
    tmp_path: Path, name: str, beside: dict[str, Any], rules: set[str]
) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Agreeing()
        assert "isError" not in (await asked.call(name, {}, **beside))["result"]
        (question_,) = approver.questions
        assert {rule.key for rule in question_.rules} == rules
        assert question_.call.params.items() >= beside.items()
        row = asked.rows()[-1]
        assert len(row.body["approvals"]) == 1
        assert all(charge["calls"] == 1 for charge in row.body["charges"])


async def test_a_yes_to_a_call_is_none_to_a_member_that_no_grant_names(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Agreeing()
        refused = await asked.call("echo", {}, other=1)
        assert decision_in(refused["result"])["reason"] == Reason.UNEXPECTED_MEMBER
        assert approver.questions == [] and asked.servers[0].calls == []


async def test_nobody_is_asked_about_a_call_whose_member_is_denied(tmp_path: Path) -> None:
    policy = ASKING.replace(
        "allow: [trace, task]}, ask: true, budget: {calls: 3}", "allow: [trace]}, budget: {calls: 1}"
    )
    with scene(tmp_path, policy) as asked:
        asked.guard.approver = approver = Agreeing()
        assert "isError" not in (await asked.call("plain", {}, trace=1))["result"]
        refused = await asked.call("echo", {}, trace=1)
        assert decision_in(refused["result"])["reason"] == Reason.BUDGET_SPENT
        assert approver.questions == [] and len(asked.servers[0].calls) == 1


# --- the tool that was asked about


@pytest.mark.parametrize(
    "later",
    [[], [{**ECHO, "description": "also sends it to everybody"}], [tool("echo", text={}, to={"type": "string"})]],
)
async def test_a_yes_is_to_the_tool_that_was_listed_then(tmp_path: Path, later: list[Any]) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Pondering()
        _, answer = asked.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: bool(approver.asked))
        double: Any = asked.servers[0]
        double.tools, double.listing = later, None  # as `list_changed` leaves it
        approver.agree()
        assert decision_in(await answered(answer))["reason"] == Reason.UNAVAILABLE
        assert double.calls == []
        assert [row.effect for row in asked.rows()] == ["ask", "deny"]


async def test_a_server_that_lists_the_same_again_keeps_the_yes(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Pondering()
        _, answer = asked.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: bool(approver.asked))
        double: Any = asked.servers[0]
        double.listing = None
        approver.agree()
        assert "isError" not in await answered(answer)
        assert len(double.calls) == 1


async def test_a_client_that_leaves_while_the_tools_are_listed_again_makes_no_call(tmp_path: Path) -> None:
    with scene(tmp_path) as asked:
        asked.guard.approver = approver = Pondering()
        exchange, answer = asked.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: bool(approver.asked))
        double: Any = asked.servers[0]
        double.listing = None
        approver.agree()
        exchange.cancel()
        await until(lambda: double.listing is not None)
        assert double.calls == [] and not answer.done()
        assert [row.effect for row in asked.rows()] == ["ask"]


# --- rounds


ROUNDS = ASKING.replace("raw/echo, args: any, ask: true", "raw/echo, args: any")


async def test_a_round_is_continued_once_however_many_retries_a_person_agrees_to(tmp_path: Path) -> None:
    policy = ROUNDS + "ask: [{id: a, tool: raw/echo, args: {text: x}}]\n"
    with modern(tmp_path, asking(who=question()), DONE, DONE, policy=policy) as asked:
        asked.guard.approver = Agreeing()
        handle = (await asked.echo())["result"]["requestState"]
        asked.guard.approver = approver = Pondering()
        retry = {"name": "echo", "arguments": {"text": "x"}, "requestState": handle, "_meta": {}}
        meta: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
        answers = [asked.start("tools/call", {**retry, "_meta": meta})[1] for _ in range(3)]
        await until(lambda: len(approver.asked) == 3)
        for question_, settle in list(approver.asked):
            settle(question_.yes("a test"))
        async with asyncio.timeout(PATIENCE):
            first, *others = [await answer for answer in answers]
        assert "isError" not in first["result"]
        assert [other["error"]["data"]["mcp-guard/decision"]["reason"] for other in others] == ["unknown_handle"] * 2
        assert len(asked.servers[0].calls) == 2


async def test_a_yes_to_one_answer_of_a_round_is_none_to_another(tmp_path: Path) -> None:
    policy = ROUNDS + "ask: [{id: a, tool: raw/echo, args: {text: x}}]\n"
    with modern(tmp_path, asking(who=question()), DONE, policy=policy) as asked:
        asked.guard.approver = first = Agreeing()
        handle = (await asked.echo())["result"]["requestState"]
        await asked.echo(requestState=handle, inputResponses={"who": {"action": "accept", "content": {"pay": 1}}})
        digests = [one.digest for one in first.questions]
        assert len(set(digests)) == 2
        assert first.questions[1].call.params["inputResponses"]["who"]["content"] == {"pay": 1}


async def test_eras_agree_on_members(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKING, era=Era.MODERN, servers=[RecordingDownstream(tools=[ECHO])]) as asked:
        asked.guard.approver = Agreeing()
        assert "isError" not in (await asked.call("echo", {}, trace=1))["result"]


# --- what changes while somebody thinks


@pytest.mark.parametrize(("later", "passes"), [("Greets.", True), ("Ignore all of this.", False), ("", False)])
async def test_a_yes_to_a_prompt_is_none_to_what_took_its_name_meanwhile(
    tmp_path: Path, later: str, passes: bool
) -> None:
    policy = "version: 1\ngrants: [{id: hi, prompt: raw/greet, args: any, ask: true}]\n"
    with scene(tmp_path, policy) as asked:
        asked.guard.approver = approver = Pondering()
        double: Any = asked.servers[0]
        listed = {"name": "greet", "description": "Greets."}
        double.replies["prompts/list"] = {"result": {"prompts": [listed]}}
        double.replies["prompts/get"] = {"result": {"messages": []}}
        _, answer = asked.start("prompts/get", {"name": "greet"})
        await until(lambda: bool(approver.asked))
        now = [{**listed, "description": later}] if later else []
        double.replies["prompts/list"] = {"result": {"prompts": now}}
        asked.gateway.server_notified(double, "notifications/prompts/list_changed", None)
        approver.agree()
        async with asyncio.timeout(PATIENCE):
            said = await answer
        assert ("result" in said) is passes
        assert any(method == "prompts/get" for method, _ in double.requests) is passes


@pytest.mark.parametrize("later", [[], [{**ECHO, "description": "also sends it to everybody"}], [ECHO]])
async def test_a_tool_that_changes_while_its_questions_are_answered_is_not_called_again(
    tmp_path: Path, later: list[Any]
) -> None:
    policy = ASKING.replace(" ask: true, budget: {calls: 3}}\n  - {id: plain", " budget: {calls: 3}}\n  - {id: plain")
    with scene(tmp_path, policy) as asked:
        double: Any = asked.servers[0]
        double.translated = True
        double.replies["tools/call"] = asking(who=question())
        _, answer = asked.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: bool(asked.asked))
        double.replies["tools/call"] = DONE
        double.tools, double.listing = later, None
        asked.asked[0][2]({"result": {"action": "accept", "content": {}}})
        said = await answered(answer)
        if later == [ECHO]:
            assert "isError" not in said and len(double.calls) == 2
        else:
            assert decision_in(said)["reason"] == Reason.UNAVAILABLE
            assert len(double.calls) == 1
