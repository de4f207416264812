"""`mcp-guard pin`: set the PIN by which the guard knows that a person is there."""

from __future__ import annotations

from pathlib import Path

import click

from mcp_guard import presence
from mcp_guard.record import place


@click.group(epilog="Example: mcp-guard pin set")
def pin() -> None:
    """The PIN that approving and everything else that loosens asks for, typed on a terminal."""


@pin.command("set")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
def set_(state: Path | None) -> None:
    """Set the PIN, or change it: the old one is asked for first. Do it before an agent gets a shell."""
    presence.set_new(place.state_directory(state))
    click.echo("mcp-guard: the PIN is set; the guard asks for it before anything is loosened", err=True)
