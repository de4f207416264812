"""Documents with one clause weakened, and which of them the cases don't notice.

A mutant is what a slip of the pen, or somebody who wants more, would make of a document. A case notices it if the
judgement is no longer what the case expects. Pure; the documents are built from compiled rules, never from text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

from mcp_guard.model import EVERY_EFFECT, By, Effect, EffectClass, Kind
from mcp_guard.policy.building import ToolFacts
from mcp_guard.policy.cases import Case, Suite
from mcp_guard.policy.cases_run import Played, play
from mcp_guard.policy.constraints import Constraint, compile_check
from mcp_guard.policy.document import Document
from mcp_guard.policy.form import SERVER_REQUESTS
from mcp_guard.policy.mutation_budgets import more_of
from mcp_guard.policy.mutation_limits import Weaker, less_done, narrower, wider
from mcp_guard.policy.mutation_past import fewer_labels, weaker_past
from mcp_guard.policy.names import NamePattern
from mcp_guard.policy.rules import Arguments, Limit, Rule
from mcp_guard.policy.yaml_source import Place, quoted


class Probe(Enum):
    """Which kind of call can tell the mutant from the document."""

    AS_IT_IS = "a call that the rule is about"
    VALUE = "another value of one argument"
    URI = "another URI"
    ASKED = "something else that a server may ask for"
    MISSING = "one argument less"
    EXTRA = "one argument more"
    OFTEN = "the same call more often"
    LATE = "the same call later"
    WHO = "somebody else"
    WHEN = "another time"
    CARRYING = "the same call with a secret in it"
    PAST = "another history"
    ALONE = "the same call without a mandate"
    VARIED = "the same call with other values"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A document with one clause weakened; `rule` is the one before, None for what stands outside of rules."""

    name: str
    place: Place
    what: str
    document: Document = field(repr=False)
    probe: Probe
    rule: Rule | None = None
    argument: str = ""
    limit: Constraint | None = None  # the argument's, or the URI's, as it was


def mutants_of(document: Document) -> Iterator[Mutant]:
    """Every way to weaken one clause of the document once."""
    for number, rule in enumerate(document.rules):
        for what, probe, changed, argument, limit in (*_weaker(rule, document.tools), *_asking_more(rule, document)):
            rules = (*document.rules[:number], *([changed] if changed else []), *document.rules[number + 1 :])
            place = (rule.ref.line, rule.ref.column)
            yield Mutant(rule.ref.id, place, what, replace(document, rules=rules), probe, rule, argument, limit)
    if document.expires is not None:
        place = document.places.get(("expires",), (1, 1))
        yield Mutant("expires", place, "never ends", replace(document, expires=None), Probe.LATE)
    if document.needs_mandate:
        place = document.places.get(("mandate",), (1, 1))
        alone = replace(document, needs_mandate=False)
        yield Mutant("mandate", place, "without `mandate: required`", alone, Probe.ALONE)
    yield from _tools(document)
    yield from _labels(document)


def survivors(
    suite: Suite, played: Iterable[Played], seen: Callable[[], None] = lambda: None
) -> tuple[int, list[Mutant]]:
    """How many mutants there are, and those that no passing case notices; `seen` is called after each."""
    passing = [one.case for one in played if one.passed]
    concerned = {rule.key: [case for case in passing if _concerns(rule, case)] for rule in suite.document.rules}
    count, left = 0, []
    for mutant in mutants_of(suite.document):
        count += 1
        cases = passing if mutant.rule is None else concerned[mutant.rule.key]
        if all(play(suite, case, mutant.document).passed for case in cases):
            left.append(mutant)
        seen()
    return count, left


def _concerns(rule: Rule, case: Case) -> bool:
    calls = [case.call, *(step.call for step in case.before)]
    if rule.kind is Kind.SERVER_REQUEST:  # weakened, it names more than it does
        return any(call.kind is rule.kind for call in calls)
    return any(rule.kind is call.kind and rule.may_name(call.server, call.target) for call in calls)


_Found = tuple[str, Probe, Rule | None, str, Constraint | None]


def _weaker(rule: Rule, tools: Mapping[str, ToolFacts]) -> Iterator[_Found]:
    if not rule.is_grant:
        yield f"without this {'deny' if rule.ref.effect is Effect.DENY else 'ask'}", Probe.AS_IT_IS, None, "", None
        yield from ((what, Probe.AS_IT_IS, changed, "", None) for what, changed in _fewer_targets(rule, tools))
    if rule.arguments is not None:
        yield from _arguments(rule, rule.arguments)
    if rule.uri is not None:
        for what, weaker in _steps(rule, rule.uri):
            yield f"uri: {what}", Probe.URI, replace(rule, uri=_limit(weaker)), "", rule.uri.constraint
    yield from ((what, Probe.PAST, changed, "", None) for what, changed in weaker_past(rule))
    if rule.is_grant:
        yield from ((what, probe, changed, "", None) for what, probe, changed in _conditions(rule))
    if rule.ref.by is By.CONSOLE:  # what is stricter than an `ask: true`; a case says `by: console` of it
        yield "by: person", Probe.AS_IT_IS, replace(rule, ref=replace(rule.ref, by=By.PERSON)), "", None


