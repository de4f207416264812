"""The calls that a suggestion starts from: of cases in which the rule spoke, else made up from its limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from mcp_guard.model import Answer, Call, Effect, Kind
from mcp_guard.policy.cases import NOW, PRINCIPAL, Case
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.cases_run import Played
from mcp_guard.policy.constraint_samples import fitting
from mcp_guard.policy.document import Document
from mcp_guard.policy.mutation import Mutant, Probe
from mcp_guard.policy.names import NamePattern
from mcp_guard.policy.rules import Limit, Rule, When, answer

_BASES = 4  # cases that a suggestion may start from


def bases(mutant: Mutant, document: Document, played: Iterable[Played]) -> Iterator[Case]:
    """Cases that the rule carried or fired in; none with a mandate file, which the line couldn't name. Else made up."""
    rule, found = mutant.rule, 0
    for one in played:
        if found == _BASES:
            break
        if one.case.mandate is None and not one.case.links and _spoke(rule, one):
            found += 1
            yield one.case
            if rule is not None and mutant.probe is Probe.AS_IT_IS:  # a case for every name of the rule
                yield from (_called(one.case, name) for name in rule.names if one.case.call.kind is not Kind.RESOURCE)
    if rule is not None and (not found or mutant.probe is Probe.AS_IT_IS):
        yield from _made_up(rule, document)


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
    principal, at = _who_and_when(rule)
    for name in rule.names:
        server, target = _plain(name)
        if rule.kind is Kind.RESOURCE:
            uris = fitting(rule.uri.constraint) if rule.uri is not None else iter(["file:///x"])
            calls = [resource_call(server, str(uri), principal) for uri in islice(uris, 2)]
        else:
            method = "tools/call" if rule.kind is Kind.TOOL else "prompts/get"
            calls = [
                Call(principal, method, server, target, {"name": target, "arguments": given}, rule.kind)
                for given in _arguments(rule, document, server, target)
            ]
        yield from (Case("made up", (1, 1), call, at, Effect.ALLOW) for call in calls)


def _who_and_when(rule: Rule) -> tuple[str, datetime]:
    """Somebody whom the rule is for, at a time when it holds."""
    when = rule.when or When()
    principal = when.principals[0].replace("*", "x") if when.principals else PRINCIPAL
    at = NOW if rule.until is None else min(NOW, rule.until - timedelta(seconds=1))
    hours = (at - timedelta(hours=number) for number in range(168))
    return principal, at if when.window is None else next((hour for hour in hours if when.window.holds(hour)), at)


def _arguments(rule: Rule, document: Document, server: str, target: str) -> Iterator[dict[str, Any]]:
    """What the rule wants; an ask or a deny shows only in calls that some grant carries."""
    own = _samples(rule)
    if not rule.is_grant:
        carrying = [one for one in document.rules if one.is_grant and one.kind is rule.kind]
        yield from ({**_samples(one), **own} for one in carrying if one.may_name(server, target))
    yield own


def _samples(rule: Rule) -> dict[str, Any]:
    listed = rule.arguments.listed if rule.arguments is not None else {}
    return {name: _sample(limit) for name, limit in listed.items()}


def _sample(limit: Limit) -> Any:
    facts = CaseFacts(NOW, "/project", {})
    values = fitting(limit.constraint)
    return next((value for value in values if answer(limit, value, facts) is Answer.YES), "x")


def resource_call(server: str, uri: str, principal: str) -> Call:
    """A read of a resource."""
    return Call(principal, "resources/read", server, uri, {"uri": uri}, Kind.RESOURCE)
