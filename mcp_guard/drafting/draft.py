"""From a task and the tools that there are to a drafted mandate: grants where the task is clear, asks where it isn't.

Core. Reading first, then what the task asks to be done. What nobody has judged, and what nothing in the task pins
down, is granted only with a person asked each time; what the task doesn't speak of isn't granted at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mcp_guard.drafting.acts import Clause, Said, clauses, how_said, plain, preferred
from mcp_guard.drafting.limits import ANY, Limit, limit_for, written
from mcp_guard.drafting.literals import Literals, literals_of
from mcp_guard.drafting.tools import (
    AMOUNT,
    ID,
    MAIL,
    NUMBER,
    OTHER,
    OWNER,
    PATH,
    REPOSITORY,
    URL,
    Offered,
    words_of,
)
from mcp_guard.model import EffectClass
from mcp_guard.policy.suggest import scalar

MANY, AGAIN = 20, 10
"""How often: of what the task wants for "each" or "all"; of what only writes to a place that the task names."""
_ALL = re.compile(r"\b(?:each|every|everyone|everybody|all)\b", re.IGNORECASE)
_PLACES = frozenset({URL, PATH, OWNER, REPOSITORY})
"""What has to be named before anything there is read: without it, reading would be reading everything."""
_WITHIN = frozenset({ID, NUMBER})
"""Narrowed to what the task names; open where it names none, since its place is limited, or its server is all."""


@dataclass(frozen=True, slots=True)
class Line:
    """One drafted grant: its YAML on one line, and why it is there, in words."""

    yaml: str
    why: str
    asks: bool
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """The drafted mandate, and the tools that it leaves out."""

    task: str
    expires: str
    lines: tuple[Line, ...]
    left_out: tuple[str, ...]


def draft(task: str, tools: Iterable[Offered], expires: str = "30m") -> Draft:
    """Draft a mandate by fixed rules: the same task and listing give the same draft."""
    tools = tuple(tools)
    literals = literals_of(task)
    parts = clauses(literals)
    ids = _Ids()
    readers = tuple(tool for tool in tools if tool.only_reads)
    lines = [*_reading(readers, literals, parts, ids), *_acting(tools, readers, literals, parts, ids)]
    granted = {name for line in lines for name in line.tools}
    return Draft(task, expires, tuple(lines), tuple(tool.full_name for tool in tools if tool.full_name not in granted))


class _Ids:
    """Ids of grants, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, name: str) -> str:
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "grant"
        free = next(
            one for n in range(1, len(self._taken) + 2) if (one := base if n == 1 else f"{base}-{n}") not in self._taken
        )
        self._taken.add(free)
        return free


# --- reading ---


def _reading(readers: Iterable[Offered], literals: Literals, task: tuple[Clause, ...], ids: _Ids) -> Iterator[Line]:
    """Tools that only read, those with the same limits on one line."""
    groups: dict[tuple[str, bool], list[tuple[Offered, str]]] = {}
    for tool in readers:
        limits = _reading_limits(tool, literals)
        if limits is None:
            continue
        asks = any(limit.open for limit in limits.values())
        if asks and not _mentioned(tool, task):
            continue
        why = _because(limits)
        key = _arguments(tool, limits, others=True)
        groups.setdefault((key, asks), []).append((tool, why))
    for (arguments, asks), found in groups.items():
        names = tuple(tool.full_name for tool, _ in found)
        why = next((why for _, why in found if why), "these tools only read")
        yield _line(
            ids.new("look"), names, arguments, f"reading: {why}" if why != "these tools only read" else why, asks
        )


def _reading_limits(tool: Offered, literals: Literals) -> dict[str, Limit] | None:
    """The limits of what says where it reads; None for a tool that has to be told a place, and no one can say which."""
    limits: dict[str, Limit] = {}
    for name in tool.bearing:
        kind = tool.kind_of(name)
        if kind not in _PLACES and kind not in _WITHIN:
            continue
        limit = limit_for(tool, name, literals, ())
        if limit.pinned or kind in _PLACES:
            limits[name] = limit
    return limits


def _because(limits: dict[str, Limit]) -> str:
    """`path` as the task names it; `subject` isn't in the task: arguments for the same reason together."""
    groups: dict[str, list[str]] = {}
    for name, limit in limits.items():
        groups.setdefault(limit.why, []).append(f"`{name}`")
    return "; ".join(f"{', '.join(names)} {why}" for why, names in groups.items())


def _mentioned(tool: Offered, task: tuple[Clause, ...]) -> bool:
    """Does the task have a word of the tool's name, other than as what must not be done?"""
    said = {word for clause in task for word in clause.words}
    return bool({plain(word) for word in tool.words if len(word) > 3} & said)


