"""What the guard asks, and whom: the port that every way of asking a person fills.

An approver gives its answer as data, and the call is judged again with it: it can't allow what a rule denies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mcp_guard.model import Approval, Call, RuleRef

Answered = Callable[["Approval | None"], None]
"""Takes the answer: an approval, or None for no. Only the first answer counts. Called on the guard's event loop."""


@dataclass(frozen=True, slots=True)
class Question:
    """One call that waits for a yes."""

    entry: str  # the record's entry that asks; no two questions have the same
    call: Call  # all of it: whoever agrees has to see what they agree to
    rules: tuple[RuleRef, ...]  # the ask rules, and the grants with `ask: true`, that want an answer
    digest: str  # of the exact call
    authority: str  # digest of the documents that ask
    sources: Mapping[str, str] = field(default_factory=dict)  # by argument: where its value comes from

    def yes(self, by: str) -> Approval:
        """The approval that settles exactly this. `by` is who or what agreed, for the record."""
        return Approval(self.digest, frozenset(rule.key for rule in self.rules), self.authority, by, self.entry)


class Approver(Protocol):
    """Somebody, or something, that answers questions."""

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        """Put the question, without blocking. Returns how to withdraw it: nobody waits for the answer any more.

        No answer in time, an exception, and an approval of something else all mean no.
        """


class Nobody:
    """The approver of a guard that has none: every question is answered with no, at once."""

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        answered(None)
        return _nothing


def _nothing() -> None:
    """There is nothing to withdraw."""
