"""What an entry can be, what it says, and how much of it: the closed list of kinds and their bodies.

Every text comes from a client, a server or a document, so every text is bounded here. Values of arguments never come
in (law 8): a call arrives as shape and keyed digest. Texts are stored as they are and escaped where they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from mcp_guard.inspection.obligations import NOTHING
from mcp_guard.model import Approval, Charge, Decision, Effect, Kind, Otherwise, Outcome, RuleRef

TEXT_LIMIT = 256  # characters
LIST_LIMIT = 256  # items of a list or an object in a note
SHAPE_LIMIT = 4096  # bytes
NOTE_LIMIT = 65536  # bytes
DEPTH_LIMIT = 6
EFFECTS = {Effect.ALLOW: "allow", Effect.ASK: "ask", Effect.DENY: "deny"}


class EntryKind(StrEnum):
    """The closed list of what the record tells."""

    OPENED = "opened"
    """A guard process began its chain: its version, and the heads of the other chains, which it binds."""
    DECISION = "decision"
    """A request was judged, or refused before judgement: who, what (shape and digest), effect, reason, rules."""
    OUTCOME = "outcome"
    """What became of an allowed call; its charges were given back if `refunded`."""
    LOADED = "loaded"
    """Documents bind from here on: file names and digests."""
    FIRST_SIGHT = "first_sight"
    """A tool server's identity was seen for the first time, with so many tools: what a pattern in a grant reaches."""
    PINNED = "pinned"
    """Digests of what a server lists were pinned: at first sight, or since a person accepted them."""
    FIRST_USE = "first_use"
    """A mandate was used for the first time; its durations run from here."""
    SERVER_STARTED = "server_started"
    """A tool server was started or connected."""
    SERVER_EXITED = "server_exited"
    """A tool server went away."""
    SERVER_ILL = "server_ill"
    """A tool server crashed or kept silent so often in a row that calls to it are refused at once."""
    SERVER_WELL = "server_well"
    """It answers again."""
    SIGHTED = "sighted"
    """Units were seen in a result, or carried by a call: how many, and the digest of the rows that say which."""
    WITHHELD = "withheld"
    """Tools that the client isn't shown, beyond what no grant names: drift, collisions, unusable schemas."""
    RELEASED = "released"
    """A person released an answer that was held: the entry of its call, and the keyed digest of what was held."""
    EXPOSED = "exposed"
    """A server said something beside its tools' answers, which gave a session labels: which server, which labels."""
    LABELS_CLEARED = "labels_cleared"
    """A person took a session's labels away: which session, which labels."""
    SESSION_RENEWED = "session_renewed"
    """A person began a new history for a session's next start: which session, how often by now."""
    FOUND = "found"
    """The scan found something in what a server would have a model read, and it is shown all the same: rules only."""
    STOPPED = "stopped"
    """The guard process ended in good order; a chain without it was cut short."""
    ASKED = "asked"
    """A person is asked about a call: which entry asks, by which rules, until when, and who may answer."""
    APPROVED = "approved"
    """Somebody said yes to one question, which is good for one execution within a short time."""
    REFUSED = "refused"
    """Somebody said no to one question."""
    LAPSED = "lapsed"
    """Nobody answered a question in time, or nobody used the yes: it is no."""
    WITHDRAWN = "withdrawn"
    """Whoever waited for the answer is gone: it is no."""
    STANDING = "standing"
    """Somebody answered for the rest of a session, within exact clauses."""
    HALTED = "halted"
    """A scope was stopped (a session, a server, an effect, everything), by a person or by too many asks."""
    RESUMED = "resumed"
    """A person undid a stop."""
    PIN_SET = "pin_set"
    """A person set the PIN, or changed it (`again`). One that nobody remembers was an agent's."""
    CHECKPOINT = "checkpoint"
    """The heads of all chains at this moment, signed: what stands before it can't be changed without the key."""
    RETIRED = "retired"
    """Closed files of the record that are older than the retention are about to be removed."""
    CLOCK_SET = "clock_set"
    """A person said that recorded times were ahead of the true one: from here on time runs from the clock again."""
    ACCEPTED = "accepted"
    """A file that says what is granted counts from here on as it is now: which one, its digest, and why it may."""
    REPORTED = "reported"
    """A person reported a call that should not have been allowed: its entry, and the deny that follows from it."""
    NOT_IN_FORCE = "not_in_force"
    """A running guard found a file changed that doesn't count as it is now: which one, and why not."""
    REVOKED = "revoked"
    """A local deny was added or, with `undone`, taken away again by a person: which tool, which of its arguments."""


