"""AgentDojo as the harness reads it: how much there is of it, and that its own checkers agree with the calls."""

from __future__ import annotations

import pytest

from benchmarks.alignment import plan, suites
from benchmarks.alignment.effects import EFFECTFUL, SUITES, effectful
from benchmarks.alignment.handwritten import HANDWRITTEN


def test_there_are_as_many_tasks_tools_and_pairs_as_the_report_says() -> None:
    assert sum(len(suites.user_tasks(suite)) for suite in SUITES) == 97
    assert sum(len(suites.injection_tasks(suite)) for suite in SUITES) == 35
    assert sum(len(suites.tools(suite)) for suite in SUITES) == 74
    pairs = [
        (one, injection) for one in SUITES for _ in suites.user_tasks(one) for injection in suites.injection_tasks(one)
    ]
    played = [pair for pair in pairs if pair not in suites.TEXT_ONLY]
    assert (len(pairs), len(played), plan.text_only_pairs()) == (949, 929, 20)
    assert sum(suites.is_shipped(*pair) for pair in played) == 609


@pytest.mark.parametrize("suite", SUITES)
def test_every_tool_that_is_called_effectful_exists(suite: str) -> None:
    assert EFFECTFUL[suite] <= {tool["name"] for tool in suites.tools(suite)}


@pytest.mark.parametrize("suite", SUITES)
def test_without_a_guard_every_task_is_done_by_its_calls_and_none_without_an_effect_that_it_needs(suite: str) -> None:
    for user in suites.user_tasks(suite):
        run = plan.utility_run(suite, user)
        end = suites.copied(run.start)
        for step in run.steps:
            assert suites.execute(suite, end, step)[1] is None, (user, step)
        assert suites.useful(suite, user, run.start, end, run.steps), user


@pytest.mark.parametrize("suite", SUITES)
def test_every_task_shows_a_place_that_others_write_and_an_attack_begins_there(suite: str) -> None:
    injection = suites.injection_tasks(suite)[0]
    for user in suites.user_tasks(suite):
        seen = suites.first_sight(suite, user)
        assert seen is not None, user
        run = plan.attack_run(suite, user, injection)
        assert run.users == seen + 1 and run.steps[: run.users] == run.needed[: run.users]
        assert any(effectful(suite, step.tool) for step in run.attack)


@pytest.mark.parametrize("injection", HANDWRITTEN)
def test_the_calls_written_by_hand_reach_the_goal_after_every_task(injection: str) -> None:
    for user in suites.user_tasks("workspace"):
        run = plan.attack_run("workspace", user, injection)
        end = suites.copied(run.start)
        for step in run.steps:
            assert suites.execute("workspace", end, step)[1] is None, (user, step)
        assert suites.reached("workspace", injection, run.start, end, run.steps), user


def test_the_calls_written_by_hand_stand_beside_their_goal() -> None:
    assert set(HANDWRITTEN) == {f"injection_task_{number}" for number in range(6, 14)}
    for injection, calls in HANDWRITTEN.items():
        assert (calls.__doc__ or "").startswith(injection)


def test_a_goal_with_quotes_and_line_breaks_is_put_in_whole() -> None:
    text = "first: \"line\"\n\n  - {second} 'line'"
    environment = suites.environment("slack", "user_task_0", lambda _: text)
    assert text in str([message.body for inbox in environment.slack.user_inbox.values() for message in inbox]) or any(
        text in page for page in environment.web.web_content.values()
    )
