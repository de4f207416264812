"""The frozen vocabulary: what is asked, what is known, what the rules say, what it adds up to.

Core. Knows no clock, no file, no MCP type. Everything else in the package speaks these words; start reading here,
then `policy/decide.py`, then `gateway.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from functools import reduce
from operator import or_
from typing import Any, Protocol

from mcp_guard.inspection.obligations import NOTHING, Obligations
from mcp_guard.written_once import written_once

Json = Any
"""A JSON value as `wire.parse` yields it. `Any`, since it is raw on purpose."""


class Effect(IntEnum):
    """What a rule or a decision says; the order is the strictness, so `max` is "the strictest"."""

    ALLOW = 0
    ASK = 1
    DENY = 2


class Answer(Enum):
    """What a constraint says of a value. A grant needs YES; an ask or a deny fires unless NO (law 4)."""

    YES = "yes"
    NO = "no"
    UNSURE = "can't say"


class EffectClass(StrEnum):
    """What a tool can do to the world. A tool that nobody described has every class."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"
    EGRESS = "egress"
    SPEND = "spend"
    EXECUTE = "execute"


EVERY_EFFECT: frozenset[EffectClass] = frozenset(EffectClass)
GRAVE: frozenset[EffectClass] = frozenset({EffectClass.DESTRUCTIVE, EffectClass.EGRESS, EffectClass.SPEND})
"""What is granted by exact names only, as long as nobody has looked at the tools and locked them."""


class Kind(StrEnum):
    """What a call's target is, and with that which rules can speak about it."""

    TOOL = "tool"
    PROMPT = "prompt"
    RESOURCE = "resource"
    SERVER_REQUEST = "server_request"  # what a server may ask of the client: elicitation, sampling, roots
    EXTENSION = "extension"  # what the guard doesn't know and can't inspect: a method, capability or member by its name


class Reason(StrEnum):
    """Why a call was refused: the closed list that refusals, entries and `log` share (law 6)."""

    NO_AUTHORITY = "no_authority"  # no document binds this session
    NO_GRANT = "no_grant"  # some layer has no grant for this call
    DENIED = "denied"  # a deny rule fired
    NEEDS_APPROVAL = "needs_approval"  # an ask, and there is nobody to ask
    EXPIRED = "expired"  # every grant that fits is past its `until`, or the mandate is past `expires`
    BUDGET_SPENT = "budget_spent"  # every grant that fits has its budget used up
    INVALID_ARGUMENTS = "invalid_arguments"  # the server's own inputSchema says no
    NOT_CANONICAL = "not_canonical"  # a path, host or address that two readers would read differently
    PROTECTED = "protected"  # the call names the guard's own files or addresses (law 7)
    UNKNOWN_TARGET = "unknown_target"  # no such tool, or one that is hidden: the two look the same to the client
    UNKNOWN_METHOD = "unknown_method"  # a method, notification or revision that the guard doesn't know
    UNEXPECTED_MEMBER = "unexpected_member"  # a sibling of `name` and `arguments` that nothing allows
    UNKNOWN_HANDLE = "unknown_handle"  # a state, task or subscription that the guard didn't mint for this very call
    TOO_MANY = "too_many"  # more under way at once than the guard takes
    MALFORMED = "malformed"  # not one strict JSON-RPC message
    UNRECORDED = "unrecorded"  # the record can't take the entry, so there is no call (law 2)
    NOT_APPROVED = "not_approved"  # a person was asked and said no, or the session is asking too much
    STOPPED = "stopped"  # a person stopped this: the session, the server, the effect, or everything
    UNAVAILABLE = "unavailable"  # the tool server isn't there; nothing was sent
    INTERNAL = "internal"  # an error in the guard; it ends in a refusal (law 4)
    HISTORY = "history"  # every grant that fits is closed by what this session has met or done: labels, order, once
    NO_MANDATE = "no_mandate"  # the policy wants a mandate (`mandate: required`), and none binds this session
    TOO_OFTEN = "too_often"  # for now: a `rate`, or a budget per hour or day, has no room; later it may
    SCANNED = "scanned"  # a scanner that guard.yaml names spoke against it


class By(IntEnum):
    """Who may answer an ask, in rising strictness. One approval of several asks needs the strictest of theirs."""

    CLIENT = 0  # the client, in band: its claim that its user agreed, no proof of a person
    PERSON = 1  # somebody who gives the PIN at a terminal, or in the console
    CONSOLE = 2  # in the console alone, where all of the call is shown


class Outcome(StrEnum):
    """What became of a call that was allowed."""

    OK = "ok"  # the server answered with a result
    TOOL_ERROR = "tool_error"  # the server answered `isError: true`
    ERROR = "error"  # the server answered with a JSON-RPC error
    CANCELLED = "cancelled"  # the client gave up; the server was told
    UNKNOWN = "unknown"  # it was sent and no answer came (crash, time-out): it may have happened
    WITHHELD = "withheld"  # the server answered, and the guard didn't pass the answer on
    NOT_SENT = "not_sent"  # no byte reached the transport; charges are given back


