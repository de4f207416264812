"""Why a call is decided as it is: every layer, every rule that could be about it, and the smallest change to allow it.

For the person who owns the documents, never for a client: it names files, lines, denies and thresholds. The verdict
comes from `decide` itself, the reasons from the questions that it asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mcp_guard.history.sources import describe
from mcp_guard.model import EVERY_EFFECT, Answer, Call, Decision, Effect, Facts, Reason, RuleRef
from mcp_guard.policy.decide import decide, decide_layer, decide_local
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.examine import Clause, Examined, Failure, examine
from mcp_guard.policy.index import Reach
from mcp_guard.policy.limits import OVER
from mcp_guard.policy.masked import masked
from mcp_guard.policy.matching import (
    Classes,
    charges_for,
    classes_for,
    covers,
    fires,
    given_arguments,
    is_about_secrets,
)
from mcp_guard.policy.nearest import Judge, Nearest, nearest_call
from mcp_guard.policy.past import may_concern
from mcp_guard.policy.refusals import place
from mcp_guard.policy.rules import Rule, answer
from mcp_guard.policy.sentences import answers_in_words
from mcp_guard.policy.suggest import granting_line
from mcp_guard.policy.yaml_source import quoted


@dataclass(frozen=True, slots=True)
class Said:
    """What one rule says of the call: `allows`, `asks`, `denies` or `says nothing`, and why."""

    rule: RuleRef
    verdict: str
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest change to one file that removes one obstacle; `line` is YAML to paste under `grants:`, or empty."""

    file: str
    words: str
    line: str = ""