def _arguments(rule: Rule, limits: Arguments) -> Iterator[_Found]:
    for part in ("listed", "optional"):
        named: Mapping[str, Limit] = getattr(limits, part)
        for name, limit in named.items():
            for what, weaker in _steps(rule, limit):
                changed = MappingProxyType({**named, name: _limit(weaker)})
                is_listed = part == "listed"
                arguments = replace(limits, listed=changed) if is_listed else replace(limits, optional=changed)
                said = f"{quoted(name)}: {what}"
                yield said, Probe.VALUE, replace(rule, arguments=arguments), name, limit.constraint
    if not rule.is_grant:
        return
    counted = rule.budget.counted if rule.budget is not None else frozenset()
    for name, limit in limits.listed.items():
        if name in counted:  # the sum goes on wanting it
            continue
        left = MappingProxyType({other: kept for other, kept in limits.listed.items() if other != name})
        optional = MappingProxyType({**limits.optional, name: limit})
        changed_rule = replace(rule, arguments=replace(limits, listed=left, optional=optional))
        yield f"{quoted(name)} need not be given", Probe.MISSING, changed_rule, name, None
    if not limits.others:
        yield "with `others: any`", Probe.EXTRA, replace(rule, arguments=replace(limits, others=True)), "", None


def _asking_more(rule: Rule, document: Document) -> Iterator[_Found]:
    """A server may ask for one thing more, where nothing grants that yet: of few things, and each can be written."""
    if rule.kind is not Kind.SERVER_REQUEST:
        return
    server = rule.names[0].server
    granted = [one for one in document.rules if one.kind is Kind.SERVER_REQUEST]
    for more in SERVER_REQUESTS:
        if not any(one.may_name(server, more) for one in granted):
            wider_names = (*rule.names, NamePattern.exactly(server, more))
            yield f"with {more}", Probe.ASKED, replace(rule, names=wider_names), more, None


def _steps(rule: Rule, limit: Limit) -> Iterator[Weaker]:
    return wider(limit.constraint) if rule.is_grant else narrower(limit.constraint)


def _limit(constraint: Constraint) -> Limit:
    return Limit(constraint, compile_check(constraint))


def _fewer_targets(rule: Rule, tools: Mapping[str, ToolFacts]) -> Iterator[tuple[str, Rule]]:
    for name in rule.names if len(rule.names) > 1 else ():
        yield f"without {name}", replace(rule, names=tuple(other for other in rule.names if other is not name))
    for effect in sorted(rule.effects) if len(rule.effects) > 1 else ():
        # A tool that nobody described has every effect, so the others still reach it.
        if any(facts.effects & rule.effects == {effect} for facts in tools.values()):
            yield f"without effect {effect}", replace(rule, effects=rule.effects - {effect})


def _conditions(rule: Rule) -> Iterator[tuple[str, Probe, Rule]]:
    """What a grant has beside its arguments."""
    if rule.effects and rule.effects != EVERY_EFFECT:
        yield "with every effect", Probe.AS_IT_IS, replace(rule, effects=EVERY_EFFECT)
    if rule.asks:
        yield "without `ask`", Probe.AS_IT_IS, replace(rule, asks=False)
    if rule.until is not None:
        yield "without `until`", Probe.LATE, replace(rule, until=None)
    if rule.when is not None and rule.when.principals:
        yield "for every principal", Probe.WHO, replace(rule, when=replace(rule.when, principals=()))
    if rule.when is not None and rule.when.window is not None:
        yield "at every time", Probe.WHEN, replace(rule, when=replace(rule.when, window=None))
    if rule.deny_secrets:
        yield "without `deny_secrets`", Probe.CARRYING, replace(rule, deny_secrets=False)
    for what, less in less_done(rule.result):
        yield f"result: {what}", Probe.AS_IT_IS, replace(rule, result=less)
    yield from ((what, Probe[how], changed) for what, how, changed in more_of(rule))


def _tools(document: Document) -> Iterator[Mutant]:
    """Facts about tools with one effect less, where a deny or an ask then misses the tool, or a grant reaches it."""
    by_effect = [rule for rule in document.rules if rule.effects]
    for name, facts in document.tools.items():
        for effect in sorted(facts.effects) if facts.effects != EVERY_EFFECT else ():
            if not any(_goes_by(rule, facts.effects) > _goes_by(rule, facts.effects - {effect}) for rule in by_effect):
                continue
            tools = MappingProxyType({**document.tools, name: replace(facts, effects=facts.effects - {effect})})
            place = document.places.get(("tools", name), (1, 1))
            yield Mutant(name, place, f"without effect {effect}", replace(document, tools=tools), Probe.AS_IT_IS)


def _labels(document: Document) -> Iterator[Mutant]:
    """Facts about tools and servers with one label less, where a rule goes by that label."""
    for what, name, changed in fewer_labels(document):
        yield Mutant(name, document.places.get(("tools", name), (1, 1)), what, changed, Probe.PAST)


def _goes_by(rule: Rule, effects: frozenset[EffectClass]) -> bool:
    """Does the rule keep a tool with these effects back?"""
    return not effects <= rule.effects if rule.is_grant else bool(effects & rule.effects)
