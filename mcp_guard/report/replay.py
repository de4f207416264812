"""Recorded calls, judged under another policy: newly denied, asked, allowed; and where that can't be told.

Core. Both bounds of the policy judge each call, with counts of their own: the stricter one counts every call that may
have been allowed, the milder one those that surely were. Where the two agree, that is the policy's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from mcp_guard.model import (
    Admitted,
    Call,
    Charge,
    Decision,
    Described,
    Effect,
    EffectClass,
    Json,
    Kind,
    Origin,
    Reason,
    Unit,
    Usage,
)
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document
from mcp_guard.report.bounds import bound
from mcp_guard.report.recorded import Recorded
from mcp_guard.report.slack import Digest

EFFECTS = {"allow": Effect.ALLOW, "ask": Effect.ASK, "deny": Effect.DENY}
_ANYWAY = frozenset(
    {
        *(Reason.PROTECTED, Reason.INVALID_ARGUMENTS, Reason.MALFORMED, Reason.UNKNOWN_METHOD, Reason.UNKNOWN_HANDLE),
        *(Reason.TOO_MANY, Reason.UNRECORDED, Reason.STOPPED, Reason.UNAVAILABLE, Reason.INTERNAL),
        Reason.SCANNED,
    }
)
"""What was refused for reasons that no policy changes."""
_UNLOOKED = frozenset({Reason.UNKNOWN_TARGET, Reason.UNEXPECTED_MEMBER})
"""What was refused before its rest was looked at: under another policy it may be allowed, never surely."""


class Change(StrEnum):
    """What another policy makes of one call."""

    ALLOWED = "newly allowed"
    ASKED = "newly asked"
    DENIED = "newly denied"
    UNTOLD = "can't be told"
    SAME = "as before"


@dataclass(frozen=True, slots=True)
class Past:
    """One recorded call. `certain`: nothing of its target was cut, and no part of it went uninspected."""

    entry: str
    time: datetime
    session: str
    principal: str
    method: str
    server: str
    target: str
    kind: Kind
    effect: Effect  # ASK also if a person agreed
    reason: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Json] = field(default_factory=dict)  # arguments of which the value was kept
    count: int = 1
    certain: bool = True
    mandated: bool = False  # a mandate bound it, too, which isn't replayed
    refunded: bool = False  # nothing of it was sent, so its charges went back


@dataclass(frozen=True, slots=True)
class Replayed:
    """One call and what became of it. `looser`: less strict now, or maybe."""

    past: Past
    change: Change
    now: Decision  # of the stricter bound
    looser: bool


@dataclass(slots=True)
class World:
    """Facts of one bound: implements `model.Facts` as far as a rewritten document asks."""

    strict: bool
    seen: Callable[[str], Collection[str] | None]  # a server's tools at first sight
    now: datetime = datetime.min
    session: str = ""
    charges: dict[tuple[str, str], list[tuple[datetime, int]]] = field(default_factory=dict)
    leads: Callable[[str], str | None] = lambda path: None  # where a path leads, as far as that is known

    def used(self, rule: str, account: str = "", seconds: int = 0) -> Usage:
        since = self.now - timedelta(seconds=seconds) if seconds else None
        made = self.charges.get((account or f"session {self.session}", rule), [])
        return Usage(sum(calls for moment, calls in made if since is None or moment > since))

    def charge(self, made: Iterable[Charge], times: int) -> None:
        """One call is one, whatever the number of counts that it is in."""
        for account, rule in {(one.account or f"session {self.session}", one.rule) for one in made}:
            self.charges.setdefault((account, rule), []).append((self.now, times))

    def values(self, rule: str, account: str = "", seconds: int = 0) -> Mapping[str, Collection[str]]:
        return {}

    def fingerprint(self, value: Json) -> str:
        raise LookupError("no value is known")

    def resolve(self, path: str) -> str | None:
        return self.leads(path)

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        return frozenset()

    def described(self, server: str, tool: str) -> Described | None:
        """The milder bound takes a tool that the policy doesn't describe for one that does nothing."""
        return None if self.strict else Described(frozenset())

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return not self.strict or tool in (self.seen(server) or ())

    def origins(self, unit: Unit) -> Collection[Origin]:
        return ()

    def locked(self, server: str, tool: str) -> bool:
        return not self.strict

    def labels(self) -> frozenset[str]:
        raise LookupError("no label is known")

    def admitted(self) -> Admitted:
        raise LookupError("no history is known")


