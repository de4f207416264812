"""What a case of the corpus is: an attack by somebody who has read the documents, and its benign twin that must pass.

The last call of an attack is the harm; all calls before it are permitted and have to have been made, or else it
would be stopped for another reason than the one that it is about. A twin is made to its last call. Text `@home` stands
for a directory of the run, in documents and arguments alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

Ledger = list[tuple[str, dict[str, Any]]]
"""What the servers were told to do, oldest first: `server/tool` and the arguments."""


@dataclass(frozen=True)
class Do:
    """One call. `says`: what the server answers to this tool from here on. `beside`: siblings of `arguments`."""

    tool: str  # as documents write it: `bank/pay`
    arguments: Any = field(default_factory=dict)
    says: Any = None
    beside: dict[str, Any] = field(default_factory=dict)
    exposed: str = ""  # the name that the client uses, where it isn't the one that follows from `tool`
    session: int = 0  # which of this person's sessions

    def saying(self, said: Any) -> Do:
        return replace(self, says=said)

    def named(self, exposed: str) -> Do:
        return replace(self, exposed=exposed)

    def within(self, session: int) -> Do:
        return replace(self, session=session)

    def with_siblings(self, **beside: Any) -> Do:
        return replace(self, beside=beside)


def do(tool: str, **arguments: Any) -> Do:
    return Do(tool, arguments)


@dataclass(frozen=True)
class Case:
    """One attack and its twin, under the documents of its class unless it has its own."""

    name: str  # a sentence: what the attacker tries
    attack: tuple[Do, ...]
    twin: tuple[Do, ...]
    policy: str = ""
    mandate: str = ""
    harm: Callable[[Ledger], bool] | None = None  # what is too much; None: the last call was made
    together: bool = False  # all calls at once
    yes: int = 0  # so many questions are answered with a yes, later ones with a no
    through: str = ""  # why it gets through, where it does: asserted, and listed in docs/alignment.md
    prepare: Callable[[Any], None] | None = None  # what the attacker does to the world beforehand


@dataclass(frozen=True)
class Class:
    """Cases that try one kind of thing."""

    name: str
    policy: str
    cases: tuple[Case, ...]
    mandate: str = ""

    def filled(self) -> tuple[Case, ...]:
        """Its cases, each with the documents that it is played under."""
        return tuple(
            replace(case, policy=case.policy or self.policy, mandate=case.mandate or self.mandate)
            for case in self.cases
        )


def against(name: str, harm: Do, twin: Do, *before: Do, **more: Any) -> Case:
    """A case whose attack and twin differ in their last call alone."""
    return Case(name, (*before, harm), (*before, twin), **more)


def more_than(limit: float, tool: str, argument: str) -> Callable[[Ledger], bool]:
    """Did what the servers did with this argument add up to more than the limit?"""

    def harm(ledger: Ledger) -> bool:
        total: float = sum(arguments[argument] for name, arguments in ledger if name == tool)
        return total > limit

    return harm


def oftener_than(limit: int, *tools: str) -> Callable[[Ledger], bool]:
    """Were these tools used more often than that, together?"""
    return lambda ledger: sum(name in tools for name, _ in ledger) > limit
