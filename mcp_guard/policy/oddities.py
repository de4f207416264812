"""What `check` points out in documents that load: rules that can't do what their author most likely meant.

Advice, not judgement: nothing here changes a decision. Only what can be told for certain from names is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from mcp_guard.model import Effect, EffectClass, Facts, Kind
from mcp_guard.policy.budgets import Budget
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.oddities_budgets import odd_groups, unreachable_counts
from mcp_guard.policy.oddities_codes import CODES
from mcp_guard.policy.oddities_fit import (
    Known,
    may_meet,
    servers_without_rules,
    unknown_arguments,
    unknown_names,
)
from mcp_guard.policy.oddities_never import not_on_this_machine, waits_in_vain
from mcp_guard.policy.oddities_past import labels_that_nothing_gives
from mcp_guard.policy.oddities_settings import reaches_settings
from mcp_guard.policy.oddities_sources import unknown_sources
from mcp_guard.policy.oddities_unlocked import not_reached
from mcp_guard.policy.refusals import place
from mcp_guard.policy.rules import Arguments, Limit, Rule

# Words that a shell or code tool goes by, as a whole word of its name: `run_command`, `executePython`, `bash`.
_SHELL_WORDS = frozenset(
    {"bash", "sh", "zsh", "shell", "powershell", "pwsh", "cmd", "exec", "execute", "eval", "terminal", "command"}
    | {"commands", "subprocess", "repl", "python", "javascript", "script", "interpreter"}
)
_HARMLESS = frozenset({"get", "list", "read", "search", "find", "describe", "show"})  # `list_commands` only reads
_Classes = Callable[[str, str], frozenset[EffectClass]]
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Oddity:
    """One thing to look at, and where it stands."""

    message: str
    rule: str
    file: str
    line: int
    column: int
    code: str = ""  # stable, one of `oddities_codes.CODES`

    @property
    def hint(self) -> str:
        """What to do about it."""
        return CODES[self.code].hint

    @property
    def is_note(self) -> bool:
        """It may well be meant so."""
        return CODES[self.code].note


def oddities(
    authority: Authority,
    known_tools: Mapping[str, Iterable[str] | None],
    *,
    arguments: Mapping[str, Collection[str]] | None = None,
    every_server: bool = True,
    now: datetime | None = None,
    facts: Facts | None = None,
) -> list[Oddity]:
    """All oddities of the documents, in reading order.

    `known_tools` are the tools of each server, None if it is silent.
    A server that it doesn't have counts as one that isn't configured, unless there are more than those
    (`every_server=False`); with no servers at all, names aren't judged. `arguments` are what tools (`server/tool`)
    take, where their schemas say so. Without `now`, rules that are over aren't looked for; without `facts`, no path
    is judged.
    """
    known: Known = {server: None if tools is None else frozenset(tools) for server, tools in known_tools.items()}
    classes = _classes(authority, facts)
    heard = {server for server, tools in known.items() if tools is not None}
    denies = [rule for layer in authority.layers for rule in layer.rules if _covers_everything(rule)]
    found: list[Oddity] = []
    for layer in authority.layers:
        for rule in layer.rules:
            targets = _targets(rule, known, classes)
            named = [f"{server}/{tool}" for server, tool in targets]
            said = [
                ("unknown-name", unknown_names(rule, known, every_server=every_server)),
                ("unknown-argument", unknown_arguments(rule, named, arguments or {})),
                ("denied-anyway", _overlapped(rule, targets, denies, classes, heard)),
                ("nothing-granted", _idle(rule, authority)),
                ("over", _over(rule, now)),
                ("unknown-label", labels_that_nothing_gives(rule, authority)),
                ("shell", _shells(rule, targets, classes)),
                ("client-settings", _settings(rule, targets, layer, facts)),
                ("unreachable-count", unreachable_counts(rule)),
                ("unknown-source", unknown_sources(rule, known, every_server=every_server)),
                ("waits-in-vain", waits_in_vain(rule, authority)),
                ("other-name", not_on_this_machine(rule)),
                ("not-locked", not_reached(rule, targets, classes, facts)),
            ]
            found += [oddity(rule, message, code) for code, messages in said for message in messages]
        found += _duplicates(layer)
        found += _groups(layer)
    return found


def strangers(authority: Authority, servers: Collection[str], *, wrapped: bool) -> list[Oddity]:
    """Servers that no rule is about; with no rule to point at, the place is the document's first line."""
    said = servers_without_rules(authority, servers, wrapped=wrapped)
    return [Oddity(message, "", authority.layers[0].file, 1, 1, "no-rule") for message in said]


def oddity(rule: Rule, message: str, code: str) -> Oddity:
    """One about this rule."""
    return Oddity(message, rule.ref.id, rule.ref.file, rule.ref.line, rule.ref.column, code)


def _targets(rule: Rule, known: Known, classes: _Classes) -> list[tuple[str, str]]:
    """The tools that the rule is about, as far as they can be told now."""
    if rule.kind is not Kind.TOOL:
        return []
    pairs = [(server, tool) for server, tools in known.items() for tool in sorted(tools or ())]
    if rule.effects:
        return [(s, t) for s, t in pairs if classes(s, t) and classes(s, t) <= rule.effects]
    named = [(name.server, name.target) for name in rule.names if name.exact]
    return list(dict.fromkeys([*named, *(pair for pair in pairs if rule.may_name(*pair))]))


