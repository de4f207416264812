"""What the guard asks, and whom: the port that every way of asking a person fills.

An approver gives its answer as data, and the call is judged again with it: it can't allow what a rule denies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from mcp_guard.model import Approval, By, Call, RuleRef
from mcp_guard.record.usage import UsageView


class Unsettled(Enum):
    """What else an approver may answer: no yes, and why there is none."""

    NO = "no"  # somebody said so
    PENDING = "pending"  # nobody has answered yet; the question stays open for a while
    FROZEN = "frozen"  # the session asked too much, and is stopped until a person lets it go on


Answered = Callable[["Approval | Unsettled | None"], None]
"""Takes the answer: an approval, why there is none, or None for nobody to ask. Only the first answer counts.
Called on the guard's event loop."""


@dataclass(frozen=True, slots=True)
class Question:
    """One call that waits for a yes."""

    entry: str  # the record's entry that asks; no two questions have the same
    call: Call  # all of it: whoever agrees has to see what they agree to
    rules: tuple[RuleRef, ...]  # the ask rules, and the grants with `ask: true`, that want an answer
    digest: str  # of the exact call
    authority: str  # digest of the documents that ask
    sources: Mapping[str, str] = field(default_factory=dict)  # by argument: where its value comes from
    session: str = ""  # whose history the call belongs to
    pin: str = ""  # digest of the tool as it is listed; empty where there is none
    waits: bool = True  # False: the client is told at once that it is pending, or asked by that answer itself
    shown: Mapping[str, Any] = field(default_factory=dict)  # what else a person should see; never judged by

    @property
    def tier(self) -> By:
        """Who may answer: the strictest that any of the rules wants."""
        return max((rule.by for rule in self.rules), default=By.PERSON)

    def yes(self, by: str, tier: By | None = None) -> Approval:
        """The approval that settles exactly this. `by` is who or what agreed, for the record; `tier` the way of it."""
        asks = frozenset(rule.key for rule in self.rules)
        return Approval(self.digest, asks, self.authority, by, self.entry, self.tier if tier is None else tier)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was answered before about a call that asks now, read in the transaction that judges it."""

    approvals: tuple[Approval, ...] = ()
    refused: bool = False  # somebody said no for the rest of the session
    entry: str = ""  # the open question that this call takes over


RECALLED_NOTHING = Recalled()


class Memory(Protocol):
    """Looks up, inside the judging transaction, what was answered before."""

    def __call__(self, view: UsageView, question: Question) -> Recalled: ...


def nothing(view: UsageView, question: Question) -> Recalled:
    """The memory of a guard that has none."""
    return RECALLED_NOTHING


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
