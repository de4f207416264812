"""The shape of a cell, whatever makes it: trees that a server gets, and what of the guard's own lies in them.

Holds paths and nothing of how they are looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mcp_guard.containment.settings import Bounds
from mcp_guard.policy.canonical import is_inside


@dataclass(frozen=True, slots=True, order=True)
class Tree:
    """A file, or a directory with all below it."""

    path: str  # as it is written
    real: str  # where that led when the documents were bound
    writable: bool = False
    program: bool = False  # needed to start, not named by anybody


@dataclass(frozen=True, slots=True)
class Own:
    """What is the guard's own, as real paths of what is there."""

    secret: tuple[str, ...] = ()  # the record with its keys: nowhere for a server
    hidden: tuple[str, ...] = ()  # documents, guard.yaml, clients' configuration
    kept: tuple[str, ...] = ()  # its program and interpreter: never to be written


@dataclass(frozen=True, slots=True)
class Shape:
    """All that a mechanism is told."""

    trees: tuple[Tree, ...] = ()
    own: Own = field(default_factory=Own)
    network: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    everything: bool = False  # all files, but for the guard's own
    cwd: str = "/"
    home: str = ""

    @property
    def writable(self) -> tuple[str, ...]:
        """Where the server may write, as real paths."""
        return ("/",) if self.everything else tuple(tree.real for tree in self.trees if tree.writable)

    @property
    def readable(self) -> tuple[str, ...]:
        """Where it may read, as real paths."""
        return ("/",) if self.everything else tuple(tree.real for tree in self.trees)

    def inside(self, own: Iterable[str], trees: Iterable[str]) -> Iterator[str]:
        """Those of `own` that lie in a tree, or have one in them."""
        trees = tuple(trees)
        return (one for one in own if any(is_inside(one, tree) or is_inside(tree, one) for tree in trees))


def without_needless(trees: Iterable[Tree]) -> tuple[Tree, ...]:
    """Sorted, less those that lie in another one which gives as much."""
    kept: list[Tree] = []
    for tree in sorted(set(trees), key=lambda one: (one.real, not one.writable, one.program, one.path)):
        if not any(gives_as_much(other, tree) for other in kept):
            kept.append(tree)
    return tuple(kept)


def gives_as_much(outer: Tree, inner: Tree) -> bool:
    """Can all that is done in `inner` be done by way of `outer`, under the same names?"""
    same_names = is_inside(inner.path, outer.path) and inner.path[len(outer.path) :] == inner.real[len(outer.real) :]
    return same_names and is_inside(inner.real, outer.real) and (outer.writable or not inner.writable)