@dataclass(frozen=True, slots=True)
class LayerSaid:
    """One document's say."""

    layer: str
    file: str
    decision: Decision
    rules: tuple[Said, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision, and how it came about. All `changes` together allow the call; there are none if it is allowed."""

    call: str
    decision: Decision
    layers: tuple[LayerSaid, ...]
    sources: Mapping[str, str] = field(
        default_factory=dict
    )  # by argument: where a value that is judged by it comes from
    nearest: Nearest | None = None  # of a denied call: one that is permitted, if one was found

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for layer in self.layers for change in layer.changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "call": self.call,
            **_decision(self.decision),
            "layers": [
                {
                    "layer": layer.layer,
                    "file": layer.file,
                    **_decision(layer.decision),
                    "rules": [{**_ref(said.rule), "verdict": said.verdict, "why": said.why} for said in layer.rules],
                }
                for layer in self.layers
            ],
            **({"sources": dict(self.sources)} if self.sources else {}),
            **({"nearest": self.nearest.to_dict()} if self.nearest is not None else {}),
            "changes": [{"file": c.file, "words": c.words, "line": c.line} for c in self.changes],
        }


def explain_call(authority: Authority, call: Call, facts: Facts, judge: Judge | None = None) -> Explanation:
    """Explain what `decide` says of the call; total, as that is. With a `judge` (`decide`, or one that knows more),
    also the nearest call that it permits.
    """
    layers = tuple(_layer(authority, number, call, facts) for number in range(len(authority.layers)))
    if authority.local is not None and (spoken := _local(authority.local, call, facts)).rules:
        layers = (*layers, spoken)
    decision = decide(authority, call, facts)
    denied = judge is not None and decision.effect is Effect.DENY
    near = nearest_call(authority, call, facts, judge) if judge is not None and denied else None
    return Explanation(call.name, decision, layers, describe(authority, call, facts), near)


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "effect": decision.effect.name.lower(),
        "reason": None if decision.reason is None else decision.reason.value,
        "detail": decision.detail,
    }


def _ref(rule: RuleRef) -> dict[str, Any]:
    kinds = {Effect.ALLOW: "grant", Effect.ASK: "ask", Effect.DENY: "deny"}
    return {"id": rule.shown, "kind": kinds[rule.effect], "file": rule.file, "line": rule.line, "column": rule.column}


def _layer(authority: Authority, number: int, call: Call, facts: Facts) -> LayerSaid:
    document = authority.layers[number]
    decision = decide_layer(authority, number, call, facts)
    speakers = document.index.speakers(call.kind, call.server, call.target)
    classes = classes_for(speakers, authority.tools, call, facts)
    arguments = given_arguments(call)
    examined = [examine(reach, call, arguments, classes, facts) for reach in speakers.grants]
    tightening = [_tightening(reach, call, arguments, classes, facts) for reach in (*speakers.asks, *speakers.denies)]
    granting = [_granting(one, call, arguments, facts) for one in examined]
    rules = sorted([*granting, *tightening], key=lambda said: (said.rule.line, said.rule.column))
    fired = [said for said in tightening if said.verdict != "says nothing"]
    changes = () if decision.allowed else tuple(_changes(document, decision, examined, fired, call, facts))
    return LayerSaid(document.kind, document.file, decision, tuple(rules), changes)


def _local(document: Document, call: Call, facts: Facts) -> LayerSaid:
    """What was taken away beside the documents; the layer allows nothing, so it is told only where it is about this."""
    reaches = document.index.speakers(call.kind, call.server, call.target).denies
    arguments = given_arguments(call)
    rules = tuple(_tightening(reach, call, arguments, EVERY_EFFECT, facts) for reach in reaches)
    fired = [said for said in rules if said.verdict != "says nothing"]
    decision = decide_local(document, call, facts) or Decision(Effect.ALLOW)
    words = "take the deny away: `mcp-guard revoke --undo {}`, with its `--config` or `--policy`"
    changes = tuple(Change(document.file, words.format(said.rule.key)) for said in fired)
    return LayerSaid(document.kind, document.file, decision, rules, changes)


def _granting(one: Examined, call: Call, arguments: Mapping[str, Any] | None, facts: Facts) -> Said:
    left = _left(one.rule, call, arguments, facts)
    if one.failures:
        return Said(one.rule.ref, "says nothing", "; ".join(_failed(each, arguments) for each in one.failures))
    done = f"of what is answered, {answers_in_words(one.rule.result)}" if one.rule.result else ""
    said = "; ".join(["everything fits", *left, *([done] if done else [])])
    return Said(one.rule.ref, "asks" if one.rule.asks else "allows", said)


def _failed(failure: Failure, arguments: Mapping[str, Any] | None) -> str:
    """The clause, and what it met: its kind and size, for an explanation may be shown to somebody."""
    given = f" (given: {masked(arguments[failure.argument])})" if arguments and failure.argument in arguments else ""
    return f"{failure.words}{given}"


def _left(rule: Rule, call: Call, arguments: Mapping[str, Any] | None, facts: Facts) -> Iterator[str]:
    """What is left of a budget that counts over sessions, before this call. Of a session's, nobody knows outside it."""
    budget, charges = rule.budget, charges_for(rule, call, arguments, facts)
    if budget is None or not charges or not charges[0].account:
        return
    try:
        used = facts.used(*charges[0].count)
    except Exception:
        return
    over = OVER[budget.per]
    if budget.calls is not None:
        yield f"{budget.calls - used.calls} of {budget.calls} calls left {over}"
    for name, limit in budget.sums.items():
        yield f"{limit - used.sums.get(name, Decimal(0))} of {limit} of {name} left {over}"


def _tightening(reach: Reach, call: Call, arguments: Mapping[str, Any] | None, classes: Classes, facts: Facts) -> Said:
    rule = reach.rule
    if fires(reach, call, arguments, classes, facts):
        verdict = "denies" if rule.ref.effect is Effect.DENY else "asks"
        return Said(rule.ref, verdict, _why_it_fires(rule, arguments, classes, facts))
    if not covers(reach, call, classes, facts):
        return Said(rule.ref, "says nothing", "its effect, time, principal or URI clearly doesn't fit")
    if not may_concern(rule, facts):
        return Said(rule.ref, "says nothing", "what this session has met and done clearly doesn't fit")
    why = _clear_no(rule, arguments or {}, facts)
    return Said(rule.ref, "says nothing", why if is_about_secrets(rule, call) else "no known kind of secret is in it")


def _why_it_fires(rule: Rule, arguments: Mapping[str, Any] | None, classes: Classes, facts: Facts) -> str:
    """An ask or a deny needs no clear yes: say which it was, and what counted where the rule goes by effects."""
    listed = rule.arguments.listed if rule.arguments else {}
    fits = arguments is not None and all(
        name in arguments and answer(limit, arguments[name], facts) is Answer.YES for name, limit in listed.items()
    )
    how = "everything fits" if fits or not listed else "nothing in it is a clear no"
    if not rule.effects:
        return how
    counts = f"the tool counts as {', '.join(sorted(classes & rule.effects))}"
    return f"{counts}; {how}" if listed else counts


def _clear_no(rule: Rule, arguments: Mapping[str, Any], facts: Facts) -> str:
    for name, limit in (rule.arguments.listed if rule.arguments else {}).items():
        if name not in arguments:
            return f"argument {quoted(name)} isn't given"
        if answer(limit, arguments[name], facts) is Answer.NO:
            return f"argument {quoted(name)} clearly doesn't fit"
    return "an argument clearly doesn't fit"


def _changes(
    document: Document, decision: Decision, examined: list[Examined], fired: list[Said], call: Call, facts: Facts
) -> Iterator[Change]:
    """What stands in the way, each with its own way out."""
    file = document.file
    if decision.reason is Reason.INTERNAL:
        return
    if decision.reason is Reason.NO_MANDATE:
        yield Change(file, "give a mandate: this policy permits nothing without one")
        return
    if decision.reason is Reason.EXPIRED and not decision.rules:
        yield Change(file, "the mandate is over: give a new one")
        return
    for said in fired:
        at = f"`{said.rule.id}` ({said.rule.file}:{said.rule.line}:{said.rule.column})"
        yield Change(file, f"narrow or remove {'deny' if said.verdict == 'denies' else 'ask'} {at}")
    carrying = [one for one in examined if not one.failures]
    if not carrying:
        yield _grant(document, examined, call, facts)
    elif all(one.rule.asks for one in carrying):
        yield Change(file, f"take `ask: true` out of grant {place(carrying[0].rule)}")


def _grant(document: Document, examined: list[Examined], call: Call, facts: Facts) -> Change:
    file = document.file
    for clauses, way in (
        ({Clause.PACE}, "wait, or raise the rate or budget of"),
        ({Clause.BUDGET, Clause.PACE}, "raise the budget of"),
        ({Clause.HISTORY}, "take `labels`, `no_labels`, `after` or `once` out of"),
        ({Clause.UNTIL}, "move the end of"),
    ):
        for one in examined:
            if one.clauses and one.clauses <= clauses:
                return Change(file, f"{way} grant {place(one.rule)}")
    line = granting_line(call, facts, taken={rule.ref.id for rule in document.rules})
    if not line:
        return Change(file, "no grant can be written for this call")
    return Change(file, "add this grant", line)