NOTES = frozenset(EntryKind) - {
    EntryKind.OPENED,
    EntryKind.DECISION,
    EntryKind.OUTCOME,
    EntryKind.FIRST_SIGHT,
    EntryKind.PINNED,
    EntryKind.FIRST_USE,
    EntryKind.SIGHTED,
    EntryKind.ASKED,
    EntryKind.APPROVED,
    EntryKind.REFUSED,
    EntryKind.LAPSED,
    EntryKind.WITHDRAWN,
    EntryKind.STANDING,
    EntryKind.HALTED,
    EntryKind.RESUMED,
    EntryKind.CHECKPOINT,
    EntryKind.CLOCK_SET,
    EntryKind.EXPOSED,
    EntryKind.LABELS_CLEARED,
    EntryKind.SESSION_RENEWED,
    EntryKind.ACCEPTED,
    EntryKind.REPORTED,
    EntryKind.REVOKED,
}
"""The kinds that `Record.note` takes; the others are written together with what they tell about."""
BINDING = frozenset({EntryKind.OPENED, EntryKind.CHECKPOINT})
"""The kinds that bind the ends of all chains."""
# Asking an enum for its value takes as long as a small function: what each call asks is asked once.
_DECISION, _OUTCOME = EntryKind.DECISION.value, EntryKind.OUTCOME.value
_KINDS = {kind: kind.value for kind in Kind}
_OUTCOMES = {outcome: outcome.value for outcome in Outcome}


@dataclass(slots=True)  # not frozen: to make a frozen one of so many fields takes longer than to write it down
class Request:
    """What the record keeps of a request. Texts beyond 256 characters are cut, with a mark. Nobody changes one."""

    principal: str
    session: str  # the guard's own key of the history: never cut, since budgets hang on it
    method: str
    server: str
    target: str
    kind: Kind
    shape: Mapping[str, Any]  # the arguments without their values
    digest: str  # keyed digest of what is judged and sent
    authority_digest: str  # of the documents that judged
    client: str = ""  # what the client calls itself; for display, never for a judgement
    values: Mapping[str, str] = field(default_factory=dict)  # by argument: keyed digest of its value (`was`)
    habits: Mapping[str, Any] = field(default_factory=dict)  # what the monitor goes by: keyed digests and a size

    def __post_init__(self) -> None:
        check_session(self.session)
        texts = self.principal + self.method + self.server + self.target + self.digest + self.authority_digest
        if len(texts) + len(self.client) <= TEXT_LIMIT and texts.isascii() and self.client.isascii():
            return  # none of them is too long if all together aren't
        for name in ("principal", "method", "server", "target", "digest", "authority_digest", "client"):
            text = getattr(self, name)
            if len(text) > TEXT_LIMIT or not text.isascii():
                setattr(self, name, bounded_text(text))


class Entry(NamedTuple):
    """A committed decision. Prints as `3f9a1c2e-17`: which chain, and where in it."""

    chain: str
    seq: int
    position: int  # among all entries of the record, from 1
    session: str
    decision: Decision
    time: datetime
    called: tuple[Kind, str, str] = (Kind.TOOL, "", "")  # kind, server and target, as they are recorded

    @property
    def id(self) -> str:
        return entry_id(self.chain, self.seq)

    def __str__(self) -> str:
        return self.id


def entry_id(chain: str, seq: int) -> str:
    """What a person reads and types: enough of the chain to tell it apart, and the place in it."""
    return f"{chain[:8]}-{seq}"


def check_session(session: str) -> None:
    """A session's key is ours (a digest); anything else is a defect of the caller, raised as ValueError."""
    if not 0 < len(session) <= TEXT_LIMIT or not session.isascii() or not session.isprintable():
        raise ValueError("a session's key is 1 to 256 printable ASCII characters")


