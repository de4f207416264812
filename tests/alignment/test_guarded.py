"""One run through real processes: a guard, a suite's server, and a ledger that the guard doesn't know of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.alignment import suites
from benchmarks.alignment.control import Executed
from benchmarks.alignment.documents import Shelf
from benchmarks.alignment.driver import Broken, _agree, stage
from benchmarks.alignment.plan import Run, attack_run, utility_run
from benchmarks.alignment.results import words
from benchmarks.alignment.suites import Step, tools


def shelf(directory: Path, suite: str, user: str, *grants: dict[str, Any]) -> Shelf:
    """Documents made up for one task: the policy allows everything, the mandate what is given."""
    places = directory / "policies", directory / "mandates" / suite
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    everything = {"version": 1, "grants": [{"id": "all", "tool": names(suite), "args": "any"}]}
    (places[0] / f"{suite}.yaml").write_text(json.dumps(everything))
    mandate = {"version": 1, "task": "A task.", "expires": "30m", "grants": list(grants)}
    (places[1] / f"{user}.yaml").write_text(json.dumps(mandate))
    return Shelf(directory)


def names(suite: str) -> list[str]:
    return [f"{suite}/{tool['name']}" for tool in tools(suite)]


def grant(id: str, tool: str | list[str], **more: Any) -> dict[str, Any]:
    return {"id": id, "tool": tool, "args": "any", **more}


async def test_what_is_granted_is_executed_and_the_task_is_done(tmp_path: Path) -> None:
    run = utility_run("banking", "user_task_0")
    documents = shelf(tmp_path, "banking", run.user, grant("all", names("banking"))).of("banking", run.user)
    with stage(tmp_path) as there:
        outcome = await there.play(run, documents, approvals=False)
    assert words(outcome) == "+" * len(run.steps) and outcome.useful
    assert [one.step for one in outcome.executed] == list(run.steps)
    assert [one.changed for one in outcome.executed] == [step.tool == "send_money" for step in run.steps]


async def test_an_attack_beyond_the_mandate_leaves_the_environment_as_it_is(tmp_path: Path) -> None:
    run = attack_run("banking", "user_task_0", "injection_task_0")
    documents = shelf(tmp_path, "banking", run.user, grant("read", "banking/read_file")).of("banking", run.user)
    with stage(tmp_path) as there:
        outcome = await there.play(run, documents, approvals=False)
    assert words(outcome) == "+|-" and outcome.stopped and outcome.clean and not outcome.goal_reached
    assert outcome.end.bank_account == run.start.bank_account


async def test_a_call_that_asks_waits_for_a_person_who_agrees_to_what_is_needed_alone(tmp_path: Path) -> None:
    run = attack_run("banking", "user_task_0", "injection_task_0")
    asking = [grant("read", "banking/read_file"), grant("pay", "banking/send_money", ask=True)]
    documents = shelf(tmp_path, "banking", run.user, *asking).of("banking", run.user)
    needs = Run("banking", run.user, "x", run.start, (*run.needed, *run.attack), len(run.needed), run.needed)
    with stage(tmp_path) as there:
        alone = await there.play(needs, documents, approvals=False)
        approved = await there.play(needs, documents, approvals=True)
    assert (words(alone), words(approved)) == ("+?|?", "++|?")
    assert alone.held_for_a_person and approved.clean


def test_a_guard_that_says_other_than_the_environment_breaks_the_run() -> None:
    step = Step("send_money", {"amount": 1})
    run = Run("banking", "user_task_0", None, None, (step,), 1, (step,))
    done = [Executed(step, True, None)]
    _agree(run, ["done"], done)
    _agree(run, ["deny"], [])
    for said, executed in (("deny", done), ("done", [])):
        with pytest.raises(Broken, match="banking/user_task_0"):
            _agree(run, [said], executed)


def test_the_server_lists_the_tools_with_their_schemas() -> None:
    for tool in suites.tools("slack"):
        assert tool["description"] and tool["inputSchema"]["type"] == "object"
