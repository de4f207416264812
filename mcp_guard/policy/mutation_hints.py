"""A case that would have noticed a mutant: proposed as a line to paste, and only once both documents have judged it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from mcp_guard.errors import InputError
from mcp_guard.model import Call, Decision, Effect, Kind
from mcp_guard.policy.cases import NOW, PRINCIPAL, Case, Step, Suite, bind, load_cases
from mcp_guard.policy.cases_form import MAX_TIMES, REASONS
from mcp_guard.policy.cases_run import Played, play
from mcp_guard.policy.constraint_samples import fitting, missing
from mcp_guard.policy.mutation import Mutant, Probe
from mcp_guard.policy.names import NamePattern
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.suggest import scalar

_BASES = 4  # cases that a suggestion may start from
_TRIES = 200  # candidates for one mutant
_LONGEST = 60  # characters of a text that is written out; longer ones are given by their length
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


def suggestion(suite: Suite, mutant: Mutant, played: Iterable[Played]) -> str:
    """`- {why: ..., call: ..., expect: deny}`: passes under the document and fails under the mutant; or empty."""
    for case in islice(_candidates(mutant, list(_bases(mutant, played))), _TRIES):
        decision = play(suite, case).decision
        expecting = replace(case, **_expectation(decision, mutant), why=_why(mutant))
        if not play(suite, expecting, mutant.document).passed:
            line = _written(expecting)
            if line and _holds(suite, line, mutant):
                return line
    return ""


def _why(mutant: Mutant) -> str:
    return f"{mutant.name} is not {mutant.what.partition(' instead of ')[0].replace('`', '')}"


def _expectation(decision: Decision, mutant: Mutant) -> dict[str, Any]:
    """What the document decides; by its rule, where that one decided."""
    ids = [rule.id for rule in decision.rules]
    decides = decision.effect is not Effect.DENY or any(rule.effect is Effect.DENY for rule in decision.rules)
    named = mutant.name if mutant.name in ids else ids[0] if ids else None
    reason = decision.reason if decision.reason in REASONS[decision.effect] else None
    return {
        "expect": decision.effect,
        "rule": named if decides else None,
        "reason": None if decides else reason,
    }


def _holds(suite: Suite, line: str, mutant: Mutant) -> bool:
    """Read back as a person would paste it: does it pass, and does the mutant fail it?"""
    try:
        pasted = bind(load_cases(f"cases:\n  {line}\n".encode(), "suggestion"), suite.document, {})
    except (InputError, UnicodeEncodeError):
        return False
    found = replace(suite, cases=pasted.cases)
    return all(play(found, case).passed and not play(found, case, mutant.document).passed for case in found.cases)


# --- where to start from ---


def _bases(mutant: Mutant, played: Iterable[Played]) -> Iterator[Case]:
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
        yield from _made_up(rule)


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


def _made_up(rule: Rule) -> Iterator[Case]:
    for name in rule.names:
        server, target = _plain(name)
        if rule.kind is Kind.RESOURCE:
            uris = fitting(rule.uri.constraint) if rule.uri is not None else iter(["file:///x"])
            calls = [_resource(server, str(uri)) for uri in islice(uris, 2)]
        else:
            listed = rule.arguments.listed if rule.arguments is not None else {}
            given = {name: next(fitting(limit.constraint), "x") for name, limit in listed.items()}
            method = "tools/call" if rule.kind is Kind.TOOL else "prompts/get"
            calls = [Call(PRINCIPAL, method, server, target, {"name": target, "arguments": given}, rule.kind)]
        yield from (Case("made up", (1, 1), call, NOW, Effect.ALLOW) for call in calls)


def _resource(server: str, uri: str) -> Call:
    return Call(PRINCIPAL, "resources/read", server, uri, {"uri": uri}, Kind.RESOURCE)


# --- what to change ---


def _candidates(mutant: Mutant, bases: list[Case]) -> Iterator[Case]:
    for base in bases:
        match mutant.probe:
            case Probe.AS_IT_IS:
                yield base
            case Probe.VALUE:
                yield from _values(mutant, base)
            case Probe.URI:
                uris = missing(mutant.limit, base.call.target) if mutant.limit is not None else ()
                yield from (replace(base, call=_resource(base.call.server, uri)) for uri in uris if type(uri) is str)
            case Probe.MISSING:
                left = {name: value for name, value in base.call.arguments.items() if name != mutant.argument}
                yield _with(base, left)
            case Probe.EXTRA:
                yield _with(base, {**base.call.arguments, "unlisted": True})
            case Probe.OFTEN:
                yield from _repeated(mutant, base)
            case Probe.LATE:
                yield from _later(mutant, base)
            case Probe.WHO:
                yield replace(base, call=replace(base.call, principal="local:somebody-else"), before=())
            case Probe.WHEN:
                yield from (replace(base, at=NOW + timedelta(hours=hours), before=()) for hours in range(0, 168, 3))


def _with(base: Case, arguments: dict[str, Any]) -> Case:
    return replace(base, call=replace(base.call, params={**base.call.params, "arguments": arguments}))


def _values(mutant: Mutant, base: Case) -> Iterator[Case]:
    arguments, name, limit = dict(base.call.arguments), mutant.argument, mutant.limit
    if limit is None:
        return
    fits = arguments.get(name, next(fitting(limit), "x"))
    values = list(islice(missing(limit, fits), 60))
    values = [*fitting(limit), *values] if mutant.rule is not None and not mutant.rule.is_grant else values
    for value in values:
        yield _with(base, {**arguments, name: value})
    for value in values:  # what another rule refuses by its name may still be reached by another one
        path = value[0] if isinstance(value, list) and value else value
        if isinstance(path, str) and path.startswith("/") and path.count("/") > 1:
            link = f"{path.rpartition('/')[0]}/link"
            linked = [f"{link}/a"] if isinstance(value, list) else f"{link}/a"
            yield replace(_with(base, {**arguments, name: linked}), links={link: path})


def _repeated(mutant: Mutant, base: Case) -> Iterator[Case]:
    """As often as fills the budget, then once more."""
    budget = mutant.rule.budget if mutant.rule is not None else None
    if budget is None:
        return
    times = {budget.calls} if budget.calls is not None else set()
    for name, limit in budget.sums.items():
        amount = base.call.arguments.get(name)
        if isinstance(amount, int | float) and amount > 0:
            times |= {int(limit / Decimal(repr(amount))), 1}
    for count in sorted(time for time in times if time is not None):
        if 1 <= count <= MAX_TIMES:
            yield replace(base, before=(Step(base.call, base.at, count),))


def _later(mutant: Mutant, base: Case) -> Iterator[Case]:
    until = mutant.rule.until if mutant.rule is not None else None
    if until is not None:
        yield replace(base, at=max(until, base.at), before=())
        return
    for days in (1, 30, 3650):
        yield replace(base, at=base.at + timedelta(days=days), before=(Step(base.call, base.at),))


# --- as text ---


def _written(case: Case) -> str:
    parts = [f"why: {scalar(case.why)}"]
    if case.before:
        parts.append(f"after: [{', '.join(_step(step) for step in case.before)}]")
    parts += _call(case.call)
    parts += [f"at: {case.at:{_MOMENT}}"] if case.at != NOW else []
    parts += [f"principal: {scalar(case.call.principal)}"] if case.call.principal != PRINCIPAL else []
    parts += [f"links: {_flow(dict(case.links))}"] if case.links else []
    parts.append(f"expect: {case.expect.name.lower()}")
    parts += [f"rule: {scalar(case.rule)}"] if case.rule is not None else []
    parts += [f"reason: {case.reason}"] if case.reason is not None else []
    return f"- {{{', '.join(parts)}}}"


def _step(step: Step) -> str:
    parts = [*_call(step.call), *([f"times: {step.times}"] if step.times > 1 else []), *_at(step.at)]
    return f"{{{', '.join(parts)}}}"


def _at(at: datetime) -> list[str]:
    return [f"at: {at:{_MOMENT}}"]


def _call(call: Call) -> list[str]:
    if call.kind is Kind.RESOURCE:
        return [f"resource: {{server: {scalar(call.server)}, uri: {scalar(call.target)}}}"]
    long = {name: value for name, value in call.arguments.items() if _is_long(value)}
    short = {name: value for name, value in call.arguments.items() if name not in long}
    parts = [f"{'call' if call.kind is Kind.TOOL else 'prompt'}: {scalar(call.name)}", f"args: {_flow(short)}"]
    lengths = {name: len(value) for name, value in long.items()}
    return [*parts, f"long: {_flow(lengths)}"] if lengths else parts


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > _LONGEST and value == "x" * len(value)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{scalar(name)}: {_flow(inner)}' for name, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(inner) for inner in value)}]"
    return scalar(value) if isinstance(value, str) else json.dumps(value)
