"""What drafts allow of a set of tasks that was written before the rules; see `tasks.yaml`."""

from __future__ import annotations

from mcp_guard.model import Effect
from tests.drafting.measured import TASKS, judged


def test_no_call_that_nobody_meant_is_allowed_without_asking() -> None:
    results = [one for one in judged() if not one.meant]
    assert len(TASKS) >= 40 and len(results) >= 100
    assert [one for one in results if one.effect is Effect.ALLOW] == []
    assert sum(one.effect is Effect.ASK for one in results) <= 2


def test_nearly_all_that_a_task_needs_is_allowed_and_nothing_of_it_denied() -> None:
    results = [one for one in judged() if one.meant]
    assert [one for one in results if one.effect is Effect.DENY] == []
    assert sum(one.effect is Effect.ALLOW for one in results) >= 0.95 * len(results)
