"""Rules that wait for what can't come: a tool that nothing grants, somebody who is called otherwise.

Part of `oddities.py`. Core.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcp_guard.model import Kind
from mcp_guard.policy.constraint_sources import sources_in
from mcp_guard.policy.document import Authority
from mcp_guard.policy.names import NamePattern, fits
from mcp_guard.policy.oddities_fit import may_meet
from mcp_guard.policy.rules import Rule

_LOCAL = "local:"  # how everybody is called who runs the guard on this machine


def waits_in_vain(rule: Rule, authority: Authority) -> Iterator[str]:
    """Tools under `after`, `from` and `not_from` that some document doesn't grant: they never carry a call."""
    for name in rule.after.tools if rule.after is not None else ():
        if not _granted(name, authority):
            yield f"`after` names {name}, which nothing grants: it never came before"
    limits = {**rule.arguments.listed, **rule.arguments.optional} if rule.arguments is not None else {}
    tools = {source.tool: name for name, limit in limits.items() for source, _ in sources_in(limit.constraint)}
    for tool, argument in tools.items():
        if tool and not _granted(NamePattern.of(tool), authority):
            yield f"`{argument}` may come from {tool}, which nothing grants: nothing comes from there"


def _granted(name: NamePattern, authority: Authority) -> bool:
    """Could a call of it pass every layer? Certain only when it says no."""
    return all(any(_may_carry(rule, name) for rule in layer.rules) for layer in authority.layers)


def _may_carry(rule: Rule, name: NamePattern) -> bool:
    if not rule.is_grant or rule.kind is not Kind.TOOL:
        return False
    return bool(rule.effects) or any(may_meet(one, name) for one in rule.names)


def not_on_this_machine(rule: Rule) -> Iterator[str]:
    """Names that nobody has who runs the guard here; who comes by a token may be called so."""
    yield from _elsewhere(rule.when.principals if rule.when is not None else ())


def _elsewhere(principals: Iterable[str]) -> Iterator[str]:
    for name in principals:
        if ":" not in name and not fits(name, f"{_LOCAL}{name.replace('*', 'x')}"):
            yield f"whoever runs the guard on this machine is called `{_LOCAL}{name}`, never `{name}`"
