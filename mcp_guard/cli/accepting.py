"""What starting a guard says and writes about acceptance: which versions of its files are in force, and what waits."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

import click

from mcp_guard.accepting.gate import Gate, Standing, settle
from mcp_guard.accepting.local import Live, place_in
from mcp_guard.accepting.reload import Reload
from mcp_guard.accepting.stacks import Asked, Stack
from mcp_guard.cli.setting_up import local_principal
from mcp_guard.errors import InputError
from mcp_guard.guard import Guard
from mcp_guard.record.place import state_directory
from mcp_guard.record.schema import patiently
from mcp_guard.record.shown import escaped


def standing_of(asked: Asked) -> Standing:
    """What is in force for this command line. Raises InputError where nothing is accepted and the files don't load."""
    return Gate(asked, state_directory()).stand()


def in_force(asked: Asked, accepted: bool) -> Stack | None:
    """For a command that speaks of documents: those in force if it was asked for them, else None: those on disk.

    Where the two differ, one line on stderr says of which it speaks. Raises InputError if neither loads.
    """
    try:
        standing = standing_of(asked)
    except InputError:
        if accepted:
            raise
        return None  # whoever reads the files says it in its own way
    if standing.changed or standing.broken:
        if accepted:
            say("this is about the version in force; the one on disk is another (leave out `--accepted` for that)")
        else:
            say("this is about the version on disk, which isn't in force (`--accepted` is about the one that is)")
    return standing.force if accepted else None


def put_in_force(guard: Guard, standing: Standing, asked: Asked) -> None:
    """Write down what counts from here on, and tell the person once. Raises GuardError if it can't be written."""
    patiently(
        lambda: settle(guard.record, guard.record.directory, standing.force, standing.acceptances, local_principal())
    )
    if standing.first:
        say(f"accepted at first sight: {_names(standing.first)}; a wider version waits for `mcp-guard accept`")
    if standing.narrowed:
        say(f"proved narrower, so it is in force: {_names(standing.narrowed)}")
    for line in waits(standing, asked):
        say(line)


def keep_up(guard: Guard, standing: Standing, asked: Asked) -> None:
    """Have the guard take up its files and local denies as they change. Raises GuardError if the denies are damaged."""
    record, place = guard.record, place_in(standing.force)
    if place is not None:
        guard.local = Live(record.directory, place)
        patiently(lambda: record.read(guard.renew))
    reload = Reload(guard, asked, standing.force, say, command(asked), local_principal())
    guard.upkeep.also.append(reload.look)


def waits(standing: Standing, asked: Asked) -> Iterable[str]:
    """What a person should know of versions that aren't in force."""
    if standing.broken:
        yield f"NOT IN FORCE: {standing.broken}"
        yield "the version that was accepted before stays in force"
    elif standing.changed:
        yield f"NOT IN FORCE: {_names(standing.changed)} changed and isn't proved narrower than what was accepted"
        yield f"the accepted version stays in force; to see the difference and accept it: {command(asked)}"


def command(asked: Asked) -> str:
    """The line by which a person accepts what waits here."""
    words = ["mcp-guard", "accept"]
    for option, path in (("config", asked.config), ("policy", asked.policy), ("mandate", asked.mandate)):
        words += [f"--{option}", str(path.absolute())] if path is not None else []
    words += ["--lock", str(asked.lock.absolute())] if asked.lock is not None else []
    for name, value in asked.settings.items():
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)


def say(line: str) -> None:
    """One line on stderr: stdout carries the protocol."""
    click.echo(f"mcp-guard: {escaped(line)}", err=True)


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))
