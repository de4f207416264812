"""A candidate is judged beside the policy in force: what it would have said is recorded, and nothing goes by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from mcp_guard.candidate import Candidate
from mcp_guard.model import Approval, Call, Decision, Effect, Facts, Reason
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.record.events import events
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.shown import why
from mcp_guard.record.values import Reader, Values
from mcp_guard.report.making import make
from tests.guards import RecordingDownstream, Scene, Stand, decision_in, tool

POLICY = "version: 1\ngrants: [{id: say, tool: raw/echo, args: {text: {max_length: %d}}}]\n"
NARROW, WIDE = (load_text((POLICY % size).encode(), file="c.yaml", kind="policy") for size in (3, 9))


class Raising:
    """Documents that can't be judged by."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError("a secret in an exception: hunter2")


def scene(directory: Path, policy: str, candidate: Candidate) -> Scene:
    made = Scene(directory, policy, [RecordingDownstream(tools=[tool("echo", text={"type": "string"})])])
    made.guard.candidate = candidate
    return made


@pytest.mark.parametrize(
    ("in_force", "candidate", "said"),
    [(9, NARROW, [None, "deny"]), (3, WIDE, [None, "allow"]), (9, WIDE, [None, None])],
)
async def test_the_difference_is_recorded_and_the_decision_stays(
    tmp_path: Path, in_force: int, candidate: Any, said: list[str | None]
) -> None:
    with scene(tmp_path, POLICY % in_force, Candidate(Authority((candidate,)))) as played:
        answers = [await played.call("echo", {"text": text}) for text in ("x", "longer")]
        decisions = [row for row in played.rows() if row.method == "tools/call"]
    assert ["content" in one["result"] and not one["result"].get("isError") for one in answers] == [True, in_force == 9]
    assert [(row.body.get("candidate") or {}).get("effect") for row in decisions] == said
    assert ("candidate: " in why(decisions[1])) == (said[1] is not None)
    with open_for_reading(tmp_path / "state") as query:
        beside = make(events(query.entries(Filter()))).beside
    assert [(one.name, one.candidate, one.count, one.looser) for one in beside] == [
        ("raw/echo", effect, 1, effect == "allow") for effect in said if effect is not None
    ]


async def test_a_candidate_that_fails_fails_alone(tmp_path: Path) -> None:
    with scene(tmp_path, POLICY % 9, Candidate(cast("Any", Raising()))) as played:
        answer = await played.call("echo", {"text": "x"})
        (row,) = (row for row in played.rows() if row.method == "tools/call")
    assert not answer["result"].get("isError")
    assert row.body["candidate"] == {"effect": "deny", "reason": "ZeroDivisionError", "rules": []}


async def test_a_client_is_told_nothing_of_a_candidate(tmp_path: Path) -> None:
    with scene(tmp_path, POLICY % 3, Candidate(Authority((WIDE,)))) as played:
        answer = await played.call("echo", {"text": "longer"})
    assert "candidate" not in str(decision_in(answer["result"]))


def test_what_no_policy_changes_and_what_a_person_agreed_to_are_no_difference() -> None:
    class Never:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    facts: Facts = Never()
    call = Call("me", "tools/call", "raw", "echo", {"arguments": {"text": "x"}})
    candidate = Candidate(Authority((NARROW,)))
    for reason in (Reason.PROTECTED, Reason.STOPPED, Reason.INVALID_ARGUMENTS):
        assert candidate.beside(Decision(Effect.DENY, reason), call, facts) is None
    asking = load_text(
        b"version: 1\ngrants: [{id: say, tool: raw/echo, args: any, ask: true}]", file="c.yaml", kind="policy"
    )
    agreed = Decision(Effect.ALLOW, approvals=(Approval("d", frozenset(), "a", "me", "e"),))
    assert Candidate(Authority((asking,))).beside(agreed, call, facts) is None


async def test_a_guard_that_is_started_with_both_keeps_values_and_judges_beside(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    narrow = tmp_path / "narrow.yaml"
    narrow.write_text("version: 1\ngrants: []\n")
    words = ["wrap", "--name", "raw", "--policy", str(stand.policy_file), "--record", "values"]
    async with stand.client([*words, "--candidate", str(narrow), "--", *stand.server()]) as client:
        await client.initialize()
        await client.list_all()
        await client.call("echo", {"text": "kept"})
    (row,) = stand.decisions()
    assert row.body["candidate"]["effect"] == "deny"
    key = (stand.state / "digest.key").read_bytes()
    kept = Reader.of(stand.state, key).of_entry(row.id, row.body)
    assert kept is not None
    assert kept.values == {"text": "kept"}
    assert stand.verified() == []
    loaded = next(row for row in stand.rows() if row.kind == "loaded")
    assert [one["kind"] for one in loaded.body["data"]["documents"]] == ["policy", "candidate"]


async def test_values_that_cannot_be_kept_cost_no_call(tmp_path: Path) -> None:
    with scene(tmp_path, POLICY % 9, Candidate(Authority((NARROW,)))) as played:
        played.guard.values = Values(tmp_path / "nowhere", played.record.key)
        answer = await played.call("echo", {"text": "x"})
        assert not answer["result"].get("isError")
        assert played.guard.values_lost == 1
