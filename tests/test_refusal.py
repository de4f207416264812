"""What a client is told instead of a result, and what it isn't; beside it the `_meta` that neither side may forge."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from mcp_guard import log, refusal
from mcp_guard.eras import Era, envelope, revision_of, strip_own_meta
from mcp_guard.model import Charge, Decision, Effect, Reason, RuleRef
from mcp_guard.patience import patiently

SECRETS = ("/home/u/policy.yaml", "hunter2", "other-rule", "17")
DENY = Decision(
    Effect.DENY,
    Reason.BUDGET_SPENT,
    rules=(
        RuleRef("policy", "small-transfers", Effect.ALLOW, "/home/u/policy.yaml", 17, 3),
        RuleRef("mandate", "other-rule", Effect.DENY, "/home/u/policy.yaml", 17, 3),
    ),
    charges=(Charge("policy/small-transfers", 17),),
    advice=("Ask for a new budget.",),
    permitted=("`amount` up to 100",),
    detail="hunter2 in /home/u/policy.yaml:17",
)


@pytest.mark.parametrize("era", [None, *Era])
def test_a_refused_call_is_a_result_for_the_model_with_the_decision_beside_it(era: Era | None) -> None:
    result = refusal.refused_call(DENY, "e1", era)["result"]
    text = result["content"][0]["text"]
    assert result["isError"] is True
    assert result.get("resultType") == ("complete" if era is Era.MODERN else None)
    assert "Ask for a new budget." in text
    assert "Permitted: `amount` up to 100." in text
    assert result["_meta"]["mcp-guard/decision"] == {
        "entry": "e1",
        "kind": "denied",
        "effect": "deny",
        "rule": "small-transfers",
        "reason": "budget_spent",
        "advice": "Ask for a new budget.",
        "permitted": ["`amount` up to 100"],
    }


@pytest.mark.parametrize("secret", SECRETS)
def test_no_refusal_tells_files_details_other_rules_or_what_is_left(secret: str) -> None:
    for answer in (refusal.refused_call(DENY, "e", Era.LEGACY), refusal.refused_request(DENY, "e")):
        assert secret not in json.dumps(answer)


def test_a_refused_request_of_another_method_is_an_error_with_the_decision_as_data() -> None:
    error = refusal.refused_request(DENY, "e1")["error"]
    assert error["code"] == refusal.REFUSED
    assert error["data"]["mcp-guard/decision"]["entry"] == "e1"


@pytest.mark.parametrize("era", [None, *Era])
def test_a_state_that_is_not_the_guards_is_wrong_params_and_not_a_result(era: Era | None) -> None:
    unknown = Decision(Effect.DENY, Reason.UNKNOWN_HANDLE)
    answers = [refusal.refused_call(unknown, "e1", era), refusal.refused_request(unknown, "e1")]
    assert [answer["error"]["code"] for answer in answers] == [-32602, -32602]
    assert answers[0]["error"]["data"]["mcp-guard/decision"]["reason"] == "unknown_handle"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_makes_a_refusal_that_says_whether_trying_again_can_help(reason: Reason) -> None:
    text = refusal.refusal_text(Decision(Effect.DENY, reason))
    assert text.startswith("Refused by policy: ")
    temporary = reason in (Reason.UNAVAILABLE, Reason.UNRECORDED, Reason.TOO_MANY)
    assert ("may work" in text) == temporary


def test_an_ask_that_nobody_could_answer_says_that_it_was_one() -> None:
    decision = Decision(Effect.ASK, Reason.NEEDS_APPROVAL)
    assert refusal.decision_meta(decision, None)["mcp-guard/decision"]["effect"] == "ask"


def test_a_detail_of_the_schema_becomes_a_sentence() -> None:
    assert "`n` is no" not in refusal.refusal_text(DENY)
    assert " The number is no number. " in refusal.refusal_text(DENY, "the number is no number")


@pytest.mark.parametrize("name", [None, 5, ["x"], "x" * 10_000])
def test_an_unknown_name_is_never_echoed_at_length(name: Any) -> None:
    for answer in (refusal.unknown_tool(name), refusal.unknown_prompt(name), refusal.unknown_resource(name)):
        assert len(json.dumps(answer)) < 700


@pytest.mark.parametrize("era", Era)
def test_what_may_have_happened_is_not_called_a_refusal(era: Era) -> None:
    withheld = refusal.withheld("e", "it can't be shown", era)["result"]
    assert "Refused" not in withheld["content"][0]["text"]
    assert withheld["_meta"]["mcp-guard/decision"]["kind"] == "withheld"
    unknown = refusal.unknown_outcome("e", "It ended.")["error"]
    assert "Refused" not in unknown["message"]
    assert unknown["data"]["mcp-guard/decision"]["kind"] == "unknown"


# --- `_meta` and eras


def test_the_guards_own_keys_are_taken_out_of_meta_and_nothing_else() -> None:
    given: dict[str, Any] = {"_meta": {"mcp-guard/decision": {"x": 1}, "mcp-guard/": 1, "a": 1}, "content": [1]}
    assert strip_own_meta(given) == {"content": [1], "_meta": {"a": 1}}
    assert strip_own_meta({"_meta": {"mcp-guard/x": 1}, "b": 2}) == {"b": 2}
    assert given["_meta"]["mcp-guard/"] == 1  # a copy was changed


@pytest.mark.parametrize("untouched", [{}, {"_meta": {}}, {"_meta": {"a": None}}, {"_meta": 5}, {"_meta": None}])
def test_what_has_no_key_of_the_guard_is_the_same_object(untouched: dict[str, Any]) -> None:
    assert strip_own_meta(untouched) is untouched


@pytest.mark.parametrize("params", [None, {}, {"_meta": None}, {"_meta": []}, {"_meta": "x"}, {"_meta": {"other": 1}}])
def test_a_legacy_request_names_no_revision_and_repeats_nothing(params: Any) -> None:
    assert revision_of(params) is None
    assert envelope(params) == {}


def test_a_request_for_a_client_repeats_who_it_is_and_nothing_else() -> None:
    prefix = "io.modelcontextprotocol/"
    meta = {f"{prefix}protocolVersion": "v", f"{prefix}clientInfo": {"name": "c"}, "progressToken": 1, "x": 2}
    assert envelope({"_meta": meta}) == {f"{prefix}protocolVersion": "v", f"{prefix}clientInfo": {"name": "c"}}


# --- what is said to the person, and patience with the record


class Closed:
    """A standard error whose other end is gone."""

    def isatty(self) -> bool:
        return False

    def write(self, _: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.fixture
def _fresh_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_logger", None)


@pytest.mark.usefixtures("_fresh_log")
@pytest.mark.parametrize("stderr", [Closed(), None])
async def test_a_step_that_fails_is_answered_although_nobody_reads_the_log(
    stderr: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    failed: list[str] = []
    patiently(lambda: 1 // 0, lambda: failed.append("yes"))  # type: ignore[arg-type]
    assert failed == ["yes"]


@pytest.mark.usefixtures("_fresh_log")
def test_text_from_a_server_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log.warning("odd", why="\x1b[2J\r\u202e\n" + "x" * 10_000)
    said = json.loads(capsys.readouterr().err)
    assert said["why"].startswith("\\x1b[2J\\x0d\\u202e\\x0ax")
    assert len(said["why"]) < 600
