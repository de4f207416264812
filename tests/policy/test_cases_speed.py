"""A thousand cases are no reason to wait. Measured in this process's own time, which other work doesn't add to."""

from __future__ import annotations

import time
from pathlib import Path

from mcp_guard.policy.cases import bind, load_cases
from mcp_guard.policy.cases_run import play
from mcp_guard.policy.coverage import coverage_of
from mcp_guard.policy.document import load_policy

PROJECT = Path(__file__).parents[2] / "policies" / "project.yaml"


def _line(number: int) -> str:
    if number % 2:
        call = f"call: files/write_file, args: {{path: /srv/other/{number}, content: x}}, expect: deny"
    else:
        call = f"call: files/read_text_file, args: {{path: /srv/project/{number}}}, expect: allow, rule: read"
    return (
        f"  - {{why: number {number}, after: [{{call: git/git_status, args: {{repo_path: /srv/project}}}}], {call}}}\n"
    )


def test_a_thousand_cases_are_read_played_and_counted_in_a_moment() -> None:
    data = ("cases:\n" + "".join(_line(number) for number in range(1000))).encode()
    document = load_policy(PROJECT, variables={"project": "/srv/project"})
    started = time.process_time()
    suite = bind(load_cases(data, "cases"), document, {})
    played = [play(suite, case) for case in suite.cases]
    coverage_of(suite, played)
    taken = time.process_time() - started
    assert all(one.passed for one in played)
    assert len(played) == 1000
    assert taken < 20  # some 0.2 alone; in a process that has run a thousand tests before, several times that
