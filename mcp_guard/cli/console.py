"""`mcp-guard console`: pages for the person at the desk, on loopback."""

from __future__ import annotations

from pathlib import Path

import click

from mcp_guard.cli.setting_up import local_principal
from mcp_guard.record import place


@click.command(epilog="Example: mcp-guard console --open")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="This port; without it, a free one.")
@click.option("--open", "open_browser", is_flag=True, help="Have the browser open the link.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
def console(port: int, open_browser: bool, state: Path | None) -> None:
    """What agents may do, what waits for you, what happened: pages in your browser, answers with your PIN.

    Shows a link on this terminal that works once. Nobody else on this machine gets in by the port alone.
    """
    from mcp_guard.console.room import Room
    from mcp_guard.console.serving import serve  # the web framework behind it is a slow import

    serve(Room(place.state_directory(state), local_principal()), port, open_browser=open_browser)
