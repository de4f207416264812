"""Reads a case file and plays its cases against the real loader and judge.

A case is a call with what a person expects of it. `after` holds calls that came before: what was allowed is charged,
what was asked counts as approved, what was denied never happened. `set` at the top gives the variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from mcp_guard.model import Call, Charge, Decision, Described, Effect, EffectClass, Usage
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document, load_mandate, load_policy
from mcp_guard.policy.yaml_source import read_yaml

POLICIES = Path(__file__).parents[2] / "policies"
NOW = datetime(2026, 1, 2, 10, 0, tzinfo=UTC)
KEYS = {"why", "after", "call", "args", "expect", "rule", "mandate"}


@dataclass(frozen=True)
class Case:
    """One entry of a case file; `file` is the case file, `set` its variables."""

    file: Path
    set: Mapping[str, str]
    why: str
    call: str
    args: Mapping[str, Any]
    expect: Effect
    rule: str | None = None
    after: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    mandate: str | None = None

    def __str__(self) -> str:
        return f"{self.file.stem.removesuffix('.cases')}: {self.why}"


@dataclass
class Session:
    """The facts of a session without links, effects or surprises: what was charged is all it remembers."""

    now: datetime = NOW
    usage: dict[str, Usage] = field(default_factory=dict)

    def used(self, rule: str) -> Usage:
        return self.usage.get(rule, Usage())

    def charge(self, charges: tuple[Charge, ...]) -> None:
        """Count what an admitted call costs."""
        for charge in charges:
            before = self.used(charge.rule)
            sums = {
                name: before.sums.get(name, Decimal(0)) + charge.sums.get(name, Decimal(0))
                for name in {*before.sums, *charge.sums}
            }
            self.usage[charge.rule] = Usage(before.calls + charge.calls, sums)

    def resolve(self, path: str) -> str | None:
        return path if path.startswith("/") else f"/srv/project/{path}".removesuffix("/.")

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        return frozenset()

    def described(self, server: str, tool: str) -> Described | None:
        return None

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return True


def read_cases(name: str) -> list[Case]:
    """The cases of `policies/NAME.cases.yaml`, every key of them known."""
    file = POLICIES / f"{name}.cases.yaml"
    value = read_yaml(file.read_bytes(), file.name).value
    assert set(value) <= {"set", "cases"}
    return [_case(file, value.get("set", {}), entry) for entry in value["cases"]]


def _case(file: Path, variables: Mapping[str, str], entry: dict[str, Any]) -> Case:
    assert entry.keys() <= KEYS, entry
    after = tuple((earlier["call"], earlier["args"]) for earlier in entry.get("after", []))
    expect = Effect[entry["expect"].upper()]
    return Case(file, variables, **{**entry, "expect": expect, "after": after})


def documents(case: Case) -> tuple[Document, ...]:
    """The policy beside the case file, then the mandate that the case names."""
    policy = _policy(case.file.with_name(case.file.name.replace(".cases", "")), tuple(sorted(case.set.items())))
    if case.mandate is None:
        return (policy,)
    return policy, _mandate(case.file.with_name(case.mandate))


@cache
def _policy(file: Path, variables: tuple[tuple[str, str], ...]) -> Document:
    return load_policy(file, variables=dict(variables), home="/home/iris")


@cache
def _mandate(file: Path) -> Document:
    return load_mandate(file, home="/home/iris")


def play(case: Case, layers: tuple[Document, ...]) -> Decision:
    """The judge's decision on a case under these documents."""
    authority = Authority(layers, started=NOW)
    session = Session()
    for name, arguments in case.after:
        decision = decide(authority, _call(name, arguments), session)
        if decision.effect is not Effect.DENY:
            session.charge(decision.charges)
    return decide(authority, _call(case.call, case.args), session)


def _call(name: str, arguments: Mapping[str, Any]) -> Call:
    server, _, tool = name.partition("/")
    return Call("iris", "tools/call", server, tool, {"name": tool, "arguments": arguments})
