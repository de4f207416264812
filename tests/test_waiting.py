"""No test fails because a machine is busy: what has to happen is waited for long, and no example has a deadline."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings

from tests.patience import PATIENCE

TESTS = Path(__file__).parent
WAITS = {"timeout", "fail_after", "wait_for", "run", "communicate", "check_output", "ended"}
LEAST = 30.0  # seconds; under half of one it is a look whether something happens, not a wait
PROBES = TESTS / "fidelity" / "probe"  # other people's programs, of which silence is one answer


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def seconds(call: ast.Call) -> Iterator[float]:
    """The numbers that a wait is given: by position, or as its time-out."""
    named = [word.value for word in call.keywords if word.arg == "timeout"]
    for value in [*call.args, *named]:
        if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
            yield value.value


def impatient(source: str) -> list[int]:
    """The lines that give up on something before a busy machine has done it."""
    waits = [call for call in calls(ast.parse(source)) if called(call) in WAITS]
    return [call.lineno for call in waits if any(0.5 < number < LEAST for number in seconds(call))]


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def test_a_wait_that_a_busy_machine_would_not_meet_is_found() -> None:
    short = "asyncio.timeout(5)", "anyio.fail_after(1)", "asyncio.wait_for(x, 10)", "subprocess.run(x, timeout=20)"
    assert [impatient(one) for one in short] == [[1]] * 4
    assert impatient("asyncio.timeout(PATIENCE); asyncio.timeout(0.1); subprocess.run(x, timeout=60)") == []


def test_what_has_to_happen_is_waited_for_as_long_as_a_busy_machine_needs() -> None:
    assert PATIENCE >= LEAST
    files = [path for path in TESTS.rglob("*.py") if PROBES not in path.parents]
    assert len(files) > 400
    found = {f"{path.relative_to(TESTS)}:{line}" for path in files for line in impatient(path.read_text("utf-8"))}
    assert found == set()


def test_no_example_is_refused_for_its_time() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check


def test_a_test_that_allows_something_else_still_allows_slow_examples() -> None:
    """What one test says of its health checks stands instead of what all of them say."""
    said = [
        (path.name, ast.unparse(word.value))
        for path in TESTS.rglob("*.py")
        for call in calls(ast.parse(path.read_text("utf-8")))
        for word in call.keywords
        if word.arg == "suppress_health_check" and path.name != "conftest.py"
    ]
    assert len(said) > 5
    assert [one for one in said if "too_slow" not in one[1] and one[1] != "list(HealthCheck)"] == []
