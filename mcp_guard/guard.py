"""What one guard process has, whoever connects: authority, record, servers to start, its own things to protect.

It judges; `gateway.py` makes it so. Opens a conversation for each client and holds no state of one.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from mcp_guard import log
from mcp_guard.approvals.port import Approver, Memory, Nobody, nothing
from mcp_guard.approvals.under_way import UnderWay
from mcp_guard.binding import Local, Rebound, Stack, nothing_bound
from mcp_guard.candidate import Candidate
from mcp_guard.catalog import Tool
from mcp_guard.catalogue import Known, find, steering
from mcp_guard.errors import GuardError
from mcp_guard.handles import Handles
from mcp_guard.history.index import origins
from mcp_guard.history.sources import Asked, asked_by, still_counts
from mcp_guard.inspection.obligations import NOTHING, Obligations
from mcp_guard.inspection.secrets import finder
from mcp_guard.lock.pins import PinKind
from mcp_guard.lock.servers import Lock
from mcp_guard.model import (
    EVERY_EFFECT,
    Admitted,
    Approval,
    Call,
    Decision,
    Described,
    Effect,
    EffectClass,
    Facts,
    Json,
    Kind,
    Origin,
    Reason,
    Unit,
    Usage,
)
from mcp_guard.policy.approved import without_progress
from mcp_guard.policy.constraint_sources import FORGOTTEN
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.names import fits
from mcp_guard.policy.roots import roots_of
from mcp_guard.policy.yaml_source import quoted
from mcp_guard.protection import Protection, local_resolve
from mcp_guard.record.entries import Entry, Request
from mcp_guard.record.quarantine import Quarantine
from mcp_guard.record.stops import Stops
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView
from mcp_guard.record.values import Values
from mcp_guard.record.was import value_digests
from mcp_guard.scans import Scans
from mcp_guard.server_spec import ServerSpec
from mcp_guard.transports.spawn import Child
from mcp_guard.upkeep import Upkeep
from mcp_guard.wire import keyed_digest, shape
from mcp_guard.worded import worded

if TYPE_CHECKING:
    from mcp_guard.watch import Watch

LACKS_MANDATE = "the policy says `mandate: required`, and there is none"


def judge(
    authority: Authority,
    protection: Protection,
    call: Call,
    tool: Tool | None,
    facts: Facts,
    approvals: Collection[Approval] = (),
) -> Decision:
    """Everything that can refuse a call, in the order in which a refusal is most useful to whoever made it."""
    # A server's own state, which comes back as it was given out (`rounds.py`), is nothing that the client named. A
    # `requestState` of any other call is the client's: an extension's method may have a member of that name.
    theirs = "requestState" if call.continues else None
    if protection.named_by(worded(call.params, theirs)):
        return Decision(Effect.DENY, Reason.PROTECTED)
    decision = decide(authority, call, facts, approvals)
    if decision.effect is not Effect.DENY and tool is not None:
        problem = tool.check(call.arguments)
        if problem is not None:
            return Decision(Effect.DENY, Reason.INVALID_ARGUMENTS, detail=problem)
    return decision


def _nothing() -> None:
    """Nobody waits."""


@dataclass(slots=True)
class Guard:
    """The part of a guard that all its conversations share."""

    authority: Authority
    record: Record
    specs: tuple[ServerSpec, ...]
    prefixed: bool  # several servers (`run`): tools under `server__tool`; one (`wrap`): under their own names
    protection: Protection
    session_key: str  # of a client on stdio; over HTTP the principal makes it
    clock: Callable[[], datetime]
    children: dict[str, Child] = field(default_factory=dict)  # started ahead, each for the first conversation
    latest: datetime | None = None  # of the entries of this process
    approver: Approver = field(default_factory=Nobody)
    lock: Lock | None = None  # what was offered when a person looked; None: first sight has to do
    unlike: Mapping[str, str] = field(default_factory=dict)  # servers that aren't started as they were locked, and why
    memory: Memory = nothing  # of answers that were given before the call that asks
    answered_here: Callable[[], None] = _nothing  # an answer was recorded by this process: whoever waits may look
    under_way: UnderWay = field(default_factory=UnderWay)  # what a stop ends
    look_up: Callable[[Sequence[str]], Known | None] = find  # the effects catalogue, by a server's command
    watch: Watch | None = None  # what guard.yaml has watched beside the rules; None: nothing
    upkeep: Upkeep = field(init=False)  # of the record, between calls
    scans: Scans = field(default_factory=Scans)  # what listed things have in them that speaks to the model
    values: Values | None = None  # where a person wants arguments kept; it judges nothing
    values_lost: int = 0  # calls of which they could not be kept
    candidate: Candidate | None = None  # a policy that is judged beside the one in force, and changes nothing
    authority_digest: str = field(init=False)
    asked: Asked = field(init=False)  # what the documents ask about where values come from
    handles: Handles = field(init=False)  # what clients hold beyond one call
    quarantine: Quarantine = field(init=False)  # answers that wait for a person
    local: Local | None = None  # what is taken away on this machine, beside the documents
    rebound: set[Rebound] = field(default_factory=set)  # conversations
    views: list[Guard] = field(default_factory=list)  # of sessions with a mandate of their own
    stops: Stops = field(default_factory=Stops)  # what a person has stopped
    ended: bool = False  # a view whose token was revoked
    _stack: Stack = nothing_bound
    _good: Callable[[sqlite3.Connection], bool] = field(default=lambda connection: True)
    _renewed: int = 0  # the record's epoch in which `renew` looked at all
    _wanted: dict[str, Obligations] = field(default_factory=dict)  # by server
    roots: Mapping[str, str | None] = field(default_factory=dict)  # where grants' directories led when first bound

    def __post_init__(self) -> None:
        self.upkeep = Upkeep(self.record)
        self.handles = Handles(self.record.key)
        for rule in (rule for layer in self.authority.layers for rule in layer.rules):
            if rule.deny_secrets or rule.result.redact:
                finder(rule.result.patterns)  # made now: the first call needn't wait for it
        self.quarantine = Quarantine(self.record.directory)
        self._derive()

    def bind(
        self, authority: Authority, lock: Lock | None, unlike: Mapping[str, str], local: Local | None = None
    ) -> None:
        """From here on these documents and this lock judge, and another list of local denies if there is one, which
        `authority` has read. Takes no step between calls: no call sees half of it.
        """
        self.authority, self.lock, self.unlike, self.local = authority, lock, unlike, local or self.local
        self._derive()
        for view in self.views:
            view._follow(self, anew=local is not None)
        self._tell(True)

    @property
    def policy(self) -> Document | None:
        """The standing document, if there is one."""
        return next((layer for layer in self.authority.layers if layer.kind == "policy"), None)

    def view(self, stack: Stack, good: Callable[[sqlite3.Connection], bool]) -> Guard:
        """The same guard for sessions that another stack of documents binds; it follows this one's policy.

        All but documents is shared: record, servers, questions, stops. `good` says whether the stack still counts.
        """
        found = copy(self)
        found.views, found._stack, found._good = [], stack, good
        found.candidate = None  # a policy alone isn't to be compared with one under a mandate
        found._follow(self)
        self.views.append(found)
        return found

    def _follow(self, main: Guard, *, anew: bool = True) -> None:
        if anew:
            self.local, self.authority = copy(main.local), replace(self.authority, local=main.authority.local)
        own = self._stack(main.policy)
        authority = replace(own, local=self.authority.local, without=main.authority.without)
        self.authority, self.lock, self.unlike, self.protection = authority, main.lock, main.unlike, main.protection
        self._derive()

    def _derive(self) -> None:
        self._wanted, self._renewed = {}, 0
        self.authority_digest = self.authority.digest
        self.asked = asked_by(self.authority)
        # What was resolved once stays: else an edit would let a grant follow a link that was turned meanwhile.
        new = {root for layer in self.authority.layers for root in roots_of(layer)} - self.roots.keys()
        self.roots = {**self.roots, **{root: local_resolve(root) for root in new}}

    def renew(self, connection: sqlite3.Connection, epoch: int = 0) -> None:
        """Take up the local denies of this moment, within the transaction that judges: they bind at once.

        `epoch` is its view's: nothing has changed in the same one. Raises GuardError if they are gone or changed, which
        denies the call that is being judged.
        """
        if epoch and epoch == self._renewed:
            return
        if self.authority.layers and not self._good(connection):  # for good: what ended never begins again
            self._stack, self.ended = nothing_bound, True
            self.authority = Authority(())
            self._derive()
            self._tell(False)
        is_new = self.local is not None and self.local.changed(connection)
        if self.local is not None and is_new:
            self.authority = replace(self.authority, local=self.local.load(connection))
        self._renewed = epoch
        if is_new:
            self._tell(False)

    def _tell(self, documents: bool) -> None:
        for tell in list(self.rebound):
            tell(documents)

    def now(self) -> datetime:
        """The guard's time outside of a transaction: it doesn't go back, whatever the clock does."""
        now = self.clock()
        return now if self.latest is None else max(now, self.latest)

    def expired(self) -> bool:
        """Is the mandate over, or a required one missing? Then nothing is shown, as of a server without tools."""
        now = self.now()
        over = any(deadline is not None and deadline <= now for deadline in self.authority.deadlines)
        return over or self.authority.lacks_mandate

    def knows(self, server: str) -> bool:
        """Could any grant be about this server, in every layer? If not, what it says of itself isn't passed on."""
        layers = self.authority.layers
        return bool(layers) and all(
            any(
                rule.is_grant and (rule.effects or any(fits(name.server, server) for name in rule.names))
                for rule in layer.rules
            )
            for layer in layers
        )

    def grants(self, kind: Kind) -> bool:
        """Does every layer grant something of this kind? If not, servers' capabilities for it aren't shown."""
        layers = self.authority.layers
        return bool(layers) and all(
            any(rule.is_grant and rule.kind is kind for rule in layer.rules) for layer in layers
        )

    def wants_of(self, server: str) -> Obligations:
        """What all grants that may be about this server want done to answers: for what no call can be told of."""
        found = self._wanted.get(server)
        if found is None:
            rules = [rule for layer in self.authority.layers for rule in layer.rules if rule.result]
            about = [rule for rule in rules if rule.effects or any(fits(name.server, server) for name in rule.names)]
            found = self._wanted[server] = reduce(or_, (rule.result for rule in about), NOTHING)
        return found

    def known(self, spec: ServerSpec) -> Known | None:
        """What the effects catalogue knows of a server; nothing if its variables may make its command another one."""
        return None if steering(spec.given) else self.look_up(spec.command)

    def judge(self, call: Call, tool: Tool | None, facts: Facts, approvals: Collection[Approval] = ()) -> Decision:
        """The one judgement of a call (law 3), also of one that has been approved."""
        return judge(self.authority, self.protection, call, tool, facts, approvals)

    def origins(self, unit: Unit, view: UsageView | None) -> Collection[Origin]:
        """Where a unit comes from: the documents, and inside of a transaction, what the session has seen."""
        known = self.asked.known.get(unit, ())
        if view is None or not self.asked.history:
            return known
        found = origins(unit, self.record.digests, view.seen)
        forgotten = (FORGOTTEN,) if view.seen.forgotten else ()
        return (*known, *(one for one in found if still_counts(self.authority, one)), *forgotten)

    def keep_values(self, entry: Entry, call: Call, names: Mapping[str, Any]) -> None:
        """Keep what a recorded call carried, if a person wants that. What can't be kept is said once, and missing."""
        if self.values is None:
            return
        try:
            self.values.keep(entry, call.arguments, names)
        except GuardError as error:
            if not self.values_lost:
                log.warning("the arguments of a call could not be kept", error=str(error))
            self.values_lost += 1

    def describe(self, call: Call, session_key: str, client: str, names: Mapping[str, Any]) -> Request:
        """What the record keeps of a call: shape and keyed digest, no value (law 8)."""
        arguments = call.arguments
        return Request(
            principal=call.principal,
            session=session_key,
            method=call.method,
            server=call.server,
            target=call.target if call.kind is not Kind.RESOURCE else without_query(call.target),
            kind=call.kind,
            shape=shape(arguments, names),
            digest=keyed_digest(self.record.key, {"method": call.method, "params": without_progress(call.params)}),
            authority_digest=self.authority_digest,
            client=client,
            values=value_digests(self.record.key, arguments, names),
        )

    def session_for(self, principal: str) -> str:
        """The key of a principal's history where no client process can be told apart (HTTP)."""
        mandates = [layer.digest for layer in self.authority.layers if layer.kind == "mandate"]
        text = "\n".join([principal, *mandates])
        return self.current(hashlib.sha256(text.encode()).hexdigest()[:16])

    def current(self, base: str) -> str:
        """The history that the sessions of this key have: the older one, if that can't be told."""
        try:
            return self.record.current(base)
        except GuardError:
            return base


