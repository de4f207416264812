"""The calls that each grant of a policy carried, as a record tells them; without those that a person reported.

Core. A call that was denied counts as well if a person has changed the documents since, and they permit it now: what a
person allowed is learned as allowed. All of it may have been chosen by an agent; see the package's docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mcp_guard.model import Reason
from mcp_guard.report.seen import Event, Loaded, Reported, Seen

_BY_RULES = frozenset({Reason.NO_GRANT, Reason.DENIED})
"""Refusals that hang on what the rules say of a call, and on nothing that was used up or met before."""
Permits = Callable[[Seen], tuple[str, ...]]
"""The grants of the present policy (keys) that would carry a call that was denied; none: it would still be denied."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a suggestion goes by, in the order of the record."""

    calls: tuple[Seen, ...] = ()
    reported: tuple[Seen, ...] = ()  # calls like one that a person reported: not counted
    learned: frozenset[str] = frozenset()  # entries of calls that were denied, and that a person permits by now
    new: frozenset[str] = frozenset()  # grants (keys) that a person added while this was recorded
    reports: tuple[Reported, ...] = ()

    def by_grant(self) -> dict[str, list[Seen]]:
        """The calls that each grant carried. One that several carried counts for each of them."""
        found: dict[str, list[Seen]] = {}
        for call in self.calls:
            for key in dict.fromkeys(call.rules):
                found.setdefault(key, []).append(call)
        return found

    @property
    def without_values(self) -> int:
        """Calls of which some argument isn't known."""
        return sum(not call.wholly_known for call in self.calls)


@dataclass(slots=True)
class _Collecting:
    file: str
    permits: Permits
    authority: str
    grants: list[tuple[str, ...]] = field(default_factory=list)  # each time that the policy was loaded
    calls: list[Seen] = field(default_factory=list)
    learned: set[str] = field(default_factory=set)
    mandated: set[str] = field(default_factory=set)  # chains of guards that a mandate bound, too
    reports: list[Reported] = field(default_factory=list)

    def take(self, event: Event) -> None:
        if isinstance(event, Loaded) and event.kind == "policy" and event.file == self.file:
            self.grants.append(event.grants)
        elif isinstance(event, Reported):
            self.reports.append(event)
        elif isinstance(event, Seen) and event.effect == "allow" and event.sent:
            self.calls.append(event)
        elif isinstance(event, Loaded) and event.kind == "mandate":
            self.mandated.add(_chain(event.entry))
        elif isinstance(event, Seen) and self._by_other_documents(event):
            self._learn(event, self.permits(event))

    def _by_other_documents(self, denied: Seen) -> bool:
        """Was it denied by a policy that was another one then, and by nothing else that a person has said?"""
        taken_away = any(not key.startswith("policy/") for key in denied.rules)
        mandated = _chain(denied.entry) in self.mandated
        known = denied.effect != "allow" and denied.wholly_known and denied.reason in _BY_RULES
        return known and denied.authority != self.authority and not (taken_away or mandated)

    def _learn(self, denied: Seen, grants: tuple[str, ...]) -> None:
        if grants:
            self.learned.add(denied.entry)
            self.calls.append(replace(denied, rules=grants, effect="allow", count=1))


def observed(events: Iterable[Event], file: str, authority: str, permits: Permits) -> Observed:
    """What was done under the policy in `file`. `authority`: the digest of what binds now; by it alone, a denied call
    isn't learned as allowed.
    """
    told = _Collecting(file, permits, authority)
    for event in events:
        told.take(event)
    like = _reported(told.reports)
    kept = [call for call in told.calls if not like(call)]
    first = set(told.grants[0]) if told.grants else None
    latest = set(told.grants[-1]) if told.grants else set()
    return Observed(
        calls=tuple(kept),
        reported=tuple(call for call in told.calls if like(call)),
        learned=frozenset(told.learned),
        new=frozenset() if first is None else frozenset(latest - first),
        reports=tuple(told.reports),
    )


def _reported(reports: Iterable[Reported]) -> Callable[[Seen], bool]:
    """Is it a call that was reported, or one with the same arguments to the same tool?"""
    entries = {one.entry for one in reports}
    exactly = {(one.name, _as_key(one.values)) for one in reports}
    return lambda call: call.entry in entries or (call.name, _as_key(call.values)) in exactly


def _chain(entry: str) -> str:
    """The guard process that an entry is of."""
    return entry.rpartition("-")[0]


def _as_key(values: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(values.items())


def permitted_now(found: Observed, permits: Callable[[Seen, str], bool]) -> Observed:
    """Without what a grant (by its key) doesn't permit any more: a person took that away, and it isn't given back."""
    kept = []
    for call in found.calls:
        if rules := tuple(key for key in call.rules if permits(call, key)):
            kept.append(replace(call, rules=rules))
    return replace(found, calls=tuple(kept))


def split(found: Observed, share: float) -> tuple[Observed, tuple[Seen, ...]]:
    """The older calls to learn from, and the newest `share` of them (0 to below 1) to try the result on."""
    keep = len(found.calls) - int(len(found.calls) * share)
    return replace(found, calls=found.calls[:keep]), found.calls[keep:]
