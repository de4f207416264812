"""What somebody's calls usually are, and in which ways one isn't like them. Core.

Learned from calls that were allowed, one after the other, with their time; the same calls in the same order teach the
same. Everything is bounded: what comes first to be forgotten is what was used longest ago.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from mcp_guard.monitor.flags import Deviation, Flag
from mcp_guard.monitor.habits import Habits

Known = TypeVar("Known")

MAX_PRINCIPALS = 256
MAX_TOOLS = 512  # of one principal
MAX_PLACES = 256  # hosts, or directories, of one tool
MAX_NEXT = 64  # tools that follow one tool

FEW = 0.1
"""New places in so large a share of the calls, at most: who visits a new host with every fifth call has no habit."""
TIMES = 3
"""A rate or a size is out of the ordinary from so many times the highest one on."""
LEAST_RATE = 20  # calls in a minute
LEAST_SIZE = 4096  # characters
LEAST_DAYS = 5  # on which there were calls, before an hour can be an odd one
LEAST_FOLLOWED = 20  # times that a tool was followed by some other


@dataclass(slots=True)
class _Places:
    """Digests that were seen, and how often one was new."""

    known: dict[str, None] = field(default_factory=dict)
    calls: int = 0  # that had any
    novelties: int = 0

    def strange(self, given: tuple[str, ...], learn: int) -> bool:
        """Is one of these new, where new ones are rare?"""
        if not given or self.calls < learn or self.novelties > self.calls * FEW:
            return False
        return not self.known.keys() >= set(given)

    def learn(self, given: tuple[str, ...]) -> None:
        if not given:
            return
        self.calls += 1
        self.novelties += any(one not in self.known for one in given)
        for one in given:
            self.known.pop(one, None)  # what is used again goes to the end
            self.known[one] = None
        while len(self.known) > MAX_PLACES:
            del self.known[next(iter(self.known))]


@dataclass(slots=True)
class _Tool:
    """One tool, as one principal uses it."""

    calls: int = 0
    hosts: _Places = field(default_factory=_Places)
    directories: _Places = field(default_factory=_Places)
    largest: int = 0
    minute: int = 0  # the one of the latest call, since 1970
    in_it: int = 0  # calls in that minute
    most: int = 0  # calls in any minute before it: a minute that goes on hasn't taught anything yet
    next: dict[str, int] = field(default_factory=dict)

    def called_in(self, minute: int) -> int:
        """Calls in this minute so far."""
        if minute != self.minute:
            self.most = max(self.most, self.in_it)
            self.minute, self.in_it = minute, 0
        return self.in_it


@dataclass(slots=True)
class _Principal:
    """All that one principal does."""

    calls: int = 0
    tools: dict[str, _Tool] = field(default_factory=dict)
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    days: set[int] = field(default_factory=set)  # at most `LEAST_DAYS`
    last: dict[str, str] = field(default_factory=dict)  # by session: the tool that was called last


class Usual:
    """What is usual, by principal and tool."""

    def __init__(self, learn: int) -> None:
        self._learn = learn
        self._principals: dict[str, _Principal] = {}

    def flags(self, principal: str, session: str, tool: str, habits: Habits, now: datetime) -> tuple[Flag, ...]:
        """In which ways this call isn't like those before; of who is still being learned about: in none."""
        known = self._principals.get(principal)
        if known is None or known.calls < self._learn:
            return ()
        return tuple(self._deviations(known, session, tool, habits, now))

    def _deviations(self, known: _Principal, session: str, name: str, habits: Habits, now: datetime) -> Iterator[Flag]:
        tool = known.tools.get(name)
        if tool is None:
            yield Flag(Deviation.NEW_TOOL, f"{name} was not used in {known.calls} calls of this principal")
        else:
            yield from self._of_tool(tool, name, habits, now)
        hours, hour = known.hours, now.hour
        if len(known.days) >= LEAST_DAYS and not (hours[hour] or hours[hour - 1] or hours[(hour + 1) % 24]):
            yield Flag(Deviation.HOUR, f"nothing was called around {now.hour:02}:00 UTC in {known.calls} calls")
        before = known.tools.get(known.last.get(session, ""))
        if before is not None and tool is not None and name not in before.next:
            followed = sum(before.next.values())
            if followed >= max(LEAST_FOLLOWED, self._learn // 2) and len(before.next) <= 8:
                which = known.last[session]
                yield Flag(Deviation.SEQUENCE, f"{name} never came after {which}, which was followed {followed} times")

    def _of_tool(self, tool: _Tool, name: str, habits: Habits, now: datetime) -> Iterator[Flag]:
        if tool.hosts.strange(habits.hosts, self._learn):
            yield Flag(Deviation.NEW_HOST, f"a host that {name} was not used with in {tool.hosts.calls} calls")
        if tool.directories.strange(habits.directories, self._learn):
            seen = tool.directories.calls
            yield Flag(Deviation.NEW_DIRECTORY, f"a directory that {name} was not used with in {seen} calls")
        if tool.calls >= self._learn:
            rate = tool.called_in(_minute(now)) + 1
            if tool.most and rate >= max(LEAST_RATE, TIMES * tool.most):
                yield Flag(Deviation.RATE, f"{rate} calls of {name} in a minute, where {tool.most} was the most")
            if habits.size >= max(LEAST_SIZE, TIMES * tool.largest):
                yield Flag(Deviation.SIZE, f"{habits.size} characters for {name}, where {tool.largest} was the most")

    def learn(self, principal: str, session: str, name: str, habits: Habits, now: datetime) -> None:
        """A call like this was allowed."""
        known = _kept(self._principals, principal, _Principal, MAX_PRINCIPALS)
        tool = _kept(known.tools, name, _Tool, MAX_TOOLS)
        known.calls += 1
        tool.calls += 1
        tool.hosts.learn(habits.hosts)
        tool.directories.learn(habits.directories)
        tool.largest = max(tool.largest, habits.size)
        tool.in_it = tool.called_in(_minute(now)) + 1
        known.hours[now.hour] += 1
        if len(known.days) < LEAST_DAYS:
            known.days.add(now.toordinal())
        before = known.tools.get(known.last.get(session, ""))
        if before is not None and (name in before.next or len(before.next) < MAX_NEXT):
            before.next[name] = before.next.get(name, 0) + 1
        known.last.pop(session, None)
        known.last[session] = name
        if len(known.last) > MAX_PRINCIPALS:
            del known.last[next(iter(known.last))]


def _minute(now: datetime) -> int:
    return int(now.timestamp()) // 60


def _kept(among: dict[str, Known], name: str, made: type[Known], most: int) -> Known:
    """The one of this name, which was now used last; a new one takes the place of the one used longest ago."""
    found = among.pop(name, None)
    if found is None:
        found = made()
        while len(among) >= most:
            del among[next(iter(among))]
    among[name] = found
    return found