@written_once
class Call:
    """One object that is judged, digested, recorded and sent (law 1).

    `params` is the whole `params` of the downstream request, with the server's own name for the target; `target`
    repeats that name (or the resource's URI) for the rules, which write it `server/target`.
    """

    principal: str
    method: str
    server: str
    target: str
    params: Mapping[str, Any]
    kind: Kind = Kind.TOOL
    continues: bool = False  # a handle of the guard's gave it its `requestState`, which is the server's own

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments that the rules constrain; absent and empty are the same to a rule.

        A completion carries the one it completes, and those given before it, elsewhere; they are no less a prompt's.
        """
        if self.method == "completion/complete":
            return self._completed()
        arguments = self.params.get("arguments")
        return arguments if type(arguments) is dict or isinstance(arguments, Mapping) else {}

    def _completed(self) -> Mapping[str, Any]:
        argument, context = self.params.get("argument"), self.params.get("context")
        before = context.get("arguments") if isinstance(context, Mapping) else None
        given = dict(before) if isinstance(before, Mapping) else {}
        if isinstance(argument, Mapping):
            given[str(argument.get("name"))] = argument.get("value")
        return given

    @property
    def name(self) -> str:
        """`server/target`, the way documents write it."""
        return f"{self.server}/{self.target}"


LONGEST_WINDOW = 86_400
"""Seconds. No budget or rate asks for what was charged longer ago, unless it asks for all."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a rule has used up so far: in this session, in an account over several, or in a window of time."""

    calls: int = 0
    sums: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a tool that the operator says nothing about: good for exactly the descriptor that was judged."""

    effects: frozenset[EffectClass]
    authority: tuple[str, ...] = ()  # arguments that say on what or whom the tool acts
    gives: tuple[str, ...] = ()  # labels that its answers carry


@dataclass(frozen=True, slots=True)
class Unit:
    """One whole value that can carry authority, in the one form in which it is compared; see `history.units`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Origin:
    """One place that a unit was seen in: `source` is `task`, `policy`, `trusted` or `untrusted`.

    Of results, `tool` is `server/tool`, and `field` a field that a document names (empty: anywhere in the result).
    """

    source: str
    tool: str = ""
    field: str = ""


UNTRUSTED = "untrusted"
"""The label of a session that may have read what strangers wrote: what nobody has described gives it."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """How often calls were admitted in this session, by tool (`server/tool`) and by grant (`RuleRef.key`)."""

    tools: Mapping[str, int] = field(default_factory=dict)
    grants: Mapping[str, int] = field(default_factory=dict)


class Facts(Protocol):
    """What is known at this moment. Implemented at the edge; documents and history know only this."""

    @property
    def now(self) -> datetime:
        """The guard's time, aware, UTC: max(clock, latest recorded)."""

    def used(self, rule: str, account: str = "", seconds: int = 0) -> Usage:
        """What `rule` (a `RuleRef.key`) has used, read inside the transaction that will charge it.

        In this session, or in `account`, which is of more than one session; if `seconds` isn't 0, only of the last so
        many seconds: what was charged exactly so long ago no longer counts.
        """

    def values(self, rule: str, account: str = "", seconds: int = 0) -> Mapping[str, Collection[str]]:
        """The same of different values: their fingerprints, by argument."""

    def fingerprint(self, value: Json) -> str:
        """Stands for a value where the value itself may not be kept (law 8); equal exactly for equal values."""

    def resolve(self, path: str) -> str | None:
        """The absolute path that `path` leads to once symbolic links are followed; None if that can't be told."""

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        """Classes that the server's own annotations add; they never take one away."""

    def described(self, server: str, tool: str) -> Described | None:
        """What the effects catalogue says of a tool that its server lists exactly as it was judged; None: nothing."""

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        """Was the tool there when this server was first seen? If not, a pattern in a grant doesn't reach it."""

    def origins(self, unit: Unit) -> Collection[Origin]:
        """Where the unit comes from, as far as is known; what is known of nowhere the model may have made up."""

    def locked(self, server: str, tool: str) -> bool:
        """Is the tool in `guard.lock`? If not, a pattern in a grant doesn't reach it where it is `GRAVE`."""

    def labels(self) -> frozenset[str]:
        """What this session has been exposed to so far; raises if that can't be told. Never asked by a listing."""

    def admitted(self) -> Admitted:
        """What this session has done so far; raises if that can't be told. Never asked by a listing."""