def _classes(authority: Authority, facts: Facts | None) -> _Classes:
    """What tools are said to do, by the operator or the catalogue; nothing for one that nobody knows."""

    def classes(server: str, tool: str) -> frozenset[EffectClass]:
        entry = authority.tools.get(f"{server}/{tool}") or (facts.described(server, tool) if facts else None)
        return entry.effects if entry is not None else frozenset()

    return classes


def _covers_everything(rule: Rule) -> bool:
    return rule.ref.effect is Effect.DENY and rule.unconditional and rule.when is None and rule.uri is None


def _overlapped(
    rule: Rule, targets: list[tuple[str, str]], denies: list[Rule], classes: _Classes, heard: Collection[str]
) -> Iterator[str]:
    """A grant or ask all of whose tools some deny covers whatever the arguments are. What the tools of a server that
    wasn't `heard` can do isn't known yet: the catalogue speaks of what is listed.
    """
    if rule.ref.effect is Effect.DENY:
        return
    seen = {
        target: [deny for deny in denies if not deny.effects or target[0] in heard or classes(*target)]
        for target in targets
    }
    over = [next((deny for deny in seen[target] if _denies(deny, *target, classes)), None) for target in targets]
    if targets and all(over):
        named = dict.fromkeys(place(deny) for deny in over if deny is not None)
        yield f"it never counts: deny {', '.join(named)} covers all of it"


def _idle(rule: Rule, authority: Authority) -> Iterator[str]:
    """An ask or a deny about what nothing grants: such a call is refused without it. For now, so it may be meant."""
    if rule.is_grant or rule.effects:
        return
    rules = [other for layer in authority.layers for other in layer.rules if other.kind is rule.kind]
    grants = [other for other in rules if other.is_grant]
    named = [(name, granted) for name in rule.names for other in grants for granted in other.names]
    if not any(other.effects for other in grants) and not any(may_meet(*pair) for pair in named):
        yield "it has no effect for now: nothing grants what it names"


def _denies(deny: Rule, server: str, tool: str, classes: _Classes) -> bool:
    if deny.kind is not Kind.TOOL:
        return False
    if deny.effects:
        return bool((classes(server, tool) or frozenset(EffectClass)) & deny.effects)
    return any(name.covers(loose(server), loose(tool)) for name in deny.names)


def _over(rule: Rule, now: datetime | None) -> Iterator[str]:
    if now is not None and rule.until is not None and now >= rule.until:
        yield f"it never counts: it ended at {rule.until:%Y-%m-%dT%H:%M:%SZ}"


def _shells(rule: Rule, targets: list[tuple[str, str]], classes: _Classes) -> Iterator[str]:
    """Law 7: whoever runs commands or code can do what the guard's user can, whatever the arguments look like."""
    if not rule.is_grant:
        return
    if EffectClass.EXECUTE in rule.effects:
        yield "it grants tools that execute commands or code: no limit on arguments confines those"
    for server, tool in targets:
        if EffectClass.EXECUTE in classes(server, tool) or looks_like_a_shell(tool):
            yield f"`{server}/{tool}` executes commands or code: no limit on arguments confines it"


def _settings(rule: Rule, targets: list[tuple[str, str]], layer: Document, facts: Facts | None) -> Iterator[str]:
    project = layer.variables.get("project")
    if facts is not None and project is not None:
        yield from reaches_settings(rule, [tool for _, tool in targets], project, facts)


def looks_like_a_shell(tool: str) -> bool:
    """Does the tool's name say that it runs commands or code?"""
    words = [word.lower() for word in _WORD.findall(tool)]
    return bool(words) and words[0] not in _HARMLESS and not _SHELL_WORDS.isdisjoint(words)


def looks_harmless(tool: str) -> bool:
    """Does the tool's name say that it only looks?"""
    words = _WORD.findall(tool)
    return bool(words) and words[0].lower() in _HARMLESS


def _duplicates(layer: Document) -> Iterator[Oddity]:
    seen: dict[object, Rule] = {}
    for rule in layer.rules:
        content = _content(rule)
        first = seen.setdefault(content, rule)
        if first is not rule:
            yield oddity(rule, f"it says the same as {place(first)}", "duplicate")


def _groups(layer: Document) -> Iterator[Oddity]:
    for name, message in odd_groups(layer):
        line, column = layer.places.get(("groups", name), (1, 1))
        yield Oddity(message, "", layer.file, line, column, "group-of-everybody")


def _content(rule: Rule) -> object:
    """All that a rule says, without its id, its place and its advice."""
    arguments = None if rule.arguments is None else _arguments(rule.arguments)
    uri = None if rule.uri is None else rule.uri.constraint
    budget = None if rule.budget is None else _budget(rule.budget)
    target = (rule.ref.effect, rule.kind, frozenset(rule.names), rule.effects)
    rest = (rule.asks, budget, rule.until, rule.rate, rule.deny_secrets, rule.result, rule.after, rule.once)
    return (*target, arguments, uri, rule.when, *rest)


def _budget(budget: Budget) -> object:
    return budget.calls, frozenset(budget.sums.items()), frozenset(budget.distinct.items()), budget.per


def _arguments(limits: Arguments) -> object:
    return (_limits(limits.listed), _limits(limits.optional), limits.others, limits.nulls)


def _limits(named: Mapping[str, Limit]) -> object:
    return frozenset((name, limit.constraint) for name, limit in named.items())
