"""A cell as the words for `transports/confine.py`, which makes a Landlock sandbox of itself and becomes the server.

Landlock only adds up what is allowed: nothing can be taken out of a tree again. So the guard's own things may not lie
in a tree where the server writes, and its record in none; a cell that would need that is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mcp_guard.containment import machine
from mcp_guard.containment.bubblewrap import INTERPRETER
from mcp_guard.containment.settings import Bounds
from mcp_guard.containment.trees import Shape
from mcp_guard.policy.canonical import is_inside
from mcp_guard.transports import confine


def why_not(shape: Shape) -> str:
    """Why Landlock can't make this cell; empty if it can."""
    if shape.everything:
        return "`files: any` is all but the guard's own, and Landlock can't take that out; install bubblewrap"
    for own in shape.inside(shape.own.secret, shape.readable):
        return (
            f"the guard's record ({own}) lies in what the server gets, and Landlock can't hide it; install bubblewrap"
        )
    for own in shape.inside((*shape.own.hidden, *shape.own.kept), shape.writable):
        return (
            f"`{own}` is the guard's own, where the server writes, and Landlock can't take it out; install bubblewrap"
        )
    return ""


def words(shape: Shape, limits: Sequence[str], command: Sequence[str], temporary: str) -> tuple[str, ...]:
    """`python confine.py ... -- COMMAND`; `temporary` is the server's own directory for what is passing."""
    return confined((*limits, *_rules(shape, temporary)), command)


def confined(limits: Sequence[str], command: Sequence[str]) -> tuple[str, ...]:
    """The same for limits alone."""
    return (INTERPRETER, "-I", "-S", confine.__file__, *limits, "--", *command)


def limit_words(bounds: Bounds) -> tuple[str, ...]:
    """What `confine.py` is told to limit."""
    amounts = {
        "memory": bounds.memory,
        "cpu": bounds.cpu,
        "processes": bounds.processes,
        "open_files": bounds.open_files,
    }
    return tuple(f"{name}={amount}" for name, amount in amounts.items() if amount is not None)


def _rules(shape: Shape, temporary: str) -> Iterator[str]:
    yield f"sockets={'inet' if shape.network else 'none'}"
    if not any(is_inside(shape.home, tree.path) for tree in shape.trees):
        yield f"home={temporary}"  # a file that is there and can't be read stops programs that would do without it
    for path in (*machine.TREES, *machine.KERNEL, *(f"/etc/{name}" for name in machine.SETTINGS)):
        if Path(path).exists():
            yield f"read={path}"
    for path in (*machine.DEVICES, temporary):
        yield f"write={path}"
    for tree in shape.trees:
        yield f"{'write' if tree.writable else 'read'}={tree.real}"
