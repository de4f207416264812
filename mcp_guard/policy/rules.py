"""Rules as they are judged: targets, argument limits, conditions and budgets, compiled once when a document is loaded.

Knows neither YAML nor where a rule was written, beyond its `RuleRef`. What each part answers about a call is in here;
how the answers add up is in `decide.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from mcp_guard.inspection.obligations import NOTHING, Obligations
from mcp_guard.model import Answer, Call, Charge, Effect, EffectClass, Facts, Json, Kind, RuleRef
from mcp_guard.policy.budgets import Budget, Count, Rate
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.constraints import Constraint
from mcp_guard.policy.names import NamePattern, fits
from mcp_guard.policy.order import After
from mcp_guard.policy.times import Window

Check = Callable[[object, Facts], Answer]


@dataclass(frozen=True, slots=True)
class Limit:
    """What one argument (or a resource's URI) may be."""

    constraint: Constraint
    check: Check = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arguments:
    """The limits on a call's arguments.

    In a grant, `listed` must be given and fit, `optional` may be given and then must fit, and anything else is allowed
    only with `others`; with `nulls`, a null counts as not given where nothing has to be given. In an ask or a deny only
    `listed` is used: the rule is about calls that give these, with such values.
    """

    listed: Mapping[str, Limit] = field(default_factory=dict)
    optional: Mapping[str, Limit] = field(default_factory=dict)
    others: bool = False
    nulls: bool = False

    def permit(self, arguments: Mapping[str, Json], facts: Facts) -> bool:
        """The question of a grant: a clear yes to everything that is given, and everything listed is given."""
        for name, limit in self.listed.items():
            if name not in arguments or limit.check(arguments[name], facts) is not Answer.YES:
                return False
        for name, value in arguments.items():
            if name in self.listed or (value is None and self.nulls):
                continue
            extra = self.optional.get(name)
            if extra is None:
                if not self.others:
                    return False
            elif extra.check(value, facts) is not Answer.YES:
                return False
        return True

    def concern(self, arguments: Mapping[str, Json], facts: Facts) -> bool:
        """The question of an ask or a deny: yes, unless one listed argument is a clear no.

        An argument that isn't given is one (`args: {force: true}` is about calls that force). Neither is, if another
        one looks like it: a server may read `Force` as `force`, also where it is given `force: false` beside it.
        """
        for name, limit in self.listed.items():  # noqa: SIM110 - on the hot path a loop is cheaper
            if not _concerns(name, limit, arguments, facts):
                return False
        return True


@lru_cache(maxsize=1024)
def _loosely(name: str) -> str:
    """A name that a document says; never one of a call."""
    return loose(name)


def _concerns(name: str, limit: Limit, arguments: Mapping[str, Json], facts: Facts) -> bool:
    if name in arguments and answer(limit, arguments[name], facts) is not Answer.NO:
        return True
    wanted = _loosely(name)
    for given in arguments:  # noqa: SIM110 - on the hot path a loop is cheaper
        if given != name and loose(given) == wanted:
            return True
    return False


def answer(limit: Limit, value: object, facts: Facts) -> Answer:
    """What the limit says of a value; a check that raises can't say."""
    try:
        return limit.check(value, facts)
    except Exception:
        return Answer.UNSURE


@dataclass(frozen=True, slots=True)
class When:
    """Who and when, and what the session carries; an empty part holds always.

    `holds` and `may_hold` are about who and when, which listings go by, too; labels are asked for by calls alone.
    """

    principals: tuple[str, ...] = ()
    window: Window | None = None
    labels: tuple[str, ...] = ()  # the session has all of these
    no_labels: tuple[str, ...] = ()  # and none of these

    def holds(self, call: Call, facts: Facts) -> bool:
        """The question of a grant; raises if the time can't be told."""
        return self.is_for(call.principal) and (self.window is None or self.window.holds(facts.now))

    def may_hold(self, call: Call, facts: Facts) -> bool:
        """The question of an ask or a deny: unless clearly not."""
        who = not self.principals or any(fits(loose(pattern), loose(call.principal)) for pattern in self.principals)
        if not who or self.window is None:
            return who
        try:
            return self.window.holds(facts.now)
        except Exception:
            return True

    def fits_labels(self, labels: Set[str]) -> bool:
        """Does a session with these labels have all that are wanted, and none of the others?"""
        return all(one in labels for one in self.labels) and not any(one in labels for one in self.no_labels)

    def is_for(self, principal: str) -> bool:
        """Is this the principal, to the letter (`*` for any run of characters)?"""
        return not self.principals or any(fits(pattern, principal) for pattern in self.principals)


@dataclass(frozen=True, slots=True)
class Rule:
    """One compiled rule: either `names` or `effects` is set. A rule about resources names only their server."""

    ref: RuleRef
    kind: Kind
    names: tuple[NamePattern, ...] = ()
    effects: frozenset[EffectClass] = frozenset()
    arguments: Arguments | None = None  # None: whatever they are
    uri: Limit | None = None  # None: whatever it is
    when: When | None = None
    advice: str = ""
    deny_secrets: bool = False  # a grant: calls without a secret in them; an ask or a deny: calls with one
    # the rest belongs to grants
    asks: bool = False
    budget: Budget | None = None
    until: datetime | None = None
    disclose: bool = True
    result: Obligations = NOTHING
    after: After | None = None  # of asks and denies, too
    once: bool = False
    rate: Rate | None = None
    # what follows from the rest, since every decision asks for it
    key: str = field(init=False, default="")
    counts: tuple[Count, ...] = field(init=False, default=(), repr=False)  # its budget and its rate
    exercised: tuple[Charge, ...] = field(
        init=False, default=(), repr=False, compare=False
    )  # of a call, if it has none
    always: bool = field(init=False, default=False, repr=False, compare=False)
    remembers: bool = field(init=False, default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.ref.key)
        object.__setattr__(self, "counts", tuple(one for one in (self.budget, self.rate) if one is not None))
        object.__setattr__(self, "exercised", (Charge(self.key, calls=0),))
        object.__setattr__(self, "always", self.when is None and self.until is None and self.uri is None)
        object.__setattr__(self, "remembers", self._remembers())

    @property
    def is_grant(self) -> bool:
        return self.ref.effect is Effect.ALLOW

    @property
    def unconditional(self) -> bool:
        """Does it speak about every call to its target, whatever the arguments are and whatever came before?"""
        if self.deny_secrets or self.remembers:
            return False
        return self.arguments is None or not self.arguments.listed

    def _remembers(self) -> bool:
        """Does it go by what the session has met or done? What it says then isn't known to a listing (law 3)."""
        by_label = self.when is not None and bool(self.when.labels or self.when.no_labels)
        return by_label or self.after is not None or self.once

    def names_exactly(self, server: str, target: str) -> bool:
        """Is one of the names this very target, without `*`? A resource is named by its server."""
        wanted = "" if self.kind is Kind.RESOURCE else target
        return any(name.exact and name.server == server and name.target == wanted for name in self.names)

    def may_name(self, server: str, target: str) -> bool:
        """Could the rule be about this target? What depends on the moment (effects, first sight) is asked later."""
        if self.effects:
            return True
        if self.kind is Kind.RESOURCE:
            target = ""  # `uri` says which of the server's resources
        if self.is_grant:
            return any(name.matches(server, target) for name in self.names)
        return any(name.covers(loose(server), loose(target)) for name in self.names)
