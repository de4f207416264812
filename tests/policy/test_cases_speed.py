"""A thousand cases are no reason to wait: they cost what a few cost, times as many."""

from __future__ import annotations

from pathlib import Path

from mcp_guard.policy.cases import bind, load_cases
from mcp_guard.policy.cases_run import play
from mcp_guard.policy.coverage import coverage_of
from mcp_guard.policy.document import load_policy
from tests.growth import linear

PROJECT = Path(__file__).parents[2] / "policies" / "project.yaml"


def _line(number: int) -> str:
    if number % 2:
        call = f"call: files/write_file, args: {{path: /srv/other/{number}, content: x}}, expect: deny"
    else:
        call = f"call: files/read_text_file, args: {{path: /srv/project/{number}}}, expect: allow, rule: read"
    return (
        f"  - {{why: number {number}, after: [{{call: git/git_status, args: {{repo_path: /srv/project}}}}], {call}}}\n"
    )


def test_a_thousand_cases_are_read_played_and_counted_at_the_price_of_each() -> None:
    document = load_policy(PROJECT, variables={"project": "/srv/project"})

    def work(count: int) -> None:
        data = ("cases:\n" + "".join(_line(number) for number in range(count))).encode()
        suite = bind(load_cases(data, "cases"), document, {})
        played = [play(suite, case) for case in suite.cases]
        coverage_of(suite, played)
        assert len(played) == count
        assert all(one.passed for one in played)

    assert linear(work, 32)
