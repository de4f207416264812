"""Whether a rule speaks about a call: the questions that calls, listings and explanations share (law 3).

Every question is total. A grant needs a clear yes, so an exception is a no; an ask or a deny fires unless it is a clear
no, so there an exception is a yes (law 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mcp_guard.model import EVERY_EFFECT, Answer, Call, Charge, EffectClass, Facts, Json
from mcp_guard.policy.building import ToolFacts
from mcp_guard.policy.index import Reach, Speakers
from mcp_guard.policy.past import may_concern, open_now
from mcp_guard.policy.rules import Rule, answer, exact_amount

Classes = frozenset[EffectClass]


def effect_classes(tools: Mapping[str, ToolFacts], call: Call, facts: Facts) -> Classes:
    """What the tool can do: what the operator says of it, else the catalogue, else everything; annotations only add."""
    try:
        entry = tools.get(call.name) or facts.described(call.server, call.target)
        if entry is None:
            return EVERY_EFFECT
        return entry.effects | facts.added_effects(call.server, call.target)
    except Exception:
        return EVERY_EFFECT


def classes_for(speakers: Speakers, tools: Mapping[str, ToolFacts], call: Call, facts: Facts) -> Classes:
    """The same, asked only where a rule goes by it."""
    return effect_classes(tools, call, facts) if speakers.by_effect else EVERY_EFFECT


def given_arguments(call: Call) -> Mapping[str, Any] | None:
    """The arguments that rules judge; None if they aren't an object, which no rule can read."""
    if call.method == "completion/complete":
        return call.arguments if _completes_plainly(call) else None
    arguments: Json = call.params.get("arguments", {})
    return arguments if isinstance(arguments, Mapping) else None


def is_past(moment: datetime | None, facts: Facts) -> bool:
    """Is `moment` over? If the time can't be told, it is."""
    if moment is None:
        return False
    try:
        return facts.now >= moment
    except Exception:
        return True


def _completes_plainly(call: Call) -> bool:
    """Is there one argument to complete, and none that is given twice, of which a reader might take the other?"""
    argument, context = call.params.get("argument"), call.params.get("context", {})
    before = context.get("arguments", {}) if isinstance(context, Mapping) else None
    if not isinstance(argument, Mapping) or not isinstance(before, Mapping):
        return False
    name = argument.get("name")
    return isinstance(name, str) and name not in before and "value" in argument


# --- grants ---


def reaches(reach: Reach, call: Call, classes: Classes, facts: Facts) -> bool:
    """Is the target one that this grant was written for? Patterns and effects need first sight."""
    if reach.exactly:
        return True
    if reach.rule.effects and not classes <= reach.rule.effects:
        return False
    try:
        return facts.known_at_first_sight(call.server, call.target) is True
    except Exception:
        return False


def applies_now(reach: Reach, call: Call, classes: Classes, facts: Facts) -> bool:
    """Could this grant carry some call to the target now? What a listing asks: neither arguments nor budgets count."""
    rule = reach.rule
    return (
        reaches(reach, call, classes, facts)
        and when_holds(rule, call, facts)
        and not is_past(rule.until, facts)
        and uri_fits(rule, call, facts)
    )


def when_holds(rule: Rule, call: Call, facts: Facts) -> bool:
    """Does a grant's `when` hold for certain?"""
    try:
        return rule.when is None or rule.when.holds(call, facts)
    except Exception:
        return False


def uri_fits(rule: Rule, call: Call, facts: Facts) -> bool:
    """Is the resource one that the grant is about, for certain?"""
    return rule.uri is None or answer(rule.uri, call.target, facts) is Answer.YES


def arguments_fit(rule: Rule, arguments: Mapping[str, Any] | None, facts: Facts) -> bool:
    """Does the grant permit these arguments, for certain?"""
    if arguments is None:
        return False
    try:
        return rule.arguments is None or rule.arguments.permit(arguments, facts)
    except Exception:
        return False


def charge_for(rule: Rule, arguments: Mapping[str, Any] | None) -> Charge | None:
    """What the call costs this grant; None if a summed argument isn't there, isn't exact or is negative."""
    if rule.budget is None:
        return Charge(rule.key, calls=0)  # it carried the call; nothing has to be counted for it
    if not rule.budget.sums:
        return Charge(rule.key)
    sums = {name: exact_amount((arguments or {}).get(name)) for name in rule.budget.sums}
    if any(amount is None for amount in sums.values()):
        return None
    return Charge(rule.key, sums={name: amount for name, amount in sums.items() if amount is not None})


def has_room(rule: Rule, charge: Charge, facts: Facts) -> bool:
    """Is there budget left for this charge?"""
    if rule.budget is None:
        return True
    try:
        return rule.budget.leaves_room(facts.used(rule.key), charge.sums)
    except Exception:
        return False


def carries(
    reach: Reach, call: Call, arguments: Mapping[str, Any] | None, classes: Classes, facts: Facts
) -> Charge | None:
    """The charge under which this grant carries the call; None if it says nothing."""
    rule = reach.rule
    if not applies_now(reach, call, classes, facts) or not arguments_fit(rule, arguments, facts):
        return None
    if not open_now(rule, facts):
        return None
    charge = charge_for(rule, arguments)
    return charge if charge is not None and has_room(rule, charge, facts) else None


# --- asks and denies ---


def covers(reach: Reach, call: Call, classes: Classes, facts: Facts) -> bool:
    """Is this ask or deny about the target now, whatever the arguments are?"""
    rule = reach.rule
    try:
        if rule.effects and not classes & rule.effects:
            return False
        if rule.when is not None and not rule.when.may_hold(call, facts):
            return False
        return rule.uri is None or answer(rule.uri, call.target, facts) is not Answer.NO
    except Exception:
        return True


def fires(reach: Reach, call: Call, arguments: Mapping[str, Any] | None, classes: Classes, facts: Facts) -> bool:
    """Does this ask or deny fire: about the target, and no argument that it lists is a clear no?"""
    rule = reach.rule
    if not covers(reach, call, classes, facts) or not may_concern(rule, facts):
        return False
    if rule.arguments is None or arguments is None:
        return True
    try:
        return rule.arguments.concern(arguments, facts)
    except Exception:
        return True