# --- acting ---


def _acting(
    tools: tuple[Offered, ...], readers: tuple[Offered, ...], literals: Literals, task: tuple[Clause, ...], ids: _Ids
) -> Iterator[Line]:
    reading = {tool.full_name for tool in readers}
    spoken = [(tool, *how_said(tool, task, literals)) for tool in tools if tool.full_name not in reading]
    for tool, said, verb in preferred(spoken):
        limits = _acting_limits(tool, literals, readers)
        doubts = list(_doubts(tool, said, limits))
        why = "; ".join(filter(None, [f"the task says `{verb}`", _because(limits), *doubts]))
        yield _line(
            ids.new(tool.name),
            (tool.full_name,),
            _arguments(tool, limits, others=False),
            why,
            bool(doubts) or any(limit.open for limit in limits.values()),
            _budget(tool, limits, literals),
        )


def _acting_limits(tool: Offered, literals: Literals, readers: tuple[Offered, ...]) -> dict[str, Limit]:
    """One that isn't required and bears authority is left out, so it must be absent, unless the task names it."""
    limits: dict[str, Limit] = {}
    said = {word.lower() for word in re.findall(r"[^\W\d_]+", literals.prose)}
    for name in tool.bearing:
        if tool.kind_of(name) == OTHER and name not in tool.required:
            continue
        limit = limit_for(tool, name, literals, readers)
        wanted = name in tool.required or (limit.pinned and words_of(name)[-1] in said and tool.kind_of(name) != MAIL)
        if wanted:
            limits[name] = limit
    return limits


def _doubts(tool: Offered, said: Said, limits: dict[str, Limit]) -> Iterator[str]:
    if not tool.judged:
        yield "nobody has said what this tool does"
    if tool.judged and EffectClass.EXECUTE in tool.effects and not tool.authority:
        yield "it may run code, and nobody has said by which argument"
    if said is Said.UNCLEAR:
        yield "it isn't clear that it is to be done"
    if tool.judged and tool.effects - {EffectClass.READ} and not any(not limit.open for limit in limits.values()):
        yield "nothing in the task limits it"


def _budget(tool: Offered, limits: dict[str, Limit], literals: Literals) -> str:
    """How often in this mandate: once for each value that the task names; writing to a named place, a few times."""
    harmful = tool.effects & {EffectClass.SPEND, EffectClass.EGRESS}
    several = max((limit.count for limit in limits.values()), default=1)
    calls = MANY if _ALL.search(literals.task) and not tool.effects & {EffectClass.SPEND} else several
    calls = max(calls, AGAIN) if not harmful else calls
    paid = [name for name, limit in limits.items() if tool.kind_of(name) == AMOUNT and limit.text != ANY]
    if not paid:
        return f"budget: {{calls: {calls}, per: mandate}}"
    most = written(sum(literals.amounts[1:], literals.amounts[0]))
    return f"budget: {{calls: {calls}, sum: {{{scalar(paid[0])}: {most}}}, per: mandate}}"


# --- as YAML ---


def _arguments(tool: Offered, limits: dict[str, Limit], *, others: bool) -> str:
    """`args: {...}`, with the rest free for what only reads, and else listed one by one."""
    listed = {name: limits[name].text for name in limits if name in tool.required or not others}
    loose = {name: limit.text for name, limit in limits.items() if name not in listed}
    if others:
        if not listed and not loose:
            return "args: any"
        text = f"args: {_mapping(listed)}"
        return f"{text}{f', optional: {_mapping(loose)}' if loose else ''}, others: any"
    bearing = set(tool.bearing)
    listed |= {name: ANY for name in tool.required if name not in listed}
    free = {name: ANY for name in tool.properties if name not in listed and name not in bearing}
    return f"args: {_mapping(listed)}{f', optional: {_mapping(free)}' if free else ''}"


def _mapping(limits: dict[str, str]) -> str:
    return f"{{{', '.join(f'{scalar(name)}: {text}' for name, text in limits.items())}}}"


def _line(id: str, names: tuple[str, ...], arguments: str, why: str, asks: bool, budget: str = "") -> Line:
    tools = scalar(names[0]) if len(names) == 1 else f"[{', '.join(map(scalar, names))}]"
    parts = [f"id: {id}", f"tool: {tools}", arguments, *([budget] if budget else []), *(["ask: true"] if asks else [])]
    text = "".join(map(visible, f"{{{', '.join(parts)}}}"))
    return Line(text, f"{why}: a person is asked each time" if asks else why, asks, names)


def visible(char: str) -> str:
    """Only within double quotes, in which `scalar` writes whatever isn't plain ASCII."""
    return char if char.isprintable() else f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
