"""Makes a server's cell of what guard.yaml asks for, what the documents grant, and what this machine can do.

Edge: looks at the file system, once, when the documents are bound.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard.containment import landlock, programs
from mcp_guard.containment.cell import Cell
from mcp_guard.containment.grants import Classes, Named, named_by_grants, tools_going_out
from mcp_guard.containment.possible import Mechanism, Possible, possible, why_processes_are_not_limited
from mcp_guard.containment.settings import Bounds, Containment
from mcp_guard.containment.trees import Own, Shape, Tree, without_needless
from mcp_guard.policy.canonical import is_inside
from mcp_guard.policy.document import Authority

PROCESSES = 1024
"""Processes and threads of one server, where they can be counted: a browser has hundreds."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One server as it is to be contained."""

    name: str
    command: tuple[str, ...]
    containment: Containment
    path: str  # its PATH
    cwd: str
    home: str


@dataclass(slots=True)
class _Trees:
    found: list[Tree] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def bind(wanted: Wanted, authority: Authority, described: Classes, own: Own, found: Possible | None = None) -> Cell:
    """The cell. What can't be made as it was asked for is a cell that refuses to start anything."""
    asked = wanted.containment
    found = found or possible()
    mechanism = Mechanism.NONE if asked.bounds_only else found.mechanism
    trees = _Trees()
    if asked.files == "grants":
        _add_grants(trees, named_by_grants(authority, wanted.name, described, wanted.cwd), wanted.home)
    for path, writable in (*((one, False) for one in asked.read), *((one, True) for one in asked.write)):
        _add(trees, path, writable)
    _add_programs(trees, wanted)
    bounds, why_not_counted = _bounds(asked.bounds, found)
    shape = Shape(
        trees=() if asked.files == "any" else without_needless(trees.found),
        own=own,
        network=asked.network,
        bounds=bounds,
        everything=asked.files == "any",
        cwd=wanted.cwd,
        home=wanted.home,
    )
    refused = _why_refused(wanted, shape, mechanism, found) or why_not_counted
    notes = [*trees.notes, *([found.why] if found.why and not asked.bounds_only else [])]
    if not asked.network and (out := tools_going_out(authority, wanted.name, described)):
        notes.append(f"the network is off, and by their effects these go out: {', '.join(out)}")
    return Cell(mechanism, shape, found.program, refused, tuple(dict.fromkeys(notes)))


def _why_refused(wanted: Wanted, shape: Shape, mechanism: Mechanism, found: Possible) -> str:
    if wanted.containment.bounds_only:
        return "limits are set on Linux only" if sys.platform != "linux" else ""
    if mechanism is Mechanism.NONE:
        return f"{found.why}; install bubblewrap, or take `contain` out to run this server without a sandbox"
    why = "" if shape.everything else programs.why_not(wanted.command)
    if not why and mechanism is Mechanism.LANDLOCK:
        why = landlock.why_not(shape)
    return why


def _bounds(asked: Bounds, found: Possible) -> tuple[Bounds, str]:
    """The limits that this machine can set. One that was asked for and can't be is a reason to refuse."""
    why = why_processes_are_not_limited(found)
    processes = asked.processes if asked.processes is not None or why else PROCESSES
    refused = f"`processes` can't be limited: {why}; take it out" if why and asked.processes is not None else ""
    return Bounds(asked.memory, asked.cpu, processes, asked.open_files), refused


def _add_grants(trees: _Trees, named: Iterable[Named], home: str) -> None:
    for one in named:
        real, start = os.path.realpath(one.path), one.start
        if start and real != os.path.realpath(start) + one.path[len(start) :]:
            trees.notes.append(f"{one.path} is a link, or below one: calls there are refused, and it isn't given")
            continue
        if not one.whole and Path(real).is_dir() and (real.count("/") < 2 or programs.is_home(real, home)):
            # A literal need not be a path: `/home` may be an address within some service.
            trees.notes.append(
                f"{one.path} is a whole part of the machine, and isn't given by a literal; write `under`"
            )
            continue
        path = one.path
        if one.writable and not Path(real).is_dir():
            # Programs write a file by making another beside it: what they need is its directory.
            path = str(Path(path).parent) if not one.whole or Path(real).exists() else path
        _add(trees, path, one.writable)


def _add(trees: _Trees, path: str, writable: bool) -> None:
    path = os.path.normpath(path)
    real = os.path.realpath(path)
    if not Path(real).exists():
        trees.notes.append(f"{path} isn't there, so the server doesn't get it until the guard is started again")
    elif real == "/":
        trees.notes.append("/ is everything, and isn't given; write `files: any` if it is meant")
    elif any(is_inside(real, own) for own in ("/proc", "/dev")):
        trees.notes.append(f"{path} isn't given: of processes and devices a contained server sees its own")
    else:
        trees.found.append(Tree(path, real, writable))


def _add_programs(trees: _Trees, wanted: Wanted) -> None:
    interpreter = [os.path.realpath(sys.base_prefix)] if sys.base_prefix not in ("/usr", "/usr/local") else []
    for path in (*programs.needed(wanted.command, wanted.path, wanted.cwd, wanted.home), *interpreter):
        real = os.path.realpath(path)
        if Path(real).exists() and real != "/":
            trees.found.append(Tree(os.path.normpath(path), real, program=True))


def own_things(secret: Iterable[Path | str], hidden: Iterable[Path | str], kept: Sequence[Path | str]) -> Own:
    """What of these is there, as real paths."""

    def there(paths: Iterable[Path | str]) -> tuple[str, ...]:
        return tuple(sorted({os.path.realpath(path) for path in paths if os.path.lexists(path)}))

    return Own(there(secret), there(hidden), there(kept))
