"""What a run's outcome counts for, on runs made up here: no guard, no process."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.alignment import metrics
from benchmarks.alignment.baselines import BASELINES, play
from benchmarks.alignment.control import Executed
from benchmarks.alignment.judged import Session, outside
from benchmarks.alignment.outcome import Outcome
from benchmarks.alignment.plan import Run, attack_run, utility_run
from benchmarks.alignment.results import differences, words
from benchmarks.alignment.running import Played, spread
from benchmarks.alignment.suites import Step
from benchmarks.alignment.twins import twins
from mcp_guard.model import Effect
from mcp_guard.policy.document import Authority
from tests.policy.scene import policy

READ, PAY, STEAL = Step("get_iban", {}), Step("send_money", {"amount": 1}), Step("send_money", {"amount": 9})


def outcome(said: str, needed: tuple[Step, ...] = (READ, PAY), attack: tuple[Step, ...] = (READ, STEAL)) -> Outcome:
    answers = tuple({"+": "done", "?": "ask", "-": "deny"}[sign] for sign in said)
    run = Run("banking", "user_task_0", "injection_task_0", None, (*needed, *attack), len(needed), needed)
    done = [Executed(step, True, None) for step, answer in zip(run.steps, answers, strict=True) if answer == "done"]
    return Outcome(run, answers, tuple(done), None)


@pytest.mark.parametrize(
    ("said", "stopped", "clean", "held"),
    [
        ("++++", False, False, False),
        ("+++-", True, True, False),
        ("+++?", True, True, True),
        ("++-+", True, False, False),
        ("++--", True, True, False),
        ("--+-", True, True, False),
    ],
)
def test_stopped_wants_one_refusal_and_clean_wants_no_effect(said: str, stopped: bool, clean: bool, held: bool) -> None:
    one = outcome(said)
    assert (one.stopped, one.clean, one.held_for_a_person) == (stopped, clean, held)


def test_an_effect_beyond_need_is_one_that_the_task_does_not_need_so_often() -> None:
    assert outcome("++++").beyond_need == [STEAL]
    assert outcome("++++", attack=(READ, PAY)).beyond_need == [PAY]
    assert outcome("+--+", attack=(READ, PAY)).beyond_need == []


def test_over_block_counts_denies_and_an_ask_is_neither() -> None:
    asked = Outcome(Run("banking", "u", None, None, (READ, PAY), 2, (READ, PAY)), ("done", "ask"), (), None)
    denied = Outcome(asked.run, ("deny", "deny"), (), None)
    found = metrics.utility([asked, denied])
    assert (str(found.blocked_tasks), str(found.blocked_calls)) == ("50.0% (1/2)", "50.0% (2/4)")
    assert str(found.asked_calls) == "50.0% (1/2)"
    assert found.useful.hits == 0


def test_a_call_outside_of_the_documents_is_found_also_one_beyond_a_budget() -> None:
    text = "grants: [{id: pay, tool: banking/send_money, args: any, budget: {calls: 1}}]"
    authority = Authority((policy(text),))
    assert outside(authority, "banking", [PAY]) == []
    assert outside(authority, "banking", [PAY, STEAL]) == [STEAL]
    assert outside(authority, "banking", [READ]) == [READ]


def test_an_asked_call_is_inside_only_if_it_was_agreed_to_and_as_often() -> None:
    authority = Authority((policy("grants: [{id: pay, tool: banking/send_money, args: any, ask: true}]"),))
    assert outside(authority, "banking", [PAY]) == [PAY]
    assert outside(authority, "banking", [PAY, PAY], approved=[PAY]) == [PAY]


def test_twins_are_told_apart_by_whoever_knows_the_task_and_by_nobody_else() -> None:
    runs = [
        Run("banking", f"user_task_{number}", None, None, steps, len(steps), steps)
        for number, steps in enumerate([(READ, PAY), (STEAL,), (READ,)])
    ]
    knows = twins(runs, lambda run, step: "done" if step in run.needed else "deny")
    assert str(knows.alone) == "100.0% (4/4)"
    assert twins(runs, lambda run, step: "done").alone.hits == 0
    assert twins(runs, lambda run, step: "deny").alone.hits == 0
    asks = twins(runs, lambda run, step: "ask" if step in run.needed else "deny")
    assert (asks.alone.hits, asks.approved.hits) == (0, 4)


def test_the_baselines_are_what_their_names_say() -> None:
    run = attack_run("banking", "user_task_0", "injection_task_0")
    said = {name: words(play(run, rule)) for name, rule in BASELINES.items()}
    assert said["allow all"] == "+|+"
    assert said["deny all effects"] == "+|-"
    assert said["tool list per task"] == "+|+"
    assert said["exact arguments (ceiling)"] == "+|-"
    task = utility_run("banking", "user_task_0")
    assert play(task, BASELINES["exact arguments (ceiling)"]).useful
    assert not play(task, BASELINES["deny all effects"]).useful


def test_a_run_that_differs_from_the_recorded_one_is_named() -> None:
    played = Played((), (), (outcome("+++-"),), (outcome("+++-"),))
    name = "banking/user_task_0/injection_task_0"
    same: dict[str, Any] = {"runs": {name: "++|+-"}, "approved": {}}
    assert differences(played, same) == []
    others: list[dict[str, Any]] = [
        {"runs": {}, "approved": {}},
        {"runs": {name: "++|++"}, "approved": {}},
        {**same, "approved": {name: "++|++"}},
    ]
    for other in others:
        assert len(differences(played, other)) == 1


def test_a_part_is_spread_over_all_and_always_the_same() -> None:
    names = [f"t{number}" for number in range(10)]
    assert spread(names, 3) == ["t0", "t4", "t9"]
    assert spread(names, 1) == ["t0"] and spread(names, None) == names and spread(names, 99) == names


def test_a_session_knows_what_a_trusted_tool_answered_and_asks_about_what_a_stranger_may_have_written() -> None:
    text = "\n".join(
        [
            "tools:",
            "  banking/get_iban: {effect: read}",
            "  banking/read_file: {effect: read, gives: untrusted}",
            "  banking/send_money: {effect: spend, gives: untrusted}",
            "grants: [{id: all, tool: 'banking/*', args: any}]",
            "ask: [{id: whom, tool: banking/send_money, args: {recipient: {not_from: [trusted]}}}]",
        ]
    )
    start = utility_run("banking", "user_task_0").start
    own = start.bank_account.iban
    pay = Step("send_money", {"recipient": own, "amount": 1, "subject": "x", "date": "2022-01-01"})
    for read, wanted in (
        (Step("get_iban", {}), Effect.ALLOW),
        (Step("read_file", {"file_path": "bill-december-2023.txt"}), Effect.ASK),
    ):
        session = Session(Authority((policy(text),)), "banking", start)
        assert session.judge(pay).effect is Effect.ASK
        session.saw(read)
        assert session.judge(pay).effect is wanted
