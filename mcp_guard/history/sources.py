"""What the documents ask of the history, and where each value of a call comes from, in words for a person.

Core. Without a `from` in any document nothing is asked, nothing is looked at and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mcp_guard.history.free_text import addresses_in
from mcp_guard.history.index import Reading
from mcp_guard.history.literals import literals_of, task_units
from mcp_guard.history.reading import Carried
from mcp_guard.history.trust import is_untrusted, never_trusted
from mcp_guard.history.units import unit_of
from mcp_guard.model import Call, EffectClass, Facts, Kind, Origin, Unit
from mcp_guard.policy.constraint_kinds import All, Constraint, Each, Fields, From, NotFrom, OrNull, Some, Source
from mcp_guard.policy.constraint_sources import FORGOTTEN, sources_in
from mcp_guard.policy.constraint_words import source_words
from mcp_guard.policy.document import Authority
from mcp_guard.policy.matching import effect_classes, given_arguments
from mcp_guard.policy.rules import Limit, Rule

_READS = frozenset({EffectClass.READ})
_MOST = 12  # addresses of one text that are said


@dataclass(frozen=True, slots=True)
class Asked:
    """What the documents of a session ask about sources."""

    fields: Mapping[str, tuple[str, ...]]  # of the tools that some `from` names: the fields, empty for the whole
    results: bool  # `trusted` or `untrusted` is asked for: every tool's results count
    active: bool
    known: Mapping[Unit, tuple[Origin, ...]]  # from the task, and from the policy's literals

    @property
    def history(self) -> bool:
        """Does anything hang on results of tools? If not, there is no history to keep."""
        return self.results or bool(self.fields)

    def reads(self, call: Call) -> bool:
        """Does somebody ask for what this call's result gives?"""
        return call.kind is Kind.TOOL and call.method == "tools/call" and (self.results or call.name in self.fields)


def asked_by(authority: Authority) -> Asked:
    """What these documents ask. Work it out once for each authority."""
    items = [source for limit in _limits(authority) for source, _ in sources_in(limit.constraint)]
    kinds = {source.kind for source in items}
    fields: dict[str, tuple[str, ...]] = {}
    for source in items:
        if source.kind == "tool":
            fields[source.tool] = tuple(dict.fromkeys((*fields.get(source.tool, ()), source.field)))
    known: dict[Unit, tuple[Origin, ...]] = {}
    for layer in authority.layers if items else ():
        units = [(unit, Origin("task")) for unit in task_units(layer.task)] if layer.task else []
        units += [(unit, Origin("policy")) for unit in literals_of(layer)] if layer.kind == "policy" else []
        for unit, origin in units:
            known[unit] = (*known.get(unit, ()), origin)
    return Asked(fields, bool(kinds & {"trusted", "untrusted"}), bool(items), known)


def _limits(authority: Authority) -> Iterator[Limit]:
    for layer in authority.layers:
        for rule in layer.rules:
            yield from _limits_of(rule)


def _limits_of(rule: Rule) -> Iterator[Limit]:
    if rule.arguments is not None:
        yield from rule.arguments.listed.values()
        yield from rule.arguments.optional.values()


def reading_of(asked: Asked, authority: Authority, call: Call, facts: Facts, carried: Carried) -> Reading:
    """How the result of this call counts, by what is known when it is read."""
    fields = asked.fields.get(call.name, ())
    trusted = not is_untrusted(authority.tools, call, facts)
    named = tuple(name for name in fields if name)
    return Reading(call.name, trusted, named, asked.results or "" in fields, carried)


def may_write(authority: Authority, call: Call, facts: Facts) -> bool:
    """Could what the call carries be read back later? Only a tool that is known to read alone can't keep it."""
    return call.kind is not Kind.TOOL or not effect_classes(authority.tools, call, facts) <= _READS


def still_counts(authority: Authority, origin: Origin) -> bool:
    """What was gained as trusted under other documents counts only if these don't say otherwise."""
    return origin.source != "trusted" or not never_trusted(authority.tools, origin.tool)


# --- in words ---


def describe(authority: Authority, call: Call, facts: Facts) -> dict[str, str]:
    """Where each value comes from that some `from` or `not_from` is about: `recipient` -> `from the task`.

    By the argument's path (`to[0]`, `payment.iban`). Never quotes a value, so it may be shown wherever the rules may.
    Total: what can't be told is said to be so. Empty if no rule about this target asks.
    """
    arguments = given_arguments(call) or {}
    found: dict[str, str] = {}
    for name, constraint in _asking(authority, call):
        if name in arguments:
            for path, value, free in _judged(name, constraint, arguments[name]):
                found.setdefault(path, _said(value, free, facts))
    return found


def _asking(authority: Authority, call: Call) -> Iterator[tuple[str, Constraint]]:
    for layer in authority.layers:
        speakers = layer.index.speakers(call.kind, call.server, call.target)
        for reach in (*speakers.grants, *speakers.asks, *speakers.denies):
            arguments = reach.rule.arguments
            limits = {**arguments.optional, **arguments.listed} if arguments is not None else {}
            for name, limit in limits.items():
                if any(True for _ in sources_in(limit.constraint)):
                    yield name, limit.constraint


def _judged(path: str, constraint: Constraint, value: object) -> Iterator[tuple[str, object, bool]]:
    match constraint:
        case From(free=free) | NotFrom(From(free=free)):
            yield path, value, free
        case Each(element=inner) | Some(element=inner) if isinstance(value, list):
            for number, one in enumerate(value):
                yield from _judged(f"{path}[{number}]", inner, one)
        case OrNull(other):
            if value is not None:
                yield from _judged(path, other, value)
        case All(parts):
            for part in parts:
                yield from _judged(path, part, value)
        case Fields(named) if isinstance(value, Mapping):
            for name, part in named:
                if name in value:
                    yield from _judged(f"{path}.{name}", part, value[name])
        case _:
            return


def _said(value: object, free: bool, facts: Facts) -> str:
    if not free:
        unit = unit_of(value)
        return "from nowhere that is known: it is not one plain value" if unit is None else _origins(unit, facts)
    found = addresses_in(value) if isinstance(value, str) else None
    if found is None:
        return "from nowhere that is known: an address in it isn't plain, or it is too long to be looked through"
    if not found:
        return "from nowhere: there is no address in it"
    said = dict.fromkeys(_origins(unit, facts) for unit in sorted(found, key=lambda one: (one.kind, one.text)))
    return "; ".join(list(said)[:_MOST])


def _origins(unit: Unit, facts: Facts) -> str:
    try:
        origins = facts.origins(unit)
    except Exception:
        return "from nowhere that can be told"
    said = dict.fromkeys(_origin(origin) for origin in origins if origin != FORGOTTEN)
    if said:
        return " and ".join(said)
    gone = ", or it came from what has fallen out of the history" if FORGOTTEN in origins else ""
    return f"from nowhere that is known: the model may have made it up{gone}"


def _origin(origin: Origin) -> str:
    if not origin.tool:
        return f"from {source_words([Source(origin.source)])}"
    trust = ", which anybody may have written" if origin.source == "untrusted" else ""
    return f"from {source_words([Source('tool', origin.tool, origin.field)])}{trust}"
