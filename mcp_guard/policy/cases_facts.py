"""What is known in a case run: its time, what its earlier calls have used, the links that it names. No file, no server.

A path leads to itself unless the case names a link. A tool that a case calls was there at first sight and is locked, so
patterns in grants reach it, and no server's annotation adds an effect. What tools do is known from the documents, and
where they say nothing, from the case file.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from mcp_guard.history.index import Digests, InMemory, carrying, gained, origins
from mcp_guard.history.reading import carried_by, given
from mcp_guard.history.sources import asked_by, may_write, reading_of, still_counts
from mcp_guard.model import Admitted, Call, Charge, Decision, Described, EffectClass, Json, Kind, Origin, Unit, Usage
from mcp_guard.policy.canonical import is_inside
from mcp_guard.policy.constraint_sources import FORGOTTEN
from mcp_guard.policy.document import Authority
from mcp_guard.wire import digest

_MAX_LINKS = 40  # followed for one path, as the kernel does; more is a loop
_EXACT = Context(prec=64, traps=[Inexact, InvalidOperation, Overflow])  # as the record keeps sums
_NOTHING = Usage()
_DIGESTS = Digests()


class CaseFacts:
    """The facts of one session; implements `model.Facts` in memory. Who calls is one principal, under one mandate."""

    __slots__ = (
        *("_asked", "_authority", "_base", "_described", "_grants", "_labels", "_links", "_rows", "_spent", "_tools"),
        *("_used", "_values", "now"),
    )

    def __init__(
        self,
        now: datetime,
        base: str,
        links: Mapping[str, str],
        described: Mapping[str, Described] | None = None,
        authority: Authority | None = None,
        labels: frozenset[str] = frozenset(),
    ) -> None:
        self.now = now
        self._base = base
        self._links = links
        self._described = described or {}
        self._used: dict[tuple[str, str], Usage] = {}  # for good, by rule and account
        self._values: dict[tuple[str, str], dict[str, set[str]]] = {}
        self._spent: dict[tuple[str, str], list[tuple[datetime, Charge]]] = {}  # what counts for a time
        self._authority = authority or Authority(())
        self._asked = asked_by(self._authority)
        self._rows = InMemory()
        self._labels = labels
        self._tools: Counter[str] = Counter()
        self._grants: Counter[str] = Counter()

    def used(self, rule: str, account: str = "", seconds: int = 0) -> Usage:
        if not seconds:
            return self._used.get((rule, account), _NOTHING)
        total = _NOTHING
        for charge in self._lately(rule, account, seconds):
            total = _sum(total, charge)
        return total

    def values(self, rule: str, account: str = "", seconds: int = 0) -> Mapping[str, Collection[str]]:
        if not seconds:
            return self._values.get((rule, account), {})
        found: dict[str, set[str]] = {}
        for charge in self._lately(rule, account, seconds):
            for name, value in charge.values.items():
                found.setdefault(name, set()).add(value)
        return found

    def fingerprint(self, value: Json) -> str:
        return digest(value)

    def _lately(self, rule: str, account: str, seconds: int) -> list[Charge]:
        since = self.now - timedelta(seconds=seconds)
        return [charge for at, charge in self._spent.get((rule, account), ()) if at > since]

    def charge(self, charges: Sequence[Charge]) -> None:
        """Add what an admitted call costs. Raises ArithmeticError where the record couldn't keep the sum either."""
        lasting = [charge for charge in charges if not charge.seconds]
        self._used |= {(one.rule, one.account): _sum(self.used(one.rule, one.account), one) for one in lasting}
        for charge in charges:
            key = (charge.rule, charge.account)
            if charge.seconds:
                _sum(self.used(*charge.count), charge)
                self._spent.setdefault(key, []).append((self.now, charge))
                continue
            for name, value in charge.values.items():
                self._values.setdefault(key, {}).setdefault(name, set()).add(value)

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

    def locked(self, server: str, tool: str) -> bool:
        return True

    def origins(self, unit: Unit) -> Collection[Origin]:
        gained = (one for one in origins(unit, _DIGESTS, self._rows) if still_counts(self._authority, one))
        forgotten = (FORGOTTEN,) if self._rows.dropped else ()
        return (*self._asked.known.get(unit, ()), *gained, *forgotten)

    def happened(self, call: Call, result: Json) -> None:
        """An admitted call, and what the case says its server answered (None: it says nothing of that)."""
        if not self._asked.history:
            return
        carried = carried_by(call.params)
        if may_write(self._authority, call, self):
            self._rows.add(carrying(carried, _DIGESTS, self._rows))
        if result is None or not self._asked.reads(call):
            return
        reading = reading_of(self._asked, self._authority, call, self, carried)
        for found in given(as_answered(result)):
            self._rows.add(gained(found, reading, _DIGESTS, self._rows))


def as_answered(result: Json) -> Mapping[str, Json]:
    """A case's `result` as a server sends it: a text as text, anything else as structured content."""
    if isinstance(result, str):
        return {"content": [{"type": "text", "text": result}]}
    return {"structuredContent": result}

    def locked(self, server: str, tool: str) -> bool:
        return True


def _sum(usage: Usage, charge: Charge) -> Usage:
    sums = dict(usage.sums)
    for name, amount in charge.sums.items():
        sums[name] = _EXACT.add(sums.get(name, Decimal(0)), amount)
    return Usage(usage.calls + charge.calls, sums)
