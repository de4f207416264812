"""A cell as the words of a `bwrap` command line. Looks only at which directories are links.

Namespaces of its own for users, processes, files, IPC and names, one for the network unless that is on; no capability;
an empty root that is filled by name. What is put later covers what was put before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from mcp_guard.containment import machine
from mcp_guard.containment.trees import Shape, Tree
from mcp_guard.policy.canonical import is_inside
from mcp_guard.transports import confine

SCRATCH = 1 << 30
"""Bytes of the private /tmp, and of the private home directory: in memory, gone with the server."""
CONFINE = "/run/mcp-guard/confine.py"
INTERPRETER = os.path.realpath(sys.executable)


def words(shape: Shape, program: str, limits: Sequence[str], command: Sequence[str]) -> tuple[str, ...]:
    """`bwrap ... -- python confine.py LIMITS -- COMMAND`: the limits are set inside, where processes count anew."""
    parts = chain(_namespaces(shape), _files(shape), ("--setenv", "TMPDIR", "/tmp", "--chdir", shape.cwd))  # noqa: S108
    last_step = confine.__file__ if shape.everything else CONFINE
    return (program, *parts, "--", INTERPRETER, "-I", "-S", last_step, *limits, "--", *command)


def _namespaces(shape: Shape) -> Iterator[str]:
    yield from ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    if not shape.network:
        yield "--unshare-net"
    yield from ("--cap-drop", "ALL", "--die-with-parent", "--new-session")


def _files(shape: Shape) -> Iterator[str]:
    if shape.everything:
        yield from ("--bind", "/", "/")
    else:
        yield from _machine()
        yield from _private(shape)
    yield from ("--proc", "/proc", "--dev", "/dev", "--size", str(SCRATCH), "--tmpfs", "/dev/shm")  # noqa: S108
    yield from ("--remount-ro", "/dev")
    for tree in () if shape.everything else sorted(shape.trees, key=lambda one: (_depth(one.path), one.path)):
        yield from _tree(tree, shape.trees)
    if not shape.everything:
        yield from ("--ro-bind", confine.__file__, CONFINE, "--dir", shape.cwd)
    yield from _own(shape)
    if not shape.everything:
        yield from ("--remount-ro", "/")


def _machine() -> Iterator[str]:
    for path in machine.TREES:
        if Path(path).is_symlink():
            yield from ("--symlink", str(Path(path).readlink()), path)
        else:
            yield from ("--ro-bind-try", path, path)
    for name in machine.SETTINGS:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def _private(shape: Shape) -> Iterator[str]:
    """Empty and writable, unless the server gets the real one."""
    for path in ("/tmp", shape.home):  # noqa: S108
        given = any(is_inside(path, tree.path) for tree in shape.trees)
        if path.startswith("/") and path != "/" and not given:
            yield from ("--size", str(SCRATCH), "--tmpfs", path)


def _tree(tree: Tree, trees: tuple[Tree, ...]) -> Iterator[str]:
    """Where it really is, and under the name that it was given: below another tree that name is there already."""
    how = "--bind" if tree.writable else "--ro-bind"
    if Path(tree.real).exists():
        yield from (how, tree.real, tree.real)
        if tree.path != tree.real and not any(is_inside(tree.path, one.real) for one in trees if one is not tree):
            yield from (how, tree.real, tree.path)


def _own(shape: Shape) -> Iterator[str]:
    """The guard's own things, wherever the server got more than them: not to be written, or not to be seen.

    The directories on the way to one are made mount points: a server that renamed one could put another in its place.
    """
    seen = shape.readable
    secret = [one for one in (*shape.own.secret, *shape.own.hidden) if any(is_inside(one, tree) for tree in seen)]
    kept = [one for one in shape.own.kept if any(is_inside(one, tree) for tree in shape.writable)]
    ways = {way for one in (*secret, *kept) for tree in shape.writable for way in _between(tree, one)}
    for way in sorted(ways, key=lambda one: (_depth(one), one)):
        yield from ("--bind", way, way)
    for path in kept:
        yield from ("--ro-bind", path, path)
    for path in secret:
        if Path(path).is_dir():
            yield from ("--tmpfs", path, "--remount-ro", path)
        elif Path(path).exists():
            yield from ("--ro-bind", "/dev/null", path)


def _between(tree: str, path: str) -> Iterator[str]:
    """The directories strictly between a tree and a path in it."""
    if is_inside(path, tree):
        for above in Path(path).parents:
            if str(above) == tree or not is_inside(str(above), tree):
                return
            yield str(above)


def _depth(path: str) -> int:
    return path.count("/") if path != "/" else 0