@dataclass(slots=True)
class LiveFacts:
    """What is known while one call is judged: implements `model.Facts` over the record's transaction."""

    now: datetime
    usage: UsageView | None
    known: Mapping[str, frozenset[str]]  # by server: the tools that were there at first sight
    tools: Mapping[tuple[str, str], Tool]  # by server and the server's own name
    roots: Mapping[str, str | None] = field(default_factory=dict)  # paths that have to lead where they led at first
    base: str | None = None  # where the server's relative paths start; None: where the guard's do
    key: bytes = b""  # of the record, for fingerprints
    sources: Callable[[Unit], Collection[Origin]] = lambda unit: ()
    lock: Lock | None = None
    _resolved: dict[str, str | None] = field(default_factory=dict)  # one judgement asks for the same path repeatedly

    def used(self, rule: str, account: str = "", seconds: int = 0) -> Usage:
        """Outside of a transaction (listings), nothing was used: a listing doesn't depend on budgets (law 3)."""
        return self.usage.used(rule, account, seconds) if self.usage is not None else Usage()

    def values(self, rule: str, account: str = "", seconds: int = 0) -> Mapping[str, Collection[str]]:
        return self.usage.values(rule, account, seconds) if self.usage is not None else {}

    def fingerprint(self, value: Json) -> str:
        """Keyed: nobody can try values without the record's key (law 8)."""
        if not self.key:
            raise ValueError("a fingerprint without a key")
        return keyed_digest(self.key, value)

    def resolve(self, path: str) -> str | None:
        if path not in self._resolved:
            real = local_resolve(path, self.base)
            self._resolved[path] = real if self.roots.get(path, real) == real else None
        return self._resolved[path]

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        found = self.tools.get((server, tool))
        return found.added_effects if found is not None else EVERY_EFFECT  # just unlisted: its annotations aren't known

    def described(self, server: str, tool: str) -> Described | None:
        found = self.tools.get((server, tool))
        return found.described if found is not None else None

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return tool in self.known.get(server, frozenset())

    def origins(self, unit: Unit) -> Collection[Origin]:
        return self.sources(unit)

    def locked(self, server: str, tool: str) -> bool:
        return self.lock is not None and self.lock.pins(server, PinKind.TOOL, tool)

    def labels(self) -> frozenset[str]:
        """Only a judgement within its transaction can tell: elsewhere it raises, which closes what goes by it."""
        return self._usage().labels()

    def admitted(self) -> Admitted:
        """As `labels`."""
        return self._usage().admitted()

    def _usage(self) -> UsageView:
        if self.usage is None:
            raise LookupError("what a session has met and done is known within a transaction only")
        return self.usage


def without_made_up_names(decision: Decision, call: Call, names: Mapping[str, Any]) -> Decision:
    """The decision as it may be recorded. A name that the tool's schema doesn't have is the client's own, and a model
    can put a secret into a name as well as into a value (law 8).
    """
    if not decision.detail:
        return decision
    detail, stack = decision.detail, list(call.params.values())
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            stack.extend(value.values())
            for name in value:
                if name not in names:
                    detail = detail.replace(quoted(name), "`*`")
        elif isinstance(value, list):
            stack.extend(value)
    return decision if detail == decision.detail else replace(decision, detail=detail)


def without_query(uri: str) -> str:
    """A resource's URI for the record: a query or fragment is an argument by another name, and may hold a secret."""
    plain = re.split(r"[?#]", uri, maxsplit=1)[0]
    plain = re.sub(r"//[^/@]*@", "//…@", plain, count=1)
    return plain if plain == uri else f"{plain}?…"
