"""What the monitor costs a call that is as usual: `python -m benchmarks.monitor`. Microseconds, the best of many."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mcp_guard.monitor.habits import habits_of
from mcp_guard.monitor.usual import Usual

ROUNDS, CALLS, TOOLS = 9, 20_000, 15
ARGUMENTS = {"path": "/srv/project/src/a/b.py", "content": "x" * 2000, "url": "https://docs.python.org/3/library"}
KEY = b"k" * 32
WHO = ("local:me", "s1")


def main() -> None:
    """Teach it, then measure its three steps."""
    now = datetime.now(UTC)
    habits = habits_of(ARGUMENTS, KEY)
    known = Usual(100)
    for number in range(CALLS):
        known.learn(*WHO, f"files/{number % TOOLS}", habits, now - timedelta(seconds=CALLS - number))
    next_one = f"files/{CALLS % TOOLS}"
    steps: dict[str, Callable[[], object]] = {
        "read what may be a habit": lambda: habits_of(ARGUMENTS, KEY),
        "look for deviations": lambda: known.flags(*WHO, next_one, habits, now),
        "learn": lambda: known.learn(*WHO, next_one, habits, now),
    }
    assert known.flags(*WHO, next_one, habits, now) == ()
    for name, step in steps.items():
        best = min(timeit.repeat(step, number=CALLS, repeat=ROUNDS)) / CALLS
        print(f"{name:<26} {best * 1e6:6.2f} us")


if __name__ == "__main__":
    main()
