"""What doesn't fit between documents and the servers that they are for: names and arguments that nobody has.

Part of `oddities.py`; says only what is certain from names.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping

from mcp_guard.model import Kind
from mcp_guard.policy.document import Authority
from mcp_guard.policy.names import NamePattern, fits
from mcp_guard.policy.rules import Rule

Known = Mapping[str, frozenset[str] | None]
"""By server: its tools; None if it didn't say."""


def meant(word: str, there: Iterable[str]) -> str:
    """``; did you mean `x`?``, or nothing."""
    close = difflib.get_close_matches(word, sorted(there), 1, 0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


def unknown_names(rule: Rule, known: Known, *, every_server: bool) -> Iterator[str]:
    """A grant for what no server has. Denies may well name what isn't there yet."""
    if not known or not rule.is_grant:
        return
    for name in rule.names:
        reached = [server for server in known if fits(name.server, server)]
        if not reached:
            if every_server and "*" not in name.server:
                yield f"no server is called `{name.server}`{meant(name.server, known)}"
        elif rule.kind is Kind.TOOL and not any(_may_have(name, known[server]) for server in reached):
            yield f"no server has the tool `{name}`{meant(name.target, known.get(name.server) or ())}"


def _may_have(name: NamePattern, tools: Collection[str] | None) -> bool:
    return tools is None or any(fits(name.target, tool) for tool in tools)


def unknown_arguments(rule: Rule, tools: Iterable[str], arguments: Mapping[str, Collection[str]]) -> Iterator[str]:
    """A grant that lists an argument which the tool's inputSchema doesn't have. An optional one may be another tool's.

    `tools` are those that the rule reaches, and `arguments` what each tool has, both by `server/tool`.
    """
    if not rule.is_grant or rule.arguments is None:
        return
    reached = [tool for tool in tools if tool in arguments]
    for name in rule.arguments.listed:
        lacking = [tool for tool in reached if name not in arguments[tool]]
        if lacking:
            yield f"`{lacking[0]}` has no argument `{name}`{meant(name, arguments[lacking[0]])}"
    for name in rule.arguments.optional:
        if reached and not any(name in arguments[tool] for tool in reached):
            yield f"`{reached[0]}` has no argument `{name}`{meant(name, arguments[reached[0]])}"


def servers_without_rules(authority: Authority, servers: Collection[str], *, wrapped: bool) -> Iterator[str]:
    """Servers of which nothing will be shown since no rule of the standing document is about them.

    With `wrapped`, the person named the one server on the command line and may have meant another name.
    """
    if not authority.layers:
        return
    document = authority.layers[0]
    if any(rule.effects for rule in document.rules):
        return
    named = {name.server for rule in document.rules for name in rule.names}
    others = sorted(server for server in named if "*" not in server and server not in servers)
    for server in servers:
        if not any(fits(pattern, server) for pattern in named):
            yield f"no rule is about server `{server}`{_instead(document.kind, others, wrapped=wrapped)}"


def _instead(kind: str, others: list[str], *, wrapped: bool) -> str:
    if not others:
        return ", so nothing of it is shown"
    said = f"; the {kind} names {' and '.join(f'`{server}`' for server in others)}"
    return f"{said}: `--name {others[0]}`?" if wrapped and len(others) == 1 else said


def may_meet(one: NamePattern, other: NamePattern) -> bool:
    """Could both be about one target? Certain only when it says no."""
    return _may_meet(one.loose_server, other.loose_server) and _may_meet(one.loose_target, other.loose_target)


def _may_meet(one: str, other: str) -> bool:
    if "*" not in one:
        return fits(other, one)
    if "*" not in other:
        return fits(one, other)
    heads = (one.partition("*")[0], other.partition("*")[0])
    tails = (one.rpartition("*")[2], other.rpartition("*")[2])
    return max(heads, key=len).startswith(min(heads, key=len)) and max(tails, key=len).endswith(min(tails, key=len))