Started = Callable[[Past], datetime]
"""When the mandate was first used by whoever made a call."""


def replay(
    calls: Iterable[Past],
    policy: Document | tuple[Document, ...],
    digest: Digest | None,
    seen: Callable[[str], Collection[str] | None],
    leads: Callable[[str], str | None] = lambda path: None,
    started: Started | None = None,
) -> Iterator[Replayed]:
    """Each call in the order of the record, under a policy, or a policy and a mandate (which needs `started`). Budgets
    count from the first of them. `leads`: where a path leads, for calls whose values were kept.
    """
    layers = policy if isinstance(policy, tuple) else (policy,)
    mandated = any(layer.kind == "mandate" for layer in layers)
    worlds = World(True, seen, leads=leads), World(False, seen, leads=leads)
    bounds = {
        (strict, known): tuple(bound(layer, digest, strict=strict, names_known=known) for layer in layers)
        for strict in (True, False)
        for known in (True, False)
    }
    since: datetime | None = None
    documents: dict[tuple[bool, bool], Authority] = {}
    for past in calls:
        if mandated:
            past = replace(past, mandated=False)  # all that binds is named
        begins = started(past) if mandated and started is not None else None
        if not documents or begins != since:
            since = begins
            documents = {key: Authority(said, begins) for key, said in bounds.items()}
        known = not {"*", "left_out"} & past.given.keys()
        call = _call(past)
        said = []
        for world in worlds:
            world.now, world.session = past.time, past.session
            said.append(decide(documents[world.strict, known], call, world))
        strict, mild = said
        if past.reason not in _ANYWAY:
            worlds[0].charge(() if mild.effect is Effect.DENY else mild.charges, past.count)
        if strict.allowed and _surely_made(past):
            worlds[1].charge(strict.charges, past.count)
        yield _compared(past, strict, mild)


def _surely_made(past: Past) -> bool:
    """If the policy allows it, is it made and charged, whatever else there is?"""
    spared = past.reason in _ANYWAY | _UNLOOKED or past.refunded or past.mandated
    return past.certain and not spared


def _call(past: Past) -> Call:
    arguments = {
        name: None if kind == "null" else Recorded(name, kind, past.values.get(name, ""), _value(past, name))
        for name, kind in past.given.items()
        if name not in ("*", "left_out")
    }
    method = "prompts/get" if past.method == "completion/complete" else past.method  # whose arguments lie elsewhere
    return Call(past.principal, method, past.server, past.target, {"arguments": arguments}, past.kind)


def _value(past: Past, name: str) -> tuple[Json, ...]:
    return (past.known[name],) if name in past.known else ()


def _compared(past: Past, strict: Decision, mild: Decision) -> Replayed:
    if past.reason in _ANYWAY:
        return Replayed(past, Change.SAME, strict, looser=False)
    least, most = mild.effect, strict.effect
    if not past.certain:
        least, most = Effect.ALLOW, Effect.DENY
    elif past.reason in _UNLOOKED or past.mandated:
        most = Effect.DENY  # what wasn't replayed may still refuse it
    if least is not most:
        return Replayed(past, Change.UNTOLD, strict, looser=least < past.effect)
    if most is past.effect:
        return Replayed(past, Change.SAME, strict, looser=False)
    change = {Effect.ALLOW: Change.ALLOWED, Effect.ASK: Change.ASKED, Effect.DENY: Change.DENIED}[most]
    return Replayed(past, change, strict, looser=most < past.effect)
