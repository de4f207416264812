"""Whether a rule speaks about a call: the questions that calls, listings and explanations share (law 3).

Every question is total. A grant needs a clear yes, so an exception is a no; an ask or a deny fires unless it is a clear
no, so there an exception is a yes (law 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mcp_guard.inspection.carried import carried_secrets
from mcp_guard.model import EVERY_EFFECT, GRAVE, Answer, Call, Charge, EffectClass, Facts, Json, Kind
from mcp_guard.policy.budgets import Count
from mcp_guard.policy.building import ToolFacts
from mcp_guard.policy.index import Reach, Speakers
from mcp_guard.policy.past import may_concern, open_now
from mcp_guard.policy.rules import Rule, answer

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
    return effect_classes(tools, call, facts) if speakers.by_effect or speakers.by_pattern else EVERY_EFFECT


def given_arguments(call: Call) -> Mapping[str, Any] | None:
    """The arguments that rules judge; None if they aren't an object, which no rule can read."""
    if call.method == "completion/complete":
        return call.arguments if _completes_plainly(call) else None
    arguments: Json = call.params.get("arguments", {})
    return arguments if type(arguments) is dict or isinstance(arguments, Mapping) else None


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
    """Is the target one that this grant was written for? Patterns and effects need first sight, and for a tool that
    destroys, sends or spends a lock: whoever wrote `bank/*` hasn't read what each of them does.
    """
    if reach.exactly:
        return True
    if reach.rule.effects and not classes <= reach.rule.effects:
        return False
    try:
        if facts.known_at_first_sight(call.server, call.target) is not True:
            return False
        return not is_grave(call, classes) or facts.locked(call.server, call.target) is True
    except Exception:
        return False


def is_grave(call: Call, classes: Classes) -> bool:
    """Is it a tool that a pattern reaches only under a lock?"""
    return call.kind is Kind.TOOL and not classes.isdisjoint(GRAVE)


def applies_now(reach: Reach, call: Call, classes: Classes, facts: Facts) -> bool:
    """Could this grant carry some call to the target now? What a listing asks: neither arguments nor budgets count."""
    rule = reach.rule
    return (
        (reach.exactly or reaches(reach, call, classes, facts))
        and (rule.when is None or when_holds(rule, call, facts))
        and (rule.until is None or not is_past(rule.until, facts))
        and (rule.uri is None or uri_fits(rule, call, facts))
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


def charges_for(rule: Rule, call: Call, arguments: Mapping[str, Any] | None, facts: Facts) -> tuple[Charge, ...] | None:
    """What the call costs this grant, one charge for each of its counts, in their order.

    None if a summed argument isn't there, isn't exact or is negative, or one whose values are counted isn't there.
    """
    if not rule.counts:
        return rule.exercised  # it carried the call; nothing has to be counted for it
    charges = []
    try:
        for count in rule.counts:
            charge = count.charge(rule.key, call.principal, arguments, facts)
            if charge is None:
                return None
            charges.append(charge)
    except Exception:
        return None
    return tuple(charges)


def has_room(rule: Rule, charges: Sequence[Charge], facts: Facts) -> bool:
    """Is there room for these charges, in every count of the grant?"""
    try:
        for count, charge in zip(rule.counts, charges, strict=False):
            if not count.has_room(charge, facts):
                return False
    except Exception:
        return False
    return True


def count_has_room(count: Count, charge: Charge, facts: Facts) -> bool:
    """The same of one count."""
    try:
        return count.has_room(charge, facts)
    except Exception:
        return False


def holds_back(rule: Rule, call: Call) -> bool:
    """Doesn't a grant with `deny_secrets` carry the call, since there is a secret in it, or may be?"""
    try:
        return rule.deny_secrets and bool(carried_secrets(call))
    except Exception:
        return True


def is_about_secrets(rule: Rule, call: Call) -> bool:
    """May an ask or a deny with `deny_secrets` be about the call? Not if clearly no secret is in it."""
    try:
        return not rule.deny_secrets or bool(carried_secrets(call))
    except Exception:
        return True


def carries(
    reach: Reach, call: Call, arguments: Mapping[str, Any] | None, classes: Classes, facts: Facts
) -> tuple[Charge, ...] | None:
    """The charges under which this grant carries the call; None if it says nothing."""
    rule = reach.rule
    if not (reach.always or applies_now(reach, call, classes, facts)) or not arguments_fit(rule, arguments, facts):
        return None
    if rule.remembers and not open_now(rule, facts):
        return None
    charges = charges_for(rule, call, arguments, facts)
    if charges is None or (rule.counts and not has_room(rule, charges, facts)):
        return None
    return None if rule.deny_secrets and holds_back(rule, call) else charges


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
    try:
        concerned = rule.arguments is None or arguments is None or rule.arguments.concern(arguments, facts)
    except Exception:
        concerned = True
    return concerned and is_about_secrets(rule, call)
