"""What a decision that isn't an allow says of itself. Built only once it is clear that there is one.

What a client may read is `rules`, `reason`, `advice` and `permitted`: the limits of grants and of their budgets, never
what is left of one, nor the limits of denies and asks. `detail` is for the person: files, lines, the clause that
failed; never a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcp_guard.model import Call, Charge, Decision, Effect, Reason
from mcp_guard.policy.examine import Clause, Examined
from mcp_guard.policy.limits import counts_in_words, limits_in_words
from mcp_guard.policy.rules import Rule

_MOST = 5  # rules and limits that one refusal names
_ONLY = {  # the first that holds of some grant counts: what may change by itself before what doesn't
    Reason.TOO_OFTEN: {Clause.PACE},
    Reason.BUDGET_SPENT: {Clause.BUDGET, Clause.PACE},
    Reason.HISTORY: {Clause.HISTORY},
    Reason.EXPIRED: {Clause.UNTIL},
}


def expired(file: str) -> Decision:
    """The mandate is over, whatever its rules say."""
    return Decision(Effect.DENY, Reason.EXPIRED, detail=f"the mandate in {file} has expired")


def no_mandate(file: str) -> Decision:
    """The policy permits nothing by itself (law 5: losing a mandate never widens)."""
    return Decision(Effect.DENY, Reason.NO_MANDATE, detail=f"{file} says `mandate: required`, and there is none")


def withheld_server(server: str) -> Decision:
    """guard.yaml doesn't have this server any more as it was started (law 5)."""
    why = f"what guard.yaml says of `{server}` isn't what it was started with; a restart takes it up"
    return Decision(Effect.DENY, Reason.NO_GRANT, detail=why)


def unevaluable(file: str) -> Decision:
    """An error of ours while judging ends in a refusal (law 4)."""
    return Decision(Effect.DENY, Reason.INTERNAL, detail=f"{file} couldn't be evaluated for this call")


def denied(fired: Sequence[Rule], examined: Iterable[Examined], call: Call) -> Decision:
    """Deny rules fired."""
    return Decision(
        Effect.DENY,
        Reason.DENIED,
        rules=tuple(rule.ref for rule in fired),
        advice=_advice(fired),
        permitted=permitted([one.rule for one in nearest(examined)], call),
        detail="; ".join(f"deny {place(rule)} fired" for rule in fired[:_MOST]),
    )


def asking(
    asks: Sequence[Rule],
    carrying: Sequence[Rule],
    charges: Sequence[Charge],
    call: Call,
    gives: frozenset[str] = frozenset(),
) -> Decision:
    """A person has to be asked: by ask rules, or because only grants with `ask: true` carry the call."""
    speaking = [*asks, *(rule for rule in carrying if rule.asks)]
    return Decision(
        Effect.ASK,
        Reason.NEEDS_APPROVAL,
        rules=tuple(rule.ref for rule in speaking),
        charges=tuple(charges),
        advice=_advice(speaking),
        permitted=permitted(carrying, call),
        detail="; ".join(f"{'grant' if rule.is_grant else 'ask'} {place(rule)} asks" for rule in speaking[:_MOST]),
        gives=gives,
    )


def ungranted(examined: Sequence[Examined], call: Call, file: str) -> Decision:
    """No grant carries the call: names the nearest ones, if any is about this target for this principal."""
    reason, close = _reason(examined)
    rules = [one.rule for one in close]
    live = [one.rule for one in close if reason not in (Reason.EXPIRED, Reason.BUDGET_SPENT, Reason.HISTORY)]
    first = _come_first(rules, call) if reason is Reason.HISTORY else ()
    detail = "; ".join(f"grant {place(one.rule)}: {one.words}" for one in close[:_MOST])
    return Decision(
        Effect.DENY,
        reason,
        rules=tuple(rule.ref for rule in rules),
        advice=_advice(rules),
        permitted=first or permitted(live, call),
        detail=detail or _why_none(examined, file),
    )


def nearest(examined: Iterable[Examined]) -> list[Examined]:
    """The grants in force for this target and principal that the call is least far from."""
    closed = {Clause.TARGET, Clause.WHEN, Clause.UNTIL, Clause.HISTORY}
    candidates = [one for one in examined if not one.clauses & closed]
    least = min((len(one.failures) for one in candidates), default=0)
    return [one for one in candidates if len(one.failures) == least]


def _reason(examined: Sequence[Examined]) -> tuple[Reason, list[Examined]]:
    for reason, clauses in _ONLY.items():
        only = [one for one in examined if one.clauses and one.clauses <= clauses]
        if only:
            return reason, only
    unclear = [one for one in examined if one.failures and all(failed.unclear for failed in one.failures)]
    if unclear:
        return Reason.NOT_CANONICAL, unclear
    return Reason.NO_GRANT, nearest(examined)


def permitted(rules: Iterable[Rule], call: Call) -> tuple[str, ...]:
    """The limits of these grants in words; those with `disclose: false` say nothing."""
    said = dict.fromkeys(
        "; ".join([f"{call.name}: {limits_in_words(rule)}", *counts_in_words(rule)]) for rule in rules if rule.disclose
    )
    return tuple(said)[:_MOST]


def _come_first(rules: Iterable[Rule], call: Call) -> tuple[str, ...]:
    """What has to come before the call, where that is all that a grant waits for: the permitted next step."""
    waiting = [rule for rule in rules if rule.disclose and rule.after is not None and not rule.once]
    plain = [rule for rule in waiting if rule.when is None or not (rule.when.labels or rule.when.no_labels)]
    said = [f"{call.name} after {' and '.join(rule.after.names)}" for rule in plain if rule.after is not None]
    return tuple(dict.fromkeys(said))[:_MOST]


def place(rule: Rule) -> str:
    """`` `id` (file:line:column) ``."""
    return f"`{rule.ref.id}` ({rule.ref.file}:{rule.ref.line}:{rule.ref.column})"


def _why_none(examined: Sequence[Examined], file: str) -> str:
    if not examined:
        return f"no grant in {file} is about this"
    return "; ".join(f"grant {place(one.rule)}: {one.words}" for one in examined[:_MOST])


def _advice(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule.advice for rule in rules if rule.advice))
