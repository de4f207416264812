"""A second judge, as naive as can be, from the design's words alone: no index, no compiled rules, no reasons.

It reads documents as plain data. Of the real one's parts it borrows only what other tests hold to the letter: the
check of one constraint, how names fit, and how a moment is read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from mcp_guard.model import EVERY_EFFECT, Answer, Call, Effect, EffectClass, Facts, Kind
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.constraints import compile_check, parse_constraint
from mcp_guard.policy.names import fits
from mcp_guard.policy.times import parse_moment

KEY = "AKIA" + "EXAMPLEEXAMPLE12"  # the one secret that is drawn
Written = dict[str, Any]


def judged(layers: Sequence[Written], call: Call, facts: Facts, settled: Collection[str] = ()) -> Effect:
    """The strictest layer counts. A mandate is known by its task. `settled`: keys of the asks that are approved."""
    alone = any(layer.get("mandate") for layer in layers) and not any("task" in layer for layer in layers)
    said = [_layer(one, layers, call, facts, settled) for one in layers]
    return Effect.DENY if alone or not said else max(said)


def _layer(layer: Written, layers: Sequence[Written], call: Call, facts: Facts, settled: Collection[str]) -> Effect:
    name, end = ("mandate", parse_moment(layer["expires"])) if "task" in layer else ("policy", None)
    ground = (layers[0].get("tools", {}), layer.get("groups", {}), call, facts)
    carrying = [rule for rule in layer["grants"] if _carries(rule, f"{name}/{rule['id']}", *ground)]
    if not carrying or (end and facts.now >= end) or any(_fires(rule, *ground) for rule in layer["deny"]):
        return Effect.DENY
    asking = [rule for rule in layer["ask"] if _fires(rule, *ground)]
    asking += carrying if all(rule.get("ask") for rule in carrying) else []
    return Effect.ALLOW if all(f"{name}/{rule['id']}" in settled for rule in asking) else Effect.ASK


def _about(rule: Written, tools: Written, groups: Written, call: Call, facts: Facts, *, grant: bool) -> bool:
    same, when = (lambda text: text) if grant else loose, rule.get("when", {})
    who = when.get("principal", "*") if isinstance(when.get("principal", "*"), list) else [when.get("principal", "*")]
    people = [name for one in who for name in (groups[one["group"]] if isinstance(one, dict) else [one])]
    late = "after" not in when.get("time", {}) or facts.now.hour >= 12
    fri = "days" not in when.get("time", {}) or facts.now.weekday() == 4
    exposed = set(when.get("labels", [])) <= facts.labels() and not set(when.get("no_labels", [])) & facts.labels()
    if not (late and fri and exposed and any(fits(same(one), same(call.principal)) for one in people)):
        return False
    if call.kind is Kind.RESOURCE:
        target = rule.get("resource", {"server": ""})
        return target["server"] == call.server and _fits(target.get("uri", "any"), call.target, facts, grant=grant)
    entry, described = tools.get(call.name), facts.described(call.server, call.target)
    known = described.effects if described else EVERY_EFFECT
    known = frozenset(EffectClass(one) for one in entry["effect"]) if entry else known
    has = known | facts.added_effects(call.server, call.target)
    grave = call.kind is Kind.TOOL and bool(has & {EffectClass.DESTRUCTIVE, EffectClass.EGRESS, EffectClass.SPEND})
    seen = facts.known_at_first_sight(call.server, call.target)
    seen = seen and (not grave or facts.locked(call.server, call.target))
    if "effect" in rule:
        named = {EffectClass(one) for one in rule["effect"]}
        return call.kind is Kind.TOOL and (has <= named and seen if grant else bool(has & named))
    names = rule.get("tool" if call.kind is Kind.TOOL else "prompt", [])
    if not grant:
        return any(fits(loose(name), loose(call.name)) for name in names)
    return call.name in names or (seen and any(fits(name, call.name) for name in names))


def _fits(constraint: Any, value: Any, facts: Facts, *, grant: bool) -> bool:
    said = compile_check(parse_constraint(constraint, in_grant=grant, variables={}, home="/home/u"))(value, facts)
    return said is Answer.YES if grant else said is not Answer.NO


def _carries(rule: Written, key: str, tools: Written, groups: Written, call: Call, facts: Facts) -> bool:
    end, args, given = parse_moment(rule.get("until", "")), rule.get("args", "any"), call.arguments
    if not _about(rule, tools, groups, call, facts, grant=True) or (end and facts.now >= end):
        return False
    done = facts.admitted()
    called = [tool for tool, times in done.tools.items() if times]
    first = all(any(fits(name, tool) for tool in called) for name in rule.get("after", []))
    if not first or (rule.get("once") and done.grants.get(key)):
        return False
    if args != "any":
        known = {**args, **rule.get("optional", {})}
        nulls = [name for name, value in given.items() if value is None and name not in args and "nulls" in rule]
        counts = {name: value for name, value in given.items() if name not in nulls}
        if not args.keys() <= counts.keys() or ("others" not in rule and not counts.keys() <= known.keys()):
            return False
        if not all(_fits(known[name], value, facts, grant=True) for name, value in counts.items() if name in known):
            return False
    return _has_room(rule, key, given, facts) and not ("deny_secrets" in rule and _has_secret(call))


def _has_room(rule: Written, key: str, given: Any, facts: Facts) -> bool:
    budget, used, values = rule.get("budget", {}), facts.used(key), facts.values(key)
    for name, limit in budget.get("sum", {}).items():
        value = given.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            return False
        if used.sums.get(name, Decimal(0)) + Decimal(str(value)) > Decimal(str(limit)):
            return False
    for name, most in budget.get("distinct", {}).items():
        known = values.get(name, ())
        if name not in given or (facts.fingerprint([key, name, given[name]]) not in known and len(known) >= most):
            return False
    calls, _, unit = rule.get("rate", "").partition("/")
    paced = not calls or facts.used(key, "", {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]).calls < int(calls)
    return paced and used.calls < budget.get("calls", 10**9)


def _has_secret(call: Call) -> bool:
    return KEY in json.dumps(call.params)


def _fires(rule: Written, tools: Written, groups: Written, call: Call, facts: Facts) -> bool:
    if not _about(rule, tools, groups, call, facts, grant=False):
        return False
    done = facts.admitted().tools
    named = [tool for tool in done if any(fits(loose(name), loose(tool)) for name in rule.get("after", []))]
    if "after" in rule and sum(done[tool] for tool in named) < rule.get("times", 1):
        return False
    for name, limit in rule.get("args", {}).items():
        given, like = call.arguments, any(one != name and loose(one) == loose(name) for one in call.arguments)
        if not (like or (name in given and _fits(limit, given[name], facts, grant=False))):
            return False
    return "deny_secrets" not in rule or _has_secret(call)
