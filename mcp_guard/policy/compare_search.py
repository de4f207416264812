"""Can atoms and clauses be satisfied together? A search with a bound, closing what is proved impossible.

Core. Knows nothing of rules. An open end is not yet a call: somebody has to find values for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mcp_guard.policy.compare_atoms import Atom, Facet, exclude_each_other, facet
from mcp_guard.policy.compare_rules import Clause, Formula

MAX_STEPS = 4000
"""Alternatives that one search tries. Beyond it nothing is proved."""


class TooManyCases(Exception):
    """The bound was reached."""


@dataclass(frozen=True, slots=True)
class State:
    """Atoms that nobody has proved to exclude each other, by facet."""

    facets: Mapping[Facet, tuple[Atom, ...]] = field(default_factory=dict)

    def plus(self, atoms: Iterable[Atom]) -> State | None:
        """With these, too; None if they are proved to exclude each other."""
        facets: dict[Facet, tuple[Atom, ...]] | None = None
        for atom in atoms:
            key = facet(atom)
            known = (facets or self.facets).get(key, ())
            if atom in known:
                continue
            together = (*known, atom)
            if exclude_each_other(together):
                return None
            facets = facets if facets is not None else dict(self.facets)
            facets[key] = together
        return self if facets is None else State(facets)

    def atoms(self) -> Iterator[Atom]:
        """All of them."""
        for atoms in self.facets.values():
            yield from atoms


@dataclass(slots=True)
class Search:
    """Open ends of a formula, one after the other. Raises `TooManyCases` once its bound is reached."""

    steps: int = 0

    def open_ends(self, formula: Formula) -> Iterator[State]:
        """States that satisfy all clauses, as far as is known; none: proved impossible."""
        start = State().plus(formula.atoms)
        if start is None:
            return
        ways: list[tuple[int, Clause]] = []
        for clause in formula.clauses:
            live = 0
            for way in clause:
                self._step()
                live += start.plus(way) is not None
            if live == 0:
                return
            ways.append((live, clause))
        ways.sort(key=lambda pair: pair[0])
        yield from self._extend(start, [clause for _, clause in ways], 0)

    def _extend(self, state: State, clauses: list[Clause], at: int) -> Iterator[State]:
        while at < len(clauses):
            live: list[State] = []
            for way in clauses[at]:
                self._step()
                after = state.plus(way)
                if after is state:  # it is so already
                    live = [state]
                    break
                if after is not None:
                    live.append(after)
            if not live:
                return
            at += 1
            if len(live) == 1:
                state = live[0]
                continue
            for after in live:
                yield from self._extend(after, clauses, at)
            return
        yield state

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooManyCases
