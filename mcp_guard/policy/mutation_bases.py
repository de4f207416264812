"""The calls that a suggestion starts from: of cases in which the rule spoke, else made up from its limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

from mcp_guard.model import Answer, Call, Effect, Kind
from mcp_guard.policy.cases import NOW, PRINCIPAL, Case, named_call
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.cases_run import Played
from mcp_guard.policy.compare_automata import TooMany, automaton, find_text
from mcp_guard.policy.compare_regex import read_pattern
from mcp_guard.policy.constraint_kinds import Constraint, Matches
from mcp_guard.policy.constraint_samples import fitting
from mcp_guard.policy.document import Document
from mcp_guard.policy.mutation import Mutant, Probe
from mcp_guard.policy.names import NamePattern
from mcp_guard.policy.rules import Limit, Rule, answer

_LONGEST = 200  # characters of a text that is made up from a pattern
_BASES = 4  # cases that a suggestion may start from


def bases(mutant: Mutant, document: Document, played: Iterable[Played]) -> Iterator[Case]:
    """Cases that the rule carried or fired in, else made up. Without their mandates, which a line couldn't name: of a
    policy that wants one, the calls alone; of another, only cases that have none.
    """
    rule, found = mutant.rule, 0
    if mutant.probe is Probe.ALONE:
        for grant in document.rules:
            yield from _made_up(grant, document) if grant.is_grant else ()
    for one in played:
        if found == _BASES:
            break
        if (one.case.mandate is None or document.needs_mandate) and not one.case.links and _spoke(rule, one):
            found += 1
            yield replace(one.case, mandate=None)
            if rule is not None and mutant.probe is Probe.AS_IT_IS:  # a case for every name of the rule
                yield from (_called(one.case, name) for name in rule.names if one.case.call.kind is not Kind.RESOURCE)
    if rule is not None and (not found or mutant.probe is Probe.AS_IT_IS):
        yield from _made_up(rule, document)
    if rule is None and mutant.name in document.tools:
        yield from _of_tool(NamePattern.of(mutant.name), document)


def _spoke(rule: Rule | None, one: Played) -> bool:
    if rule is None:
        return one.decision.allowed
    carried = any(charge.rule == rule.key for charge in one.decision.charges)
    return carried or (not rule.is_grant and any(ref.key == rule.key for ref in one.decision.rules))


def _called(case: Case, name: NamePattern) -> Case:
    server, target = _plain(name)
    params = {**case.call.params, "name": target}
    return replace(case, call=replace(case.call, server=server, target=target, params=params))


def _plain(name: NamePattern) -> tuple[str, str]:
    return name.server.replace("*", "x"), name.target.replace("*", "x")


def _made_up(rule: Rule, document: Document) -> Iterator[Case]:
    """Calls to each of the rule's names; a rule by effect is tried on every tool that the document knows."""
    names = rule.names or (*map(NamePattern.of, document.tools), NamePattern.of("other/tool"))
    for name in names:
        server, target = _plain(name)
        if rule.kind is not Kind.RESOURCE:
            yield from (_call_of(rule, grant, server, target) for grant in _grants(rule, document, server, target))
            continue
        uris = fitting(rule.uri.constraint) if rule.uri is not None else iter(["file:///x"])
        principal, at = _who_and_when(rule, rule)
        calls = [resource_call(server, str(uri), principal) for uri in islice(uris, 2)]
        yield from (Case("made up", (1, 1), call, at, Effect.ALLOW) for call in calls)


def _of_tool(name: NamePattern, document: Document) -> Iterator[Case]:
    """Calls of one tool, as each grant or deny that could be about it wants them."""
    for rule in document.rules:
        if rule.kind is Kind.TOOL and rule.may_name(name.server, name.target):
            for grant in _grants(rule, document, name.server, name.target):
                yield _call_of(rule, grant, name.server, name.target)


def _grants(rule: Rule, document: Document, server: str, target: str) -> Iterator[Rule]:
    """The grants that carry what is made up: an ask or a deny shows only in such calls, or in one that none carries."""
    if not rule.is_grant:
        carrying = (one for one in document.rules if one.is_grant and one.kind is rule.kind)
        yield from (one for one in carrying if one.may_name(server, target))
    yield rule


def _call_of(rule: Rule, grant: Rule, server: str, target: str) -> Case:
    principal, at = _who_and_when(rule, grant)
    if rule.kind in (Kind.SERVER_REQUEST, Kind.EXTENSION):
        return Case("made up", (1, 1), named_call(rule.kind, f"{server}/{target}", principal), at, Effect.ALLOW)
    method = "tools/call" if rule.kind is Kind.TOOL else "prompts/get"
    arguments = {**_samples(grant), **_samples(rule)}
    call = Call(principal, method, server, target, {"name": target, "arguments": arguments}, rule.kind)
    return Case("made up", (1, 1), call, at, Effect.ALLOW)


def _who_and_when(rule: Rule, grant: Rule) -> tuple[str, datetime]:
    """Somebody whom both are for, at a time when both hold, as far as can be."""
    whens = [one.when for one in (rule, grant) if one.when is not None]
    principal = next((when.principals[0].replace("*", "x") for when in whens if when.principals), PRINCIPAL)
    at = NOW if grant.until is None else min(NOW, grant.until - timedelta(seconds=1))
    windows = [when.window for when in whens if when.window is not None]
    hours = (at - timedelta(hours=number) for number in range(168))
    return principal, next((hour for hour in hours if all(window.holds(hour) for window in windows)), at)


def _samples(rule: Rule) -> dict[str, Any]:
    listed = rule.arguments.listed if rule.arguments is not None else {}
    return {name: _sample(limit) for name, limit in listed.items()}


def _sample(limit: Limit) -> Any:
    facts = CaseFacts(NOW, "/project", {})
    values = chain(fitting(limit.constraint), _shortest(limit.constraint))
    return next((value for value in values if answer(limit, value, facts) is Answer.YES), "x")


def _shortest(constraint: Constraint) -> Iterator[str]:
    """A text that a pattern describes: `C-000000` for `C-[0-9]{6}`."""
    tree = read_pattern(constraint.pattern) if isinstance(constraint, Matches) else None
    if tree is None:
        return
    try:
        found = find_text([automaton(tree)], [], _LONGEST)
    except TooMany:
        return
    yield from () if found is None else (found,)


def resource_call(server: str, uri: str, principal: str) -> Call:
    """A read of a resource."""
    return Call(principal, "resources/read", server, uri, {"uri": uri}, Kind.RESOURCE)
