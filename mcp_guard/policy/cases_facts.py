"""What is known in a case run: its time, what its earlier calls have used, the links that it names. No file, no server.

A path leads to itself unless the case names a link. A tool that a case calls was there at first sight, so patterns in
grants reach it, and no server's annotation adds an effect. What tools do is known from the documents, and where they
say nothing, from the case file.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from mcp_guard.model import Admitted, Call, Charge, Decision, Described, EffectClass, Kind, Usage
from mcp_guard.policy.canonical import is_inside

_MAX_LINKS = 40  # followed for one path, as the kernel does; more is a loop
_EXACT = Context(prec=64, traps=[Inexact, InvalidOperation, Overflow])  # as the record keeps sums
_NOTHING = Usage()


class CaseFacts:
    """The facts of one session; implements `model.Facts` in memory."""

    __slots__ = ("_base", "_described", "_grants", "_labels", "_links", "_tools", "_used", "now")

    def __init__(
        self,
        now: datetime,
        base: str,
        links: Mapping[str, str],
        described: Mapping[str, Described] | None = None,
        labels: frozenset[str] = frozenset(),
    ) -> None:
        self.now = now
        self._base = base
        self._links = links
        self._described = described or {}
        self._used: dict[str, Usage] = {}
        self._labels = labels
        self._tools: Counter[str] = Counter()
        self._grants: Counter[str] = Counter()

    def used(self, rule: str) -> Usage:
        return self._used.get(rule, _NOTHING)

    def charge(self, charges: Iterable[Charge]) -> None:
        """Add what an admitted call costs. Raises ArithmeticError where the record couldn't keep the sum either."""
        added = {charge.rule: _sum(self.used(charge.rule), charge) for charge in charges}
        self._used.update(added)

    def labels(self) -> frozenset[str]:
        return self._labels

    def admitted(self) -> Admitted:
        return Admitted(self._tools, self._grants)

    def admit(self, call: Call, decision: Decision) -> None:
        """Charge an admitted call, and remember it: its labels count from here on, its grants have been used."""
        self.charge(decision.charges)
        self._labels |= decision.gives
        self._grants.update({charge.rule for charge in decision.charges})
        if call.kind is Kind.TOOL:
            self._tools[call.name] += 1

    def resolve(self, path: str) -> str | None:
        if "\0" in path:
            return None
        found = posixpath.normpath(posixpath.join(self._base, path))
        for _ in range(_MAX_LINKS):
            link = next((link for link in self._links if is_inside(found, link)), None)
            if link is None:
                return found
            found = posixpath.normpath(self._links[link] + found[len(link) :])
        return None

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        return frozenset()

    def described(self, server: str, tool: str) -> Described | None:
        """What the case file says: nobody lists the tool here, so the catalogue can't know it."""
        return self._described.get(f"{server}/{tool}")

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return True


def _sum(usage: Usage, charge: Charge) -> Usage:
    sums = dict(usage.sums)
    for name, amount in charge.sums.items():
        sums[name] = _EXACT.add(sums.get(name, Decimal(0)), amount)
    return Usage(usage.calls + charge.calls, sums)
