"""Plays cases against the one judge, and says what isn't as expected. Pure: no file, no clock, no server.

What was allowed before is charged; what was asked counts as approved; what was denied never happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcp_guard.model import By, Decision, Effect, Kind, RuleRef
from mcp_guard.policy.cases import Case, Step, Suite
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.explain import explain_call
from mcp_guard.policy.form_errors import did_you_mean
from mcp_guard.policy.yaml_source import quoted


@dataclass(frozen=True, slots=True)
class Played:
    """A case at its last call: what was decided, what was known then, what surprised on the way."""

    case: Case
    authority: Authority
    facts: CaseFacts
    decision: Decision
    surprises: tuple[str, ...]  # earlier calls that weren't judged as they expect

    @property
    def passed(self) -> bool:
        """Is everything as expected?"""
        case, decision = self.case, self.decision
        return (
            decision.effect is case.expect
            and (case.rule is None or any(rule.id == case.rule for rule in decision.rules))
            and (case.reason is None or decision.reason is case.reason)
            and (case.by is None or _asked_of(decision) is case.by)
            and not self.surprises
            and self.done_as_expected
        )

    @property
    def done_as_expected(self) -> bool:
        """Is done to the answer what the case says? Nothing is expected of one that says nothing."""
        expected = self.case.obligations
        return expected is None or set(expected) == set(self.decision.obligations.in_words())


def play(suite: Suite, case: Case, document: Document | None = None) -> Played:
    """Judge a case's calls in order. `document` stands in for the suite's own, as mutation wants it."""
    layers = suite.layers(case, document or suite.document)
    authority = Authority(layers, case.before[0].at if case.before else case.at)
    facts = CaseFacts(case.at, suite.base, case.links, suite.described, authority, case.labels)
    surprises = tuple(_before(case.before, authority, facts))
    facts.now = case.at
    return Played(case, authority, facts, decide(authority, case.call, facts), surprises)


def _before(steps: tuple[Step, ...], authority: Authority, facts: CaseFacts) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        facts.now = step.at
        for _ in range(step.times):
            effect = _admit(step, authority, facts)
            if step.expect is not None and effect is not step.expect:
                expected, got = step.expect.name.lower(), effect.name.lower()
                yield f"earlier call {number}, {step.call.name}: expected {expected}, got {got}"
                break


def _admit(step: Step, authority: Authority, facts: CaseFacts) -> Effect:
    decision = decide(authority, step.call, facts)
    if decision.effect is not Effect.DENY:
        try:
            facts.admit(step.call, decision)
        except ArithmeticError:  # what can't be recorded doesn't happen
            return Effect.DENY
        facts.happened(step.call, step.result)
    return decision.effect


def problems(played: Played) -> list[str]:
    """What isn't as expected, in words: expected and got, the deciding rules, the clause that failed."""
    case, decision = played.case, played.decision
    said = list(played.surprises)
    if decision.effect is not case.expect:
        said.append(f"expected {case.expect.name.lower()}{_by(case)}, got {_got(decision)}")
    elif case.reason is not None and decision.reason is not case.reason:
        said.append(f"expected reason {case.reason}, got {decision.reason}")
    elif case.rule is not None and all(rule.id != case.rule for rule in decision.rules):
        said.append(f"expected {case.expect.name.lower()}{_by(case)}, got {_got(decision)}")
    if not played.done_as_expected:
        done = ", ".join(decision.obligations.in_words()) or "nothing"
        said.append(f"expected to be done to the answer: {', '.join(case.obligations or ()) or 'nothing'}; got {done}")
    elif case.by is not None and (asked := _asked_of(decision)) is not case.by:
        said.append(f"expected to ask by {case.by.name.lower()}, got by {asked.name.lower()}")
    if not said:
        return []
    if case.rule is not None and (missed := _missed(played, case.rule)):
        said.append(missed)
    said += [f"`{rule.id}` ({rule.file}:{rule.line}:{rule.column}) allows it" for rule in _allowing(decision)]
    if not decision.allowed and decision.detail:
        said.append(decision.detail)
    if _nobody_knows(played):
        said.append(
            f"nothing here says what {case.call.name} does, so it counts as doing everything: say it at the top of the "
            f"case file, as `mcp-guard check` has it: effects: {{{case.call.name}: read}}"
        )
    return said


def _asked_of(decision: Decision) -> By:
    """Who may answer: the strictest that any of the asking rules wants."""
    return max((rule.by for rule in decision.rules), default=By.PERSON)


def _nobody_knows(played: Played) -> bool:
    """Does a rule go by the effects of a tool of which neither the documents nor the case file speak?"""
    call, authority = played.case.call, played.authority
    if call.kind is not Kind.TOOL or call.name in authority.tools or played.facts.described(call.server, call.target):
        return False
    return any(layer.index.speakers(call.kind, call.server, call.target).by_effect for layer in authority.layers)


def _by(case: Case) -> str:
    named = f" by {quoted(case.rule)}" if case.rule is not None else ""
    return f"{named} for {case.reason}" if case.reason is not None else named


def _got(decision: Decision) -> str:
    effect = decision.effect.name.lower()
    by = f" by {', '.join(f'`{rule.id}`' for rule in decision.rules)}" if decision.rules else ""
    if decision.effect is Effect.DENY and all(rule.effect is Effect.ALLOW for rule in decision.rules):
        by = ""  # the nearest grants didn't deny
    return f"{effect}{by}" if decision.reason is None else f"{effect}{by} ({decision.reason})"


def _allowing(decision: Decision) -> tuple[RuleRef, ...]:
    return decision.rules if decision.allowed else ()


def _missed(played: Played, id: str) -> str:
    """Why the rule that was expected to speak didn't."""
    ids = [rule.ref.id for layer in played.authority.layers for rule in layer.rules]
    if id not in ids:
        return f"there is no rule {quoted(id)}; {did_you_mean(id, ids)}" if ids else f"there is no rule {quoted(id)}"
    explained = explain_call(played.authority, played.case.call, played.facts)
    for layer in explained.layers:
        for one in layer.rules:
            if one.rule.id == id:
                return f"`{id}` ({one.rule.file}:{one.rule.line}:{one.rule.column}) {one.verdict}: {one.why}"
    place = next(rule.ref for layer in played.authority.layers for rule in layer.rules if rule.ref.id == id)
    return f"`{id}` ({place.file}:{place.line}:{place.column}) isn't about {played.case.call.name}"
