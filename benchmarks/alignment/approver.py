"""A scripted person: says yes to exactly the calls that the task needs, each as often as it needs them.

Stands behind the port that real ways of asking fill. `guarded.py` puts it into a guard; no option of the shipped
command does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mcp_guard.approvals.port import Answered, Question
from mcp_guard.wire import canonical

NAME = "scripted by the benchmark"


class Scripted:
    """Agrees to `needed`: pairs of the server's own tool name and the exact arguments."""

    def __init__(self, needed: Iterable[tuple[str, dict[str, Any]]]) -> None:
        self._left = [_exact(tool, arguments) for tool, arguments in needed]

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        """Yes if the call is still needed; it is then needed once less."""
        wanted = _exact(question.call.target, dict(question.call.arguments))
        if wanted in self._left:
            self._left.remove(wanted)
            answered(question.yes(NAME))
        else:
            answered(None)
        return _nothing


def _exact(tool: str, arguments: dict[str, Any]) -> bytes:
    return canonical([tool, arguments])


def _nothing() -> None:
    """It answers at once: there is nothing to withdraw."""
