"""The permitted call that is closest to one that isn't: what a person may try instead, and where a grant's edge is.

Searched among the arguments of the grants about the same tool, and held to the judge: what is found is permitted, and
where nothing is found there may still be something. Off the hot path.

Core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

from mcp_guard.model import Answer, Call, Decision, Effect, Facts, Kind
from mcp_guard.policy.document import Authority
from mcp_guard.policy.matching import given_arguments
from mcp_guard.policy.near_values import near
from mcp_guard.policy.rules import Arguments, Limit, Rule, answer

_MOST_PAIRS = 24  # combinations of one grant for each layer
_MOST_VALUES = 24  # that are tried for one argument
_MOST_KEPT = 3  # fitting values of one argument that are tried together with the others
_MOST_CALLS = 40  # that are judged for one combination

Judge = Callable[[Call], Decision]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The call, what it differs in, and what is decided about it: allow or ask."""

    arguments: dict[str, Any]
    changed: tuple[str, ...]
    effect: Effect

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {"arguments": self.arguments, "changed": list(self.changed), "effect": self.effect.name.lower()}


def nearest_call(authority: Authority, call: Call, facts: Facts, judge: Judge) -> Nearest | None:
    """The closest permitted call that was found: fewest changed arguments first, then one that isn't asked about."""
    given = given_arguments(call)
    if given is None or call.kind not in (Kind.TOOL, Kind.PROMPT) or not authority.layers:
        return None
    found = [one for grants in _combinations(authority, call) for one in _tried(grants, call, given, facts, judge)]
    return min(found, key=lambda one: (len(one.changed), one.effect), default=None)


def _combinations(authority: Authority, call: Call) -> Iterator[tuple[Rule, ...]]:
    layers = [
        [reach.rule for reach in layer.index.speakers(call.kind, call.server, call.target).grants]
        for layer in authority.layers
    ]
    yield from islice(product(*layers), _MOST_PAIRS)


def _tried(
    grants: Sequence[Rule], call: Call, given: Mapping[str, Any], facts: Facts, judge: Judge
) -> Iterator[Nearest]:
    """The first call of this combination that the judge permits."""
    limits = [rule.arguments for rule in grants if rule.arguments is not None]
    for arguments in islice(_arguments(limits, given, facts), _MOST_CALLS):
        decision = judge(replace(call, params={**call.params, "arguments": arguments}))
        if decision.effect is not Effect.DENY:
            names = dict.fromkeys((*given, *arguments))
            changed = [name for name in names if not _same(given, arguments, name)]
            yield Nearest(arguments, tuple(changed), decision.effect)
            return


def _same(given: Mapping[str, Any], arguments: Mapping[str, Any], name: str) -> bool:
    missing = object()
    old, new = given.get(name, missing), arguments.get(name, missing)
    return type(old) is type(new) and old == new


def _arguments(limits: Sequence[Arguments], given: Mapping[str, Any], facts: Facts) -> Iterator[dict[str, Any]]:
    """Whole argument objects that each of the grants may take."""
    names = dict.fromkeys([*given, *(name for one in limits for name in one.listed)])
    choices: list[tuple[str, list[Any]]] = []
    for name in names:
        wanted = any(name in one.listed for one in limits)
        if not wanted and not all(name in one.optional or one.others for one in limits):
            continue  # it must be absent
        values = _values([found for one in limits if (found := _limit(one, name))], given.get(name), facts)
        if not values and wanted:
            return
        choices.append((name, values))
    for picked in product(*(values for _, values in choices if values)):
        yield dict(zip((name for name, values in choices if values), picked, strict=True))


def _limit(arguments: Arguments, name: str) -> Limit | None:
    return arguments.listed.get(name) or arguments.optional.get(name)


def _values(limits: Sequence[Limit], given: Any, facts: Facts) -> list[Any]:
    """Values that every limit takes, nearest first."""
    if not limits:
        return [given]
    tried = islice((value for limit in limits for value in near(limit.constraint, given)), _MOST_VALUES)
    fitting = (value for value in tried if all(answer(limit, value, facts) is Answer.YES for limit in limits))
    return list(islice(fitting, _MOST_KEPT))
