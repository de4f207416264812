"""Which text do some patterns match and others not? A search over automata, made on the way, with a bound.

Core. A bound that is reached is `TooMany`: the caller then doesn't know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import assert_never

from mcp_guard.policy.compare_regex import Alt, Chars, Ranges, Repeat, Seq, Tree

MAX_STATES = 3000  # of one pattern
MAX_STEPS = 20000  # of one search: pairs of a combined state and a character

_READABLE = [ord(character) for character in "a0A-_./x1 "]


class TooMany(Exception):
    """The bound was reached: nothing is known."""


@dataclass(slots=True)
class Automaton:
    """A nondeterministic automaton: state 0 is the start, state 1 the end."""

    empty: list[list[int]] = field(default_factory=lambda: [[], []])
    moves: list[list[tuple[Ranges, int]]] = field(default_factory=lambda: [[], []])
    _closed: dict[int, frozenset[int]] = field(default_factory=dict)

    def state(self) -> int:
        if len(self.empty) >= MAX_STATES:
            raise TooMany
        self.empty.append([])
        self.moves.append([])
        return len(self.empty) - 1

    def start(self) -> frozenset[int]:
        """Where it is before the first character."""
        return self._reach(0)

    def step(self, states: frozenset[int], code: int) -> frozenset[int]:
        """Where it can be after one more character."""
        found: set[int] = set()
        for state in states:
            for ranges, target in self.moves[state]:
                if any(low <= code <= high for low, high in ranges):
                    found |= self._reach(target)
        return frozenset(found)

    def _reach(self, state: int) -> frozenset[int]:
        known = self._closed.get(state)
        if known is None:
            seen, todo = {state}, [state]
            while todo:
                for target in self.empty[todo.pop()]:
                    if target not in seen:
                        seen.add(target)
                        todo.append(target)
            known = self._closed[state] = frozenset(seen)
        return known


@lru_cache(maxsize=1024)
def automaton(tree: Tree) -> Automaton:
    """The automaton of a pattern. Raises `TooMany`."""
    made = Automaton()
    _build(made, tree, 0, 1)
    return made


def _build(made: Automaton, tree: Tree, start: int, end: int) -> None:
    match tree:
        case Chars(ranges):
            made.moves[start].append((ranges, end))
        case Seq(parts):
            at = start
            for part in parts:
                after = made.state()
                _build(made, part, at, after)
                at = after
            made.empty[at].append(end)
        case Alt(parts):
            for part in parts:
                _build(made, part, start, end)
        case Repeat(part, low, high):
            at = start
            for _ in range(low):
                at = _then(made, part, at)
            if high is None:
                loop = made.state()
                made.empty[at].append(loop)
                made.empty[_then(made, part, loop)].append(loop)
                at = loop
            for _ in range(0 if high is None else high - low):
                made.empty[at].append(end)
                at = _then(made, part, at)
            made.empty[at].append(end)
        case _:
            assert_never(tree)


def _then(made: Automaton, part: Tree, at: int) -> int:
    entry, after = made.state(), made.state()
    made.empty[at].append(entry)  # an entry of its own: a loop inside `part` must not lead back to before it
    _build(made, part, entry, after)
    return after


def find_text(inside: Sequence[Automaton], outside: Sequence[Automaton], at_most: int | None = None) -> str | None:
    """A shortest text that all of `inside` and none of `outside` match, of at most so many characters; None: none.

    Raises `TooMany`.
    """
    machines = [*inside, *outside]
    alphabet = _alphabet(machines)
    first = tuple(machine.start() for machine in machines)
    seen, todo, steps = {first}, deque([(first, "")]), 0
    while todo:
        states, text = todo.popleft()
        accepting = [1 in found for found in states]
        if all(accepting[: len(inside)]) and not any(accepting[len(inside) :]):
            return text
        if at_most is not None and len(text) >= at_most:
            continue
        for code in alphabet:
            steps += 1
            if steps > MAX_STEPS:
                raise TooMany
            after = tuple(machine.step(found, code) for machine, found in zip(machines, states, strict=True))
            if all(after[: len(inside)]) and after not in seen:
                seen.add(after)
                todo.append((after, text + chr(code)))
    return None


def _alphabet(machines: Sequence[Automaton]) -> list[int]:
    """One character for each set of characters that no pattern here tells apart."""
    cuts = {0, 0xD800, 0xE000, 0x110000}
    for machine in machines:
        for moves in machine.moves:
            for ranges, _ in moves:
                for low, high in ranges:
                    cuts |= {low, high + 1}
    found = []
    for low, after in pairwise(sorted(cuts)):
        if not 0xD800 <= low <= 0xDFFF:
            found.append(next((code for code in _READABLE if low <= code < after), low))
    return found
