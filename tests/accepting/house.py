"""A directory with a guard's files, a record of its own, and starts of a guard that need no process."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mcp_guard.accepting.gate import Gate, Standing, settle
from mcp_guard.accepting.stacks import Asked
from mcp_guard.record.store import Record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at_most(number: int) -> str:
    return f"version: 1\ngrants: [{{id: pay, tool: bank/pay, args: {{amount: {{max: {number}}}}}}}]\n"


@dataclass
class House:
    """`start` does what `run` and `wrap` do first; `accept` what a person does who has seen what waits."""

    home: Path
    asked: Asked = field(default_factory=Asked)

    def __post_init__(self) -> None:
        self.home.mkdir(exist_ok=True)
        self.state = self.home / "state"
        self.policy = self.home / "policy.yaml"
        self.mandate = self.home / "mandate.yaml"
        self.config = self.home / "guard.yaml"
        if self.asked == Asked():
            self.asked = Asked(policy=self.policy)

    def look(self, asked: Asked | None = None) -> Standing:
        return Gate(asked or self.asked, self.state).stand()

    def start(self, asked: Asked | None = None) -> Standing:
        standing = self.look(asked)
        with self.record() as record:
            settle(record, self.state, standing.force, standing.acceptances, "local:me")
        return standing

    def accept(self, asked: Asked | None = None) -> None:
        person_accepts(asked or self.asked, self.state)

    def record(self) -> Record:
        return opened(self.state)


def person_accepts(asked: Asked, state: Path) -> None:
    """What `accept` does after the PIN."""
    gate = Gate(asked, state)
    standing = gate.stand()
    with opened(state) as record:
        settle(record, state, standing.waiting or standing.force, gate.accepted_now(standing), "local:me")


def opened(state: Path) -> Record:
    return Record.open(state, session="0123456789abcdef", clock=lambda: NOON)


def limit(standing: Standing) -> str:
    """The digest of the policy in force, which tells `at_most(n)` apart from another."""
    assert standing.force.policy is not None
    return standing.force.policy.digest
