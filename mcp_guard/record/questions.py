"""Questions to a person as the record keeps them: asked, answered, used, each at most once; and standing answers.

A question is an entry that asks, and a row beside it that says what became of it. Every change is an entry too, in the
same transaction, so `verify` can hold the rows against the chain. No value of an argument comes in here: the call is a
keyed digest (law 8); what a person is shown lies in a file of its own until the question is settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson

from mcp_guard.errors import GuardError, RecordFailed
from mcp_guard.model import Approval, By, Decision
from mcp_guard.record.entries import EntryKind, bounded_text, note_body, stamp
from mcp_guard.record.usage import UsageView
from mcp_guard.record.writer import Transaction

QUESTION_LIFE = timedelta(minutes=10)
"""A question that nobody answered by then is no: what it was about is no longer what happens on the screen."""
APPROVAL_LIFE = timedelta(minutes=5)
"""A yes is good for so long after it was given: time for an agent to repeat the call, and no more."""
STANDING_LIFE = timedelta(hours=8)
"""An answer for a session ends with the session, or after a working day."""
MAX_ASKS = 64
"""Rules that one question may be about."""
OPEN = "open"


class Settled(GuardError):
    """The question isn't open any more: answered, lapsed, withdrawn or used."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a question is bound to (law 1 and the authority): one execution of one digest."""

    entry: str
    session: str
    digest: str  # keyed, of the exact call
    authority: str
    pin: str  # digest of the tool as it was listed; empty where there is none
    asks: tuple[str, ...]  # keys of the rules that ask, sorted
    tier: By


