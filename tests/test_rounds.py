"""Calls of several rounds: questions are shown where they are granted, and a retry continues its own call only."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import answers
from mcp_guard.eras import Era
from mcp_guard.model import Reason
from tests.guards import FullDisk, RecordingDownstream, Scene, decision_in, tool

ECHO = tool("echo", text={"type": "string"})
STATE = '{"step": 1,  "é": "\\u0000"} '  # opaque: its bytes come back as they were
FORM = {"message": "Who?", "requestedSchema": {"type": "object"}, "x-kept": None}
CAPABILITIES: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
META = {"io.modelcontextprotocol/clientCapabilities": CAPABILITIES}
POLICY = """\
version: 1
grants:
  - {id: t, tool: ["raw/echo", "raw/other"], args: any}
  - {id: p, prompt: raw/greet, args: any}
  - {id: r, resource: {server: raw, uri: any}}
  - {id: ask, server_requests: {server: raw, allow: [elicitation]}}
  - {id: model, server_requests: {server: raw, allow: [sampling]}, budget: {calls: 2}}
"""


DONE: dict[str, Any] = {"result": {"content": [], "contents": [], "messages": [], "resultType": "complete"}}


def question(method: str = "elicitation/create", **params: Any) -> dict[str, Any]:
    return {"method": method, "params": params or FORM, "x-kept": 1}


def asking(state: Any = STATE, **questions: Any) -> dict[str, Any]:
    result: dict[str, Any] = {"resultType": "input_required", "inputRequests": questions, "x-kept": None}
    if state is not None:
        result["requestState"] = state
    return {"result": result}


class Server(RecordingDownstream):
    """Asks by script, round after round, then answers."""

    def __init__(self, *script: dict[str, Any], name: str = "raw") -> None:
        super().__init__(name, [ECHO, tool("other")])
        self.script = list(script)
        for method in answers.ROUND_METHODS:
            self.replies[method] = self._next

    def _next(self, params: dict[str, Any]) -> dict[str, Any]:
        return self.script.pop(0) if self.script else DONE


class Modern(Scene):
    """A scene whose client offers everything that it can be asked for."""

    def __enter__(self) -> Modern:
        return self

    async def tell(self, method: str, **params: Any) -> dict[str, Any]:
        return await self.ask(method, {"_meta": META, **params})

    async def echo(self, text: str = "x", **beside: Any) -> dict[str, Any]:
        return await self.tell("tools/call", name="echo", arguments={"text": text}, **beside)


def modern(path: Path, *script: dict[str, Any], policy: str = POLICY, **options: Any) -> Modern:
    return Modern(path, policy=policy, era=Era.MODERN, servers=[Server(*script)], **options)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "echo", "arguments": {"text": "x"}}),
        ("prompts/get", {"name": "greet", "arguments": {}}),
        ("resources/read", {"uri": "fixture://notes/1"}),
    ],
)
async def test_a_call_of_two_rounds_comes_to_its_end(tmp_path: Path, method: str, params: dict[str, Any]) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        asked = (await scene.tell(method, **params))["result"]
        handle = asked.pop("requestState")
        assert STATE not in handle
        shown = {"who": {"method": "elicitation/create", "params": {**FORM, "message": "[raw] Who?"}, "x-kept": 1}}
        assert asked == {"resultType": "input_required", "inputRequests": shown, "x-kept": None}
        answers = {"who": {"action": "accept", "content": {"name": "Ada"}, "x-kept": None}}
        done = await scene.tell(method, **params, inputResponses=answers, requestState=handle)
        assert done["result"]["resultType"] == "complete"
        first, second = [sent for made, sent in scene.servers[0].requests if made == method]
        assert second.pop("requestState") == STATE
        assert second.pop("inputResponses") == answers
        assert first == second
        rows = [(row.method, row.effect, row.outcome) for row in scene.rows()]
        assert rows == [(method, "allow", "ok"), ("elicitation/create", "allow", "ok"), (method, "allow", "ok")]
        assert scene.rows()[2].detail == f"continues {scene.rows()[0].id}"


async def test_the_answers_are_in_what_is_judged_and_recorded(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question()), DONE, asking(who=question()), DONE) as scene:
        digests = []
        for content in ("a", "b"):
            handle = (await scene.echo())["result"]["requestState"]
            await scene.echo(inputResponses={"who": {"content": content}}, requestState=handle)
            digests.append([row.body["digest"] for row in scene.rows() if row.method == "tools/call"][-1])
        assert digests[0] != digests[1]


async def test_several_rounds_each_have_a_handle_of_their_own(tmp_path: Path) -> None:
    with modern(tmp_path, asking(a=question()), asking("second", b=question()), asking(None, c=question())) as scene:
        held: dict[str, Any] = {}
        handles = []
        for key in ("a", "b", "c"):
            result = (await scene.echo(**held))["result"]
            assert list(result["inputRequests"]) == [key]
            handles.append(result["requestState"])
            held = {"inputResponses": {key: {"action": "decline"}}, "requestState": result["requestState"]}
        assert (await scene.echo(**held))["result"]["resultType"] == "complete"
        assert len(set(handles)) == 3
        assert [call.get("requestState") for call in scene.servers[0].calls] == [None, STATE, "second", None]


async def test_a_server_may_ask_for_a_retry_alone(tmp_path: Path) -> None:
    later = {"result": {"resultType": "input_required", "requestState": STATE}}
    with modern(tmp_path, later) as scene:
        handle = (await scene.echo())["result"]["requestState"]
        assert (await scene.echo(requestState=handle))["result"]["resultType"] == "complete"
        assert scene.servers[0].calls[1]["requestState"] == STATE


# --- what continues no round


def rejected(answer: dict[str, Any]) -> bool:
    """Answered as the protocol has it for a state that fails verification, with the decision beside it."""
    error = answer.get("error", {})
    return bool(error.get("code") == -32602 and decision_in(error)["reason"] == Reason.UNKNOWN_HANDLE)


async def refused(scene: Modern, answer: dict[str, Any], calls: int) -> None:
    assert rejected(answer)
    assert len(scene.servers[0].calls) == calls
    assert (scene.rows()[-1].effect, scene.rows()[-1].reason) == ("deny", Reason.UNKNOWN_HANDLE)
    assert decision_in(answer["error"])["entry"] == scene.rows()[-1].id


@pytest.mark.parametrize("state", [STATE, "", "g1.e30.x", "x" * 200_000, None, 5, [STATE], {"a": 1}])
async def test_a_state_that_the_guard_did_not_give_out_never_reaches_the_server(tmp_path: Path, state: Any) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        await scene.echo()
        await refused(scene, await scene.echo(inputResponses={"who": {}}, requestState=state), 1)


@pytest.mark.parametrize("answers", [{"who": {}}, {}, {"who": 12345}, [], None])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "echo", "arguments": {"text": "x"}}),
        ("prompts/get", {"name": "greet", "arguments": {}}),
        ("resources/read", {"uri": "fixture://notes/1"}),
    ],
)
async def test_answers_without_a_state_continue_nothing(
    tmp_path: Path, method: str, params: dict[str, Any], answers: Any
) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        await scene.tell(method, **params)  # also where the very question is open
        await refused(scene, await scene.tell(method, **params, inputResponses=answers), len(scene.servers[0].calls))
        assert [sent for made, sent in scene.servers[0].requests if "inputResponses" in sent] == []


ANSWERS_GRANTED = POLICY + "  - {id: unasked, extensions: {server: raw, allow: [inputResponses]}, budget: {calls: 2}}\n"


@pytest.mark.parametrize("answers", [{"who": {}, "other": {}}, {}, {"who": 12345}, [], None])
async def test_answers_without_a_state_pass_uninspected_where_a_document_names_them(
    tmp_path: Path, answers: Any
) -> None:
    with modern(tmp_path, asking(who=question()), policy=ANSWERS_GRANTED) as scene:
        assert list((await scene.echo(inputResponses=answers))["result"]["inputRequests"]) == ["who"]
        (sent,) = scene.servers[0].calls
        assert sent["inputResponses"] == answers
        row = next(row for row in scene.rows() if row.method == "tools/call")
        assert row.detail == "not inspected: inputResponses"
        assert set(row.rules) == {"policy/t", "policy/unasked"}


async def test_answers_that_a_document_names_are_charged_and_open_no_call(tmp_path: Path) -> None:
    policy = ANSWERS_GRANTED.replace("args: any}", "args: {text: x}}", 1)
    with modern(tmp_path, policy=policy) as scene:
        answer = await scene.echo("y", inputResponses={})
        assert decision_in(answer["result"])["reason"] == Reason.NO_GRANT
        first, second, third = [(await scene.echo(inputResponses={}))["result"] for _ in range(3)]
        assert "isError" not in first and "isError" not in second
        assert decision_in(third)["reason"] == Reason.BUDGET_SPENT
        assert len(scene.servers[0].calls) == 2


async def test_a_state_is_the_guards_own_whatever_else_a_document_names(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question()), policy=ANSWERS_GRANTED) as scene:
        handle = (await scene.echo())["result"]["requestState"]
        for held in ({"requestState": STATE}, {"requestState": None}, {"requestState": handle + "x"}):
            await refused(scene, await scene.echo(inputResponses={"who": {}}, **held), 1)
        await refused(scene, await scene.echo(inputResponses={"other": {}}, requestState=handle), 1)
        done = await scene.echo(inputResponses={"who": {}}, requestState=handle)
        assert done["result"]["resultType"] == "complete"
        assert scene.servers[0].calls[1]["requestState"] == STATE
        assert "unasked" not in str(scene.rows()[-1].rules)  # what the guard knows needs no grant of it


async def test_a_state_is_good_for_one_retry(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        handle = (await scene.echo())["result"]["requestState"]
        await scene.echo(inputResponses={"who": {}}, requestState=handle)
        await refused(scene, await scene.echo(inputResponses={"who": {}}, requestState=handle), 2)


async def test_a_retry_of_which_no_byte_left_uses_nothing_up(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        retry = {"inputResponses": {"who": {}}, "requestState": (await scene.echo())["result"]["requestState"]}
        scene.servers[0].gone = True
        answer = await scene.echo(**retry)
        assert decision_in(answer["result"])["reason"] == Reason.UNAVAILABLE
        scene.servers[0].gone = False
        assert "isError" not in (await scene.echo(**retry))["result"]


async def test_of_two_retries_at_once_one_reaches_the_server(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        handle = (await scene.echo())["result"]["requestState"]
        both = [scene.echo(inputResponses={"who": {}}, requestState=handle) for _ in range(2)]
        answers = await asyncio.gather(*both)
        assert sorted(rejected(answer) for answer in answers) == [False, True]
        assert len(scene.servers[0].calls) == 2


async def test_a_state_continues_no_other_call(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        handle = (await scene.echo("x"))["result"]["requestState"]
        retry = {"inputResponses": {"who": {}}, "requestState": handle}
        await refused(scene, await scene.echo("y", **retry), 1)
        await refused(scene, await scene.tell("tools/call", name="other", arguments={"text": "x"}, **retry), 1)
        await refused(scene, await scene.tell("resources/read", uri="echo", **retry), 1)
        assert "isError" not in (await scene.echo("x", **retry))["result"]  # a refusal uses nothing up


async def test_a_state_is_nobody_elses(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        handle = (await scene.echo())["result"]["requestState"]
        scene.gateway.session.principal = "local:mallory"
        await refused(scene, await scene.echo(inputResponses={"who": {}}, requestState=handle), 1)


async def test_a_state_is_of_one_server(tmp_path: Path) -> None:
    policy = POLICY.replace('["raw/echo", "raw/other"]', "[a/echo, b/echo]").replace("server: raw", "server: a")
    servers: list[RecordingDownstream] = [Server(asking(who=question()), name="a"), Server(name="b")]
    with Modern(tmp_path, policy=policy, era=Era.MODERN, servers=servers, prefixed=True) as scene:
        handle = (await scene.tell("tools/call", name="a__echo", arguments={}))["result"]["requestState"]
        retry = {"arguments": {}, "inputResponses": {"who": {}}, "requestState": handle}
        answer = await scene.tell("tools/call", name="b__echo", **retry)
        assert rejected(answer)
        assert servers[1].calls == []
        assert "isError" not in (await scene.tell("tools/call", name="a__echo", **retry))["result"]


async def test_a_state_ends_with_the_documents_that_judged_its_call(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        handle = (await scene.echo())["result"]["requestState"]
        scene.guard.authority_digest = "another"
        await refused(scene, await scene.echo(inputResponses={"who": {}}, requestState=handle), 1)


@pytest.mark.parametrize("answers", [{"other": {}}, {"who": {}, "other": {}}, [], "who", None])
async def test_answers_to_what_was_not_asked_are_refused(tmp_path: Path, answers: Any) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        handle = (await scene.echo())["result"]["requestState"]
        await refused(scene, await scene.echo(inputResponses=answers, requestState=handle), 1)


async def test_a_retry_is_judged_and_charged_like_any_call(tmp_path: Path) -> None:
    policy = POLICY.replace("args: any}\n", "args: any, budget: {calls: 1}}\n", 1)
    with modern(tmp_path, asking(who=question()), policy=policy) as scene:
        handle = (await scene.echo())["result"]["requestState"]
        answer = await scene.echo(inputResponses={"who": {}}, requestState=handle)
        assert decision_in(answer["result"])["reason"] == Reason.BUDGET_SPENT
        assert len(scene.servers[0].calls) == 1


async def test_in_the_legacy_era_there_are_no_rounds(tmp_path: Path) -> None:
    servers: list[RecordingDownstream] = [Server(asking(who=question()))]
    with Scene(tmp_path, policy=POLICY, servers=servers) as scene:
        assert decision_in((await scene.call("echo"))["result"])["kind"] == "withheld"
        answer = await scene.call("echo", requestState="x")
        assert decision_in(answer["result"])["reason"] == Reason.UNEXPECTED_MEMBER


# --- what is asked


@pytest.mark.parametrize(
    "questions",
    [
        {"a": question("roots/list")},
        {"a": question(), "b": question("roots/list")},
        {"a": question("tools/call")},
        {"a": question(mode="url", message="x", url="javascript:x")},
        {"a": question("sampling/createMessage", messages=[], includeContext="allServers")},
        {"a": {"params": {}}},
        {"a": {"method": "elicitation/create", "params": []}},
        {"a": "x"},
        [question()],
        {str(number): question() for number in range(answers.MAX_QUESTIONS + 1)},
    ],
)
async def test_an_answer_with_a_question_that_nothing_grants_is_withheld_whole(tmp_path: Path, questions: Any) -> None:
    with modern(tmp_path, {"result": {"resultType": "input_required", "inputRequests": questions}}) as scene:
        answer = await scene.echo()
        assert decision_in(answer["result"])["kind"] == "withheld"
        assert "Who?" not in json.dumps(answer)
        assert [row.outcome for row in scene.rows() if row.method == "tools/call"] == ["withheld"]


@pytest.mark.parametrize("state", [5, ["x"], "x" * (64 << 10)])
async def test_a_state_that_cannot_be_carried_is_withheld(tmp_path: Path, state: Any) -> None:
    with modern(tmp_path, asking(state, who=question())) as scene:
        assert decision_in((await scene.echo())["result"])["kind"] == "withheld"


async def test_a_client_that_offers_forms_is_not_sent_to_a_url(tmp_path: Path) -> None:
    asked = question(mode="url", message="x", url="https://example.com/")
    with modern(tmp_path, asking(who=asked), asking(who=asked)) as scene:
        assert "inputRequests" in (await scene.echo())["result"]
        forms: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
        answer = await scene.ask("tools/call", {"name": "echo", "arguments": {"text": "x"}, "_meta": forms})
        assert decision_in(answer["result"])["kind"] == "withheld"


async def test_a_question_that_the_client_did_not_offer_to_answer_is_not_shown(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        answer = await scene.call("echo", {"text": "x"})
        assert decision_in(answer["result"])["kind"] == "withheld"


async def test_questions_are_charged_when_they_are_shown_and_only_then(tmp_path: Path) -> None:
    sampling = question("sampling/createMessage", messages=[])
    script = [asking(a=sampling, b=question("roots/list")), asking(a=sampling, b=sampling), asking(a=sampling)]
    with modern(tmp_path, *script) as scene:
        kinds = [(await scene.echo())["result"] for _ in range(3)]
        assert ["inputRequests" in result for result in kinds] == [False, True, False]
        asked = [row for row in scene.rows() if row.method == "sampling/createMessage"]
        assert [row.outcome for row in asked] == ["not_sent", "ok", "ok", ""]
        assert asked[-1].reason == Reason.BUDGET_SPENT


async def test_a_server_is_told_what_it_may_ask_and_no_more(tmp_path: Path) -> None:
    with modern(tmp_path) as scene:
        await scene.echo()
        (call,) = scene.servers[0].calls
        granted = {name: CAPABILITIES[name] for name in ("elicitation", "sampling")}
        assert call["_meta"]["io.modelcontextprotocol/clientCapabilities"] == granted


async def test_questions_that_cannot_be_recorded_are_not_shown(tmp_path: Path) -> None:
    with modern(tmp_path, asking(who=question())) as scene:
        await scene.listed()
        disk: Any = FullDisk(scene.record, full=False)
        scene.guard.record = disk

        def fill_up(_: Any) -> dict[str, Any]:
            disk.full = True
            return asking(who=question())

        scene.servers[0].replies["tools/call"] = fill_up
        answer = await scene.echo()
        assert decision_in(answer["result"])["kind"] == "withheld"
        assert "Who?" not in json.dumps(answer)


@pytest.mark.parametrize("era", list(Era))
@pytest.mark.parametrize("granted", [True, False])
async def test_an_error_that_makes_a_client_open_urls_is_judged_as_what_it_asks(
    tmp_path: Path, era: Era, granted: bool
) -> None:
    policy = POLICY if granted else POLICY.replace("[elicitation]", "[roots]")
    one = {"mode": "url", "message": "Sign in", "url": "https://example.com/", "elicitationId": "e"}
    failing = {"error": {"code": -32042, "message": "first sign in", "data": {"elicitations": [one], "x": None}}}
    servers: list[RecordingDownstream] = [Server(failing)]
    with Modern(tmp_path, policy=policy, era=era, servers=servers) as scene:
        answer = await scene.echo()
        if granted:
            assert answer["error"]["data"] == {"elicitations": [{**one, "message": "[raw] Sign in"}], "x": None}
        else:
            assert decision_in(answer["result"])["kind"] == "withheld"
            assert "example.com" not in json.dumps(answer)
