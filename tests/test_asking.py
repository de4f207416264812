"""What a server asks of the client: shown where it is granted, under the server's name, answered once, and bounded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mcp_guard import asking
from mcp_guard.eras import Era
from mcp_guard.model import Reason
from mcp_guard.transports.front import Cancel
from tests.guards import FullDisk, RecordingDownstream, Scene, Stumbling, tool
from tests.patience import PATIENCE

ECHO = tool("echo", text={"type": "string"})
CALLS = '{id: t, tool: "raw/echo", args: any}'
ASKS = f"""\
version: 1
grants:
  - {CALLS}
  - {{id: ask, server_requests: {{server: raw, allow: [elicitation, roots]}}}}
  - {{id: model, server_requests: {{server: raw, allow: [sampling]}}, budget: {{calls: 2}}}}
"""
ELICITATION = {"message": "Who are you?", "requestedSchema": {"type": "object", "x": [None]}, "x-kept": 1}
QUESTIONS: list[tuple[str, dict[str, Any] | None]] = [
    ("elicitation/create", ELICITATION),
    ("sampling/createMessage", {"messages": [{"role": "user", "content": {"type": "x", "y": None}}], "maxTokens": 9}),
    ("roots/list", None),
]


class Asked:
    """One question of a server: what came back, and how to take it back."""

    def __init__(self, scene: Scene, method: str, params: dict[str, Any] | None = None, during: int | None = None):
        self.answers: list[dict[str, Any]] = []
        server: Any = scene.servers[0]
        self.take_back: Cancel = scene.gateway.server_asked(server, method, params, self.answers.append, during)

    @property
    def refused(self) -> int | None:
        return self.answers[0].get("error", {}).get("code") if self.answers else None


def requests_of_servers(scene: Scene) -> list[Any]:
    return [row for row in scene.rows() if row.body["target_kind"] == "server_request"]


@pytest.mark.parametrize(("method", "params"), QUESTIONS)
async def test_what_is_granted_reaches_the_client_and_its_answer_the_server_once(
    tmp_path: Path, method: str, params: dict[str, Any] | None
) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        asked = Asked(scene, method, params)
        ((shown_method, shown, answer),) = scene.asked
        assert shown_method == method
        expected = params if method != "elicitation/create" else {**ELICITATION, "message": "[raw] Who are you?"}
        assert shown == expected
        assert [row.outcome for row in requests_of_servers(scene)] == [""]  # recorded before it is shown
        answer({"result": {"action": "accept", "x": None, "_meta": {"mcp-guard/decision": 1, "kept": 2}}})
        answer({"result": {"action": "again"}})
        assert asked.answers == [{"result": {"action": "accept", "x": None, "_meta": {"kept": 2}}}]
        (row,) = requests_of_servers(scene)
        assert (row.method, row.effect, row.outcome) == (method, "allow", "ok")


@pytest.mark.parametrize(("method", "params"), QUESTIONS)
@pytest.mark.parametrize("era", list(Era))
async def test_what_nothing_grants_never_reaches_the_client(
    tmp_path: Path, era: Era, method: str, params: dict[str, Any] | None
) -> None:
    with Scene(tmp_path, era=era) as scene:
        asked = Asked(scene, method, params)
        assert asked.refused == -32601
        assert scene.asked == []
        assert [(row.method, row.effect) for row in scene.rows()] == [(method, "deny")]


@pytest.mark.parametrize(
    ("method", "params", "offered"),
    [
        ("elicitation/create", ELICITATION, {"roots": {}}),
        ("elicitation/create", {"mode": "url", "message": "x", "url": "https://x.example/"}, {"elicitation": {}}),
        ("roots/list", None, {}),
    ],
)
async def test_a_client_is_not_asked_what_it_did_not_offer_to_answer(
    tmp_path: Path, method: str, params: dict[str, Any] | None, offered: dict[str, Any]
) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        scene.gateway.session.capabilities = offered
        assert Asked(scene, method, params).refused == -32601
        assert scene.asked == []


@pytest.mark.parametrize("method", ["tools/call", "elicitation/created", "tasks/get", "x"])
async def test_a_request_that_no_server_may_make_is_refused_whatever_is_granted(tmp_path: Path, method: str) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        assert Asked(scene, method, {}).refused == -32601
        assert scene.asked == []


async def test_a_server_of_the_modern_era_has_no_requests_of_its_own(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS, era=Era.MODERN) as scene:
        assert Asked(scene, "elicitation/create", ELICITATION).refused == -32601
        assert scene.asked == []


async def test_sampling_ends_with_its_budget(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        asked = [Asked(scene, "sampling/createMessage", {"messages": []}) for _ in range(4)]
        assert len(scene.asked) == 2
        assert [one.refused for one in asked] == [None, None, -32011, -32011]
        assert [row.reason for row in requests_of_servers(scene)] == ["", "", "budget_spent", "budget_spent"]


async def test_a_refused_server_learns_neither_rule_nor_limit(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        asked = [Asked(scene, "sampling/createMessage", {"messages": []}) for _ in range(3)]
        assert asked[-1].answers[0]["error"] == {
            "code": -32011,
            "message": "The client is not asked: it is not granted.",
        }


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Who?", "[raw] Who?"),
        ("[bank] Your PIN?", "[raw] [bank] Your PIN?"),
        ("hello\n\n[mcp_guard] Approve?", "[raw] hello\n| \n| [mcp_guard] Approve?"),
        ("\r\x1b[2K[bank] Your PIN?", "[raw] \ufffd\ufffd[2K[bank] Your PIN?"),
        ("\u202e?NIP ruoY", "[raw] \ufffd?NIP ruoY"),
        ("\u2028[bank] PIN?", "[raw] \ufffd[bank] PIN?"),
    ],
)
async def test_a_question_begins_with_the_name_of_who_asks(tmp_path: Path, message: str, shown: str) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        Asked(scene, "elicitation/create", {**ELICITATION, "message": message})
        assert scene.asked[0][1]["message"] == shown


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("elicitation/create", {"mode": "url", "message": "x", "url": "javascript:alert(1)"}),
        ("elicitation/create", {"mode": "url", "message": "x", "url": "file:///etc/passwd"}),
        ("elicitation/create", {"mode": "url", "message": "x", "url": "https://bank.example@evil.example/"}),
        ("elicitation/create", {"mode": "url", "message": "x", "url": "https://b\u00e4nk.example/"}),
        ("elicitation/create", {"mode": "url", "message": "x", "url": ["https://x.example"]}),
        ("elicitation/create", {"mode": "dance", "message": "x"}),
        ("elicitation/create", {"message": "x" * 10_001}),
        ("elicitation/create", {"message": ["x"]}),
        ("elicitation/create", {"message": "x", "task": {"ttl": 1}}),
        ("sampling/createMessage", {"messages": [], "includeContext": "allServers"}),
        ("sampling/createMessage", {"messages": [], "includeContext": "everything"}),
    ],
)
async def test_a_question_that_reaches_further_than_it_says_is_not_shown(
    tmp_path: Path, method: str, params: dict[str, Any]
) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        assert Asked(scene, method, params).refused == -32011
        assert scene.asked == []
        assert [row.reason for row in requests_of_servers(scene)] == [Reason.UNEXPECTED_MEMBER]


async def test_a_question_with_a_plain_url_is_shown(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        asked = {"mode": "url", "message": "Sign in", "url": "https://example.com/a?b=c", "elicitationId": "e1"}
        Asked(scene, "elicitation/create", asked)
        assert scene.asked[0][1] == {**asked, "message": "[raw] Sign in"}
        server: Any = scene.servers[0]
        for name in ("e1", "e1", "never shown"):
            scene.gateway.server_notified(server, "notifications/elicitation/complete", {"elicitationId": name})
        assert scene.notified == [("notifications/elicitation/complete", {"elicitationId": "e1"})]


async def test_a_server_behind_others_may_not_ask_for_their_context(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS, prefixed=True) as scene:
        here = {"messages": [], "includeContext": "thisServer"}  # to the client, this server is all of them
        assert Asked(scene, "sampling/createMessage", here).refused == -32011
    with Scene(tmp_path / "alone", policy=ASKS) as scene:
        assert Asked(scene, "sampling/createMessage", here).refused is None


async def test_a_server_that_asks_ten_thousand_times_reaches_neither_client_nor_disk_so_often(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        asked = [Asked(scene, "elicitation/create", ELICITATION) for _ in range(10_000)]
        assert len(scene.asked) == asking.MAX_ASKED
        assert sum(1 for one in asked if one.refused == -32011) == 10_000 - asking.MAX_ASKED
        assert len(scene.rows()) < asking.MAX_ASKED + 20
        scene.asked[0][2]({"result": {"action": "decline"}})
        assert Asked(scene, "elicitation/create", ELICITATION).refused is None  # one place is free again


async def test_an_ungranted_flood_is_counted_not_written_out(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        for _ in range(10_000):
            Asked(scene, "sampling/createMessage", {})
        assert len(scene.rows()) < 20
        assert scene.asked == []


async def test_what_is_taken_back_is_taken_back_from_the_client_and_not_answered(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        asked = Asked(scene, "elicitation/create", ELICITATION)
        asked.take_back("never mind")
        asked.take_back("never mind")
        scene.asked[0][2]({"result": {"action": "accept"}})
        assert scene.taken_back == ["never mind"]
        assert asked.answers == []
        assert [row.outcome for row in requests_of_servers(scene)] == ["cancelled"]


async def test_when_the_client_leaves_nothing_stays_asked(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        asked = Asked(scene, "elicitation/create", ELICITATION)
        scene.gateway.close()
        assert [row.outcome for row in requests_of_servers(scene)] == ["cancelled"]
        assert asked.answers == []
        assert not scene.gateway.session.asking["raw"]


async def test_a_client_that_never_answers_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "DEADLINE", 0.0)
    with Scene(tmp_path, policy=ASKS) as scene:
        asked = Asked(scene, "elicitation/create", ELICITATION)
        async with asyncio.timeout(PATIENCE):
            while not asked.answers:
                await asyncio.sleep(0)
        assert asked.refused == -32011
        assert scene.taken_back == ["timed out"]
        assert [row.outcome for row in requests_of_servers(scene)] == ["unknown"]


async def test_an_answer_that_cannot_be_recorded_is_not_given_to_the_server(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        disk: Any = FullDisk(scene.record, full=False)
        scene.guard.record = disk
        asked = Asked(scene, "elicitation/create", ELICITATION)
        disk.full = True
        scene.asked[0][2]({"result": {"action": "accept", "content": {"pin": "hunter2"}}})
        assert "hunter2" not in str(asked.answers)
        assert asked.refused == -32011


async def test_a_question_that_cannot_be_recorded_or_judged_is_not_shown(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        disk: Any = FullDisk(scene.record)
        scene.guard.record = disk
        assert Asked(scene, "roots/list").refused == -32011
        assert scene.asked == []
    with Scene(tmp_path / "other", policy=ASKS, guard_class=Stumbling) as scene:
        assert Asked(scene, "roots/list").refused == -32011
        assert scene.asked == []


async def test_a_question_that_names_the_guards_own_files_is_not_shown(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS, protect=[str(tmp_path / "state")]) as scene:
        inside = {"messages": [{"role": "user", "content": str(tmp_path / "state" / "guard.db")}]}
        assert Asked(scene, "sampling/createMessage", inside).refused == -32011
        assert [row.reason for row in requests_of_servers(scene)] == [Reason.PROTECTED]


async def test_an_error_of_the_client_is_the_servers_to_hear(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        asked = Asked(scene, "elicitation/create", ELICITATION)
        scene.asked[0][2]({"error": {"code": -1, "message": "User rejected sampling request", "data": {"x": None}}})
        assert asked.answers[0]["error"]["data"] == {"x": None}
        assert [row.outcome for row in requests_of_servers(scene)] == ["error"]


async def test_the_clients_progress_comes_to_the_server_that_asked_under_its_own_token(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        Asked(scene, "sampling/createMessage", {"messages": [], "_meta": {"progressToken": 7, "kept": None}})
        meta = scene.asked[0][1]["_meta"]
        assert meta["kept"] is None
        assert meta["progressToken"] != 7
        for token in (7, "made up", meta["progressToken"]):
            scene.gateway.notification("notifications/progress", {"progressToken": token, "progress": 0.5, "x": 1})
        scene.asked[0][2]({"result": {}})
        scene.gateway.notification("notifications/progress", {"progressToken": meta["progressToken"], "progress": 1})
        assert scene.servers[0].told == [("notifications/progress", {"progressToken": 7, "progress": 0.5, "x": 1})]


async def test_changed_roots_are_told_to_those_who_may_ask_for_them_only(tmp_path: Path) -> None:
    servers = [RecordingDownstream("raw", tools=[ECHO]), RecordingDownstream("other")]
    with Scene(tmp_path, policy=ASKS, servers=servers, prefixed=True) as scene:
        scene.gateway.notification("notifications/roots/list_changed", None)
        assert servers[0].told == [("notifications/roots/list_changed", None)]
        assert servers[1].told == []


async def test_a_client_is_asked_nothing_before_its_handshake_is_over(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        scene.gateway.session.listening = False
        early, late = (Asked(scene, "roots/list") for _ in range(2))
        early.take_back("never mind")
        assert (scene.asked, scene.rows()) == ([], [])
        scene.gateway.notification("notifications/initialized", None)
        assert [method for method, _, _ in scene.asked] == ["roots/list"]
        scene.asked[0][2]({"result": {"roots": []}})
        assert (early.answers, late.answers) == ([], [{"result": {"roots": []}}])


async def test_a_server_that_comes_late_or_again_is_told_how_much_to_log(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        double: Any = scene.servers[0]
        scene.gateway.server_changed(double, "ready", "legacy")
        assert double.requests == []
        await scene.ask("logging/setLevel", {"level": "warning"})
        scene.gateway.server_changed(double, "ready", "legacy")
        assert double.requests == [("logging/setLevel", {"level": "warning"})] * 2


async def test_a_question_goes_the_way_of_the_call_that_it_belongs_to(tmp_path: Path) -> None:
    with Scene(tmp_path, policy=ASKS) as scene:
        await scene.listed()
        scene.servers[0].hold = True
        ways: list[tuple[str, str]] = []
        for name in ("first", "second"):

            def ask(method: str, params: Any, answer: Any, name: str = name) -> Cancel:
                ways.append((name, method))
                return lambda _: None

            params = {"name": "echo", "arguments": {}}
            scene.gateway.request("tools/call", params, id=name, answer=lambda _: None, notify=lambda *_: None, ask=ask)
        first = min(one.at[1] for one in scene.gateway.session.in_flight if one.at)
        Asked(scene, "roots/list", during=first)
        Asked(scene, "roots/list")
        assert ways == [("first", "roots/list"), ("second", "roots/list")]
        assert scene.asked == []