def check_key(key: str) -> None:
    """The key of a server's identity or of a first use; none that is cut or odd, since it must be found again."""
    if not 0 < len(key) <= TEXT_LIMIT or not key.isprintable():
        raise ValueError("a key is 1 to 256 printable characters")


def stamp(moment: datetime) -> str:
    """UTC with microseconds, always 27 characters: sorts as it reads."""
    utc = moment if moment.tzinfo is UTC else _in_utc(moment)
    # Formatting by hand takes half as long as `isoformat`, and every entry has a time.
    date = (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ" % date  # noqa: UP031


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("the guard's clock must know its time zone")
    return moment.astimezone(UTC)


def canonical(body: Mapping[str, Any]) -> bytes:
    """The one serialisation of an entry, which its hash is taken of: sorted keys, UTF-8, no spaces, no floats."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def decision_body(request: Request, decision: Decision, count: int, charges: tuple[Charge, ...] = ()) -> dict[str, Any]:
    """What a decision entry says. `count` is above 1 where one entry stands for many like refusals; `charges` is what
    the decision has `charged`.
    """
    body: dict[str, Any] = {
        "kind": _DECISION,
        "session": request.session,
        "principal": request.principal,
        "client": request.client,
        "method": request.method,
        "server": request.server,
        "target": request.target,
        "target_kind": _KINDS[request.kind],
        "shape": _shape(request.shape),
        "digest": request.digest,
        "authority": request.authority_digest,
        "effect": EFFECTS[decision.effect],
        "rules": _rules(decision.rules[:LIST_LIMIT]),
    }
    if request.values:
        body["values"] = {bounded_text(name): digest for name, digest in request.values.items()}
    if decision.reason is not None:
        body["reason"] = decision.reason.value
    if decision.effect is Effect.ALLOW:
        body["gives"] = sorted(decision.gives)  # all of them: what follows from an entry must be in it
    if charges:
        body["charges"] = [_charge(charge) for charge in charges]
    if decision.approvals:
        body["approvals"] = [_approval(one) for one in decision.approvals[:LIST_LIMIT]]
    if decision.obligations is not NOTHING and decision.obligations:
        body["obligations"] = [bounded_text(wish) for wish in decision.obligations.in_words()][:LIST_LIMIT]
    if decision.advice:
        body["advice"] = [bounded_text(text) for text in decision.advice[:LIST_LIMIT]]
    if decision.permitted:
        body["permitted"] = [bounded_text(text) for text in decision.permitted[:LIST_LIMIT]]
    if decision.flags:
        body["flags"] = [bounded_text(flag) for flag in decision.flags[:LIST_LIMIT]]
    if request.habits:
        body["habits"] = dict(request.habits)
    if decision.detail:
        body["detail"] = bounded_text(decision.detail)
    if count != 1:
        body["count"] = count
    if decision.otherwise is not None:
        body["candidate"] = _otherwise(decision.otherwise)
    return body


def outcome_body(entry: Entry, outcome: Outcome, duration_ms: float, refund: bool, note: str) -> dict[str, Any]:
    """What an outcome entry says of the decision at `finishes`."""
    body: dict[str, Any] = {
        "kind": _OUTCOME,
        "session": entry.session,
        "finishes": entry.position,
        "outcome": _OUTCOMES[outcome],
        "duration_us": max(0, round(duration_ms * 1000)),
    }
    if refund:
        body["refunded"] = True
    if note:
        body["note"] = bounded_text(note)
    return body


def note_body(kind: EntryKind, session: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What any other entry says; too much of it is left out, and said to be."""
    kept = bounded(data)
    if len(orjson.dumps(kept)) > NOTE_LIMIT:
        kept = {"left_out": f"more than {NOTE_LIMIT} bytes"}
    return {"kind": kind.value, "session": session, "data": kept}


def charged(decision: Decision) -> tuple[Charge, ...]:
    """What a decision costs: an allowed call's charges that count something. A refusal costs nothing."""
    if decision.effect is not Effect.ALLOW:
        return ()
    for charge in decision.charges:
        if not (charge.calls or charge.sums or charge.values):
            return tuple(one for one in decision.charges if one.calls or one.sums or one.values)
    return decision.charges


def bounded_text(text: str) -> str:
    """At most 256 characters, with a mark where more was said; never a lone surrogate, which no UTF-8 holds."""
    kept = text[: TEXT_LIMIT + 1]
    if not kept.isascii():
        kept = kept.encode("utf-8", "backslashreplace").decode()
    if len(kept) <= TEXT_LIMIT:
        return kept
    mark = f"…[{len(text)} characters]"
    return kept[: TEXT_LIMIT - len(mark)] + mark


def bounded(value: Any, depth: int = 0) -> Any:
    """The same value with short texts, short lists, little depth and no floats."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if depth < DEPTH_LIMIT:
        if isinstance(value, Mapping):
            items = {bounded_text(str(key)): bounded(item, depth + 1) for key, item in list(value.items())[:LIST_LIMIT]}
            return items | ({"…": f"{len(value) - LIST_LIMIT} more"} if len(value) > LIST_LIMIT else {})
        if isinstance(value, list | tuple | set | frozenset):
            in_order = sorted(value) if isinstance(value, set | frozenset) else list(value)
            kept = [bounded(item, depth + 1) for item in in_order[:LIST_LIMIT]]
            return kept + ([f"… {len(in_order) - LIST_LIMIT} more"] if len(in_order) > LIST_LIMIT else [])
    return bounded_text(str(value))


def decimal_text(value: Decimal) -> str:
    """A sum as text, exact. Not a number, infinite or negative raises ValueError: it would lower what was used."""
    if not value.is_finite() or value < 0:
        raise ValueError("a budget can only be charged an amount of zero or more")
    return str(value)


def _charge(charge: Charge) -> dict[str, Any]:
    """`account` where it isn't the session's, `seconds` where it counts for a time; of values only fingerprints."""
    sums = {name: decimal_text(amount) for name, amount in charge.sums.items()} if charge.sums else {}
    body: dict[str, Any] = {"rule": charge.rule, "calls": charge.calls, "sums": sums}
    if charge.values:
        body["values"] = dict(charge.values)
    if charge.account:
        body["account"] = charge.account
    if charge.seconds:
        body["seconds"] = charge.seconds
    return body


def _otherwise(said: Otherwise) -> dict[str, Any]:
    """What a candidate would have said; its reason may be the name of an error, so it is bounded like any text."""
    rules = [bounded_text(key) for key in said.rules[:LIST_LIMIT]]
    return {"effect": EFFECTS[said.effect], "reason": bounded_text(said.reason), "rules": rules}


def _approval(approval: Approval) -> dict[str, Any]:
    """Who agreed, to which entry's question, about which rules; the digest of the call is there already, keyed."""
    return {
        "by": bounded_text(approval.by),
        "answers": bounded_text(approval.answers),
        "asks": [bounded_text(key) for key in sorted(approval.asks)[:LIST_LIMIT]],
    }


@lru_cache(maxsize=128)
def _rules(rules: tuple[RuleRef, ...]) -> orjson.Fragment:
    """Of rules that speak together: mostly the same few sets."""
    return orjson.Fragment(orjson.dumps([_rule(rule) for rule in rules]))


@lru_cache(maxsize=4096)
def _rule(rule: RuleRef) -> orjson.Fragment:
    at = f"{rule.file}:{rule.line}:{rule.column}"
    return orjson.Fragment(
        canonical({"at": bounded_text(at), "effect": EFFECTS[rule.effect], "key": bounded_text(rule.key)})
    )


def _shape(shape: Mapping[str, Any]) -> orjson.Fragment:
    """The shape as it is, or only its size: a client chooses the names of arguments, so it could fill the disk."""
    try:
        text = canonical(shape)
    except (TypeError, ValueError):  # too deep, an integer beyond 64 bits, or a lone surrogate
        return orjson.Fragment(b'{"left_out":"no plain JSON"}')
    if len(text) > SHAPE_LIMIT:
        return orjson.Fragment(canonical({"left_out": f"{len(text)} bytes"}))
    return orjson.Fragment(text)