@dataclass(frozen=True, slots=True)
class RuleRef:
    """Where a rule stands: what an entry, a refusal and `explain` say of it."""

    layer: str  # "policy", "mandate" or "local"
    id: str
    effect: Effect  # ALLOW for a grant, ASK, DENY
    file: str
    line: int
    column: int
    by: By = By.PERSON  # who may answer, where the rule asks

    @property
    def key(self) -> str:
        """Names the rule in charges and counts: `policy/small-transfers`. Stable while the id stays."""
        return f"{self.layer}/{self.id}"

    @property
    def shown(self) -> str:
        """What a refusal calls it: its id in its document; of what is in none, that doesn't say enough."""
        return self.id if self.layer in ("policy", "mandate") else self.key


@dataclass(frozen=True, slots=True)
class Charge:
    """What admitting the call costs one rule, in one of its counts. Zero calls and nothing else: just exercised."""

    rule: str
    calls: int = 1
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)  # fingerprints, by argument, of values that are counted
    account: str = ""  # whose count it is; empty: the session's
    seconds: int = 0  # it counts for so long; 0: for good

    @property
    def count(self) -> tuple[str, str, int]:
        """Which count it is added to: a grant has one for its budget, one for its rate, and one at least."""
        return self.rule, self.account, self.seconds


@dataclass(frozen=True, slots=True)
class Approval:
    """A yes to one exact call: data that is judged again. It settles the asks that it lists and never beats a deny."""

    call: str  # digest of the call as it was shown, see `policy.approved.call_digest`
    asks: frozenset[str]  # keys of the rules that it settles: `policy/big`
    authority: str  # digest of the documents that asked; under others it settles nothing
    by: str  # who or what agreed: for the record, never for a judgement
    answers: str  # the entry that asked; every question has its own, so one approval carries one execution
    tier: By = By.PERSON  # in which way it was given: it settles no ask that wants a stricter one


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What a candidate policy would have said, where that is something else. For the record: nothing goes by it."""

    effect: Effect
    reason: str = ""  # of the closed list, or the name of an error
    rules: tuple[str, ...] = ()  # keys


@written_once
class Decision:
    """What all verdicts add up to. A refusal shows `rule`, `reason`, `advice` and `permitted`, and nothing else."""

    effect: Effect
    reason: Reason | None = None  # None exactly when the effect is ALLOW
    rules: tuple[RuleRef, ...] = ()  # the rules that gave this effect, the deciding one first; empty: no rule spoke
    charges: tuple[Charge, ...] = ()  # one or more for each grant that carried the call, budgeted or not
    advice: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()  # the limits of the nearest grants, in words; empty under `disclose: false`
    detail: str = ""  # for the person only (record, explain): may name files, thresholds, clauses; never a value
    approvals: tuple[Approval, ...] = ()  # what settled the asks of an allowed call
    obligations: Obligations = NOTHING  # what is done to the answer: of all grants that carried the call
    gives: frozenset[str] = frozenset()  # labels that the session has from here on: set with the admission (law 2)
    flags: tuple[str, ...] = ()  # what is out of the ordinary about the call: for the record and the person, no value
    halts: str = ""  # why the session is frozen together with this refusal; empty: it isn't
    otherwise: Otherwise | None = None  # what a candidate policy would have said

    @property
    def allowed(self) -> bool:
        return self.effect is Effect.ALLOW


def strictest(decisions: list[Decision]) -> Decision:
    """The strictest of several layers' decisions; of none, DENY: an empty stack denies."""
    if not decisions:
        return Decision(Effect.DENY, Reason.NO_AUTHORITY)
    first = max(decisions, key=lambda decision: decision.effect)  # `max` keeps the earliest: the policy speaks first
    if len(decisions) == 1:
        return first
    if first.effect is Effect.ALLOW:
        return Decision(
            Effect.ALLOW,
            rules=tuple(rule for decision in decisions for rule in decision.rules),
            charges=tuple(charge for decision in decisions for charge in decision.charges),
            approvals=tuple(dict.fromkeys(one for decision in decisions for one in decision.approvals)),
            obligations=_all(decisions),
            gives=frozenset(label for decision in decisions for label in decision.gives),
        )
    if first.effect is Effect.ASK:  # an approved ask is charged in every layer
        return Decision(
            Effect.ASK,
            first.reason,
            rules=tuple(rule for decision in decisions if decision.effect is Effect.ASK for rule in decision.rules),
            charges=tuple(charge for decision in decisions for charge in decision.charges),
            advice=tuple(line for decision in decisions for line in decision.advice),
            permitted=first.permitted,
            detail=first.detail,
            obligations=_all(decisions),
            gives=frozenset(label for decision in decisions for label in decision.gives),
        )
    return first


def _all(decisions: list[Decision]) -> Obligations:
    """Across layers obligations add up."""
    return reduce(or_, (decision.obligations for decision in decisions))
