"""Contained servers for the commands: binds what guard.yaml asks for, and says what came of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mcp_guard.catalogue import find, steering
from mcp_guard.client_files import client_files
from mcp_guard.containment.binding import Wanted, bind, own_things
from mcp_guard.containment.cell import Cell
from mcp_guard.containment.grants import Classes
from mcp_guard.containment.possible import Mechanism
from mcp_guard.containment.programs import as_launched
from mcp_guard.containment.settings import Containment
from mcp_guard.containment.trees import Own, Tree
from mcp_guard.policy.canonical import is_inside
from mcp_guard.policy.document import Authority
from mcp_guard.record.shown import escaped
from mcp_guard.server_spec import ServerSpec
from mcp_guard.starting.places import PACKAGE, guards_home
from mcp_guard.transports.spawn import minimal_environment


def in_default_cell(spec: ServerSpec) -> ServerSpec:
    """What `--contain` means: files by the grants, no network, and no variable beyond the usual ones."""
    return replace(spec, contain=Containment(), env=minimal_environment())


def with_cells(
    specs: Iterable[ServerSpec], authority: Authority, own_files: Iterable[Path], state: Path
) -> tuple[ServerSpec, ...]:
    """The servers, each that is to be contained with its cell."""
    specs = tuple(specs)
    if all(spec.contain is None for spec in specs):
        return specs
    bases = {str(Path.cwd()), *(spec.cwd for spec in specs if spec.cwd)}
    bases |= {layer.variables["project"] for layer in authority.layers if "project" in layer.variables}
    documents = [Path(layer.file) for layer in authority.layers]
    from platformdirs import user_state_path  # a slow import that other starts don't need

    records = [state, user_state_path("mcp-guard", appauthor=False)]  # other guards' too, if they keep theirs there
    own = own_things(records, [*own_files, *documents, guards_home(), *client_files(bases)], [PACKAGE, sys.prefix])
    return tuple(_with_cell(spec, authority, own) for spec in specs)


def _with_cell(spec: ServerSpec, authority: Authority, own: Own) -> ServerSpec:
    if spec.contain is None:
        return spec
    env = os.environ if spec.env is None else spec.env
    cwd = os.path.realpath(spec.cwd or os.getcwd())  # noqa: PTH109 - a text, as the rest is
    wanted = Wanted(spec.name, spec.command, spec.contain, env.get("PATH", ""), cwd, env.get("HOME", ""))
    return replace(spec, cell=bind(wanted, authority, _described(spec), own))


def _described(spec: ServerSpec) -> Classes:
    """What the catalogue says of the tools of this command. It only makes a server's files read-only, so that a server
    which isn't what it says gains nothing.
    """
    if steering(spec.given):
        return {}
    known = find(spec.command) or find(as_launched(spec.command))
    return {} if known is None else {name: tool.described.effects for name, tool in known.tools.items()}


def say_contained(specs: Iterable[ServerSpec]) -> None:
    """One line on stderr for each server that can't be contained, and so isn't started, or is by the weaker sandbox."""
    for spec in specs:
        if spec.cell is None:
            continue
        if spec.cell.refused:
            click.echo(f"mcp-guard: `{spec.name}` isn't started: {escaped(spec.cell.refused)}", err=True)
        elif spec.cell.mechanism is Mechanism.LANDLOCK:
            why = "; ".join(spec.cell.notes)
            click.echo(f"mcp-guard: `{spec.name}` is contained by Landlock only: {escaped(why)}", err=True)


def cell_rows(cell: Cell) -> Iterator[tuple[str, str]]:
    """What `check` says of a contained server: heads and texts."""
    if cell.refused:
        yield "contain", f"not possible, so it isn't started: {cell.refused}"
        return
    yield "contain", f"{cell.short}; {limits(cell)}"
    shape = cell.shape
    if cell.mechanism is not Mechanism.NONE and shape.everything:
        yield "", "all files, but for the guard's own"
    elif cell.mechanism is not Mechanism.NONE:
        for words, paths in _paths(cell).items():
            yield "", f"{words}: {', '.join(paths) or 'nothing'}"
    for note in cell.notes:
        yield "", f"note: {note}"


def _paths(cell: Cell) -> dict[str, list[str]]:
    trees = cell.shape.trees
    return {
        "writes": [tree.path for tree in trees if tree.writable],
        "reads": [tree.path for tree in trees if not tree.writable and not tree.program],
        "its program": [tree.path for tree in trees if tree.program and not _within_another(tree, trees)],
    }


def _within_another(tree: Tree, trees: Iterable[Tree]) -> bool:
    """Is it a name in a directory that is listed, too?"""
    return any(other is not tree and other.path != tree.path and is_inside(tree.path, other.path) for other in trees)


def limits(cell: Cell) -> str:
    """`memory 4 GB a process, 4096 open files`."""
    bounds = cell.shape.bounds
    parts = {
        "memory": bounds.memory and f"{bounds.memory / 10**9:g} GB of memory a process",
        "cpu": bounds.cpu and f"{bounds.cpu} s of processor time a process",
        "processes": bounds.processes and f"{bounds.processes} processes and threads",
        "open_files": bounds.open_files and f"{bounds.open_files} open files",
    }
    return ", ".join(part for part in parts.values() if part)


def cell_as_json(cell: Cell) -> dict[str, Any]:
    """The same for programs."""
    shape = cell.shape
    writes, reads, program = _paths(cell).values()
    return {
        "by": str(cell.mechanism),
        "refused": cell.refused,
        "files": "any" if shape.everything else "named",
        "writes": writes,
        "reads": reads,
        "program": program,
        "network": shape.network,
        "limits": {
            "memory": shape.bounds.memory,
            "cpu": shape.bounds.cpu,
            "processes": shape.bounds.processes,
            "open_files": shape.bounds.open_files,
        },
        "notes": list(cell.notes),
    }