def ask(moment: Transaction, asking: Asking, lease: timedelta) -> datetime:
    """Add a question, which somebody waits for so long; until when it may be answered."""
    if len(asking.asks) > MAX_ASKS:
        raise RecordFailed(f"more than {MAX_ASKS} rules ask about one call; nobody could read that")
    until = moment.now + QUESTION_LIFE
    said = {
        "question": asking.entry,
        "session": asking.session,
        "digest": asking.digest,
        "authority": asking.authority,
        "pin": asking.pin,
        "asks": list(asking.asks),
        "tier": int(asking.tier),
        "asked": stamp(moment.now),
        "until": stamp(until),
    }
    row = [said["question"], asking.session, asking.digest, asking.authority, asking.pin, _text(said["asks"])]
    row += [said["tier"], said["asked"], said["until"], OPEN, "", 0, "", stamp(moment.now + lease)]
    moment.connection.execute(f"INSERT INTO questions VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    moment.append(note_body(EntryKind.ASKED, asking.session, said))
    return until


def is_open(moment: Transaction, entry: str) -> bool:
    """Is it there, and unanswered?"""
    row = _row(moment, entry)
    return row is not None and row[1] == OPEN


def approve(moment: Transaction, entry: str, by: str, tier: By) -> datetime:
    """Say yes to one question; until when that is good. Raises Settled, or GuardError for a tier that isn't enough."""
    session, wanted = _open(moment, entry)
    if tier < wanted:
        raise GuardError(f"`{entry}` can be approved by the {By(wanted).name.lower()} only, or more strictly")
    valid = stamp(moment.now + APPROVAL_LIFE)
    said = {"question": entry, "by": bounded_text(by), "answered_in": int(tier), "valid": valid}
    _settle(moment, session, entry, "approved", EntryKind.APPROVED, said)
    return moment.now + APPROVAL_LIFE


def refuse(moment: Transaction, entry: str, by: str) -> None:
    """Say no to one question. Raises Settled."""
    session, _ = _open(moment, entry)
    said = {"question": entry, "by": bounded_text(by)}
    _settle(moment, session, entry, "refused", EntryKind.REFUSED, said)


def withdraw(moment: Transaction, entry: str) -> None:
    """Nobody waits for it any more. One that was answered or used meanwhile: a yes is taken back, the rest stays."""
    row = _row(moment, entry)
    if row is not None and row[1] in (OPEN, "approved"):
        _settle(moment, row[0], entry, "withdrawn", EntryKind.WITHDRAWN, {"question": entry})


def let_wait(moment: Transaction, entry: str) -> None:
    """The call that asked was answered with `pending`: an identical one may take the question over."""
    moment.connection.execute("UPDATE questions SET waits=? WHERE entry=?", (stamp(moment.now), entry))


def lapse(moment: Transaction) -> list[str]:
    """Settle what is too old; which questions that were."""
    now = stamp(moment.now)
    query = "SELECT entry, session FROM questions WHERE (state='open' AND until<=?) OR (state='approved' AND valid<=?)"
    found = moment.connection.execute(query, (now, now)).fetchall()
    for entry, session in found:
        _settle(moment, session, entry, "lapsed", EntryKind.LAPSED, {"question": entry})
    return [entry for entry, _ in found]


def take_over(view: UsageView, asking: Asking, lease: timedelta) -> str:
    """An open question of the very same call that nobody waits for: it is waited for again. Empty: there is none."""
    now = stamp(view.now)
    query = f"SELECT entry FROM questions WHERE {_SAME} AND state='open' AND until>? AND waits<=? ORDER BY asked"  # noqa: S608
    row = view.connection.execute(query, (*_bound(asking), now, now)).fetchone()
    if row is None:
        return ""
    view.connection.execute("UPDATE questions SET waits=? WHERE entry=?", (stamp(view.now + lease), row[0]))
    return str(row[0])


def given(view: UsageView, asking: Asking, call: str) -> Approval | None:
    """The yes that was given to the very same call after it had been answered with `pending`; used by whoever asks.

    `call` is the digest that the judge knows the call by.
    """
    query = f"""SELECT entry, asks, answerer, answered_in FROM questions
        WHERE {_SAME} AND state='approved' AND valid>? AND waits<=? ORDER BY asked"""  # noqa: S608 - own names
    now = stamp(view.now)
    for entry, asks, by, tier in view.connection.execute(query, (*_bound(asking), now, now)).fetchall():
        return Approval(call, frozenset(orjson.loads(asks)), asking.authority, by, entry, By(tier))
    return None


def live(view: UsageView, approval: Approval) -> bool:
    """Is this yes still good at this instant? One that the record knows no question of is its approver's affair."""
    row = view.connection.execute("SELECT state, valid FROM questions WHERE entry=?", (approval.answers,)).fetchone()
    return row is None or (row[0] == "approved" and row[1] > stamp(view.now))


def spend(view: UsageView, decision: Decision) -> None:
    """The call is allowed: what carried it is used up, in the transaction that says so (law 2)."""
    if not decision.allowed:
        return
    for one in decision.approvals:
        if not live(view, one):
            raise RecordFailed("an approval was used or is over; there is no call by it")
        view.connection.execute("UPDATE questions SET state='used' WHERE entry=?", (one.answers,))


class Clauses(Protocol):
    """Does a call fit the clauses of a standing answer?"""

    def __call__(self, clauses: Mapping[str, Any]) -> bool: ...


def stand(moment: Transaction, like: str, clauses: Mapping[str, Any], says: str, by: str, tier: By) -> str:
    """Answer for the rest of the session of question `like`, within `clauses`. Its id."""
    row = moment.connection.execute(
        "SELECT session, authority, pin, asks, tier FROM questions WHERE entry=?", (like,)
    ).fetchone()
    if row is None:
        raise GuardError(f"there is no question `{like}`; see `mcp-guard approvals list`")
    session, authority, pin, asks, wanted = row
    if says == "yes" and tier < wanted:
        raise GuardError(f"`{like}` can be approved by the {By(wanted).name.lower()} only, or more strictly")
    name, until = f"{like}+", stamp(moment.now + STANDING_LIFE)
    said = {
        "standing": name,
        "like": like,
        "session": session,
        "authority": authority,
        "pin": pin,
        "asks": orjson.loads(asks),
        "clauses": dict(clauses),
        "says": says,
        "by": bounded_text(by),
        "answered_in": int(tier),
        "until": until,
    }
    body = note_body(EntryKind.STANDING, session, said)
    if body["data"].get("clauses") != said["clauses"]:
        raise GuardError("this call has too many arguments for an answer that stands for the session")
    values = (name, session, authority, pin, asks, _text(said["clauses"]), says, said["by"], int(tier), until)
    if moment.connection.execute("SELECT 1 FROM standing WHERE entry=?", (name,)).fetchone():
        raise Settled(f"`{like}` was answered for the session before")
    moment.connection.execute("INSERT INTO standing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    moment.append(body)
    return name


def stands(view: UsageView, asking: Asking, call: str, fits: Clauses) -> Approval | bool | None:
    """The standing answer to this call: an approval, False for no, None if there is none. A no wins."""
    query = """SELECT entry, asks, clauses, says, answerer, answered_in FROM standing
        WHERE session=? AND authority=? AND pin=? AND until>?"""
    found: Approval | None = None
    bound = (asking.session, asking.authority, asking.pin, stamp(view.now))
    for entry, asks, clauses, says, by, tier in view.connection.execute(query, bound).fetchall():
        if not fits(orjson.loads(clauses)):
            continue
        if says == "no":
            return False
        if set(asking.asks) <= set(orjson.loads(asks)):
            found = Approval(call, frozenset(orjson.loads(asks)), asking.authority, by, entry, By(tier))
    return found


def asked_lately(moment: Transaction, session: str, since: datetime) -> int:
    """How many questions a session has put since then."""
    query = "SELECT count(*) FROM questions WHERE session=? AND asked>?"
    return int(moment.connection.execute(query, (session, stamp(since))).fetchone()[0])


_SAME = "session=? AND digest=? AND authority=? AND pin=? AND asks=?"


def _bound(asking: Asking) -> tuple[str, ...]:
    return asking.session, asking.digest, asking.authority, asking.pin, _text(list(asking.asks))


def _row(moment: Transaction, entry: str) -> tuple[Any, ...] | None:
    query = "SELECT session, state, tier, until FROM questions WHERE entry=?"
    found: tuple[Any, ...] | None = moment.connection.execute(query, (entry,)).fetchone()
    return found


def _open(moment: Transaction, entry: str) -> tuple[str, By]:
    row = _row(moment, entry)
    if row is None:
        raise GuardError(f"there is no question `{entry}`; see `mcp-guard approvals list`")
    session, state, tier, until = row
    if state != OPEN:
        raise Settled(f"`{entry}` is {state} already")
    if until <= stamp(moment.now):
        raise Settled(f"`{entry}` has lapsed: nobody answered within {QUESTION_LIFE.seconds // 60} minutes")
    return session, By(tier)


def _settle(
    moment: Transaction, session: str, entry: str, state: str, kind: EntryKind, said: Mapping[str, Any]
) -> None:
    values = (state, said.get("by", ""), said.get("answered_in", 0), said.get("valid", ""), entry)
    moment.connection.execute("UPDATE questions SET state=?, answerer=?, answered_in=?, valid=? WHERE entry=?", values)
    moment.append(note_body(kind, session, said))


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
