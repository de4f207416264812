"""The end of the demo: one call that waits until a person has read it, and the person's answer."""

from __future__ import annotations

import select
import sys
from pathlib import Path

import anyio
from anyio import to_thread
from rich.console import Console
from rich.text import Text

from mcp_guard.approvals.answering import Waiting, at, looking_at
from mcp_guard.approvals.nearest import nearest
from mcp_guard.cli import approvals_shown
from mcp_guard.model import By
from mcp_guard.record.keys import digest_key
from mcp_guard.record.query import Filter, open_for_reading

PATIENCE = 30.0
"""Seconds in which somebody may answer: less than the guard holds a call, so that the demo has one end."""
_STARTS = 20.0  # seconds within which the question is there
_LOOK = 0.05


async def put(record: Path, console: Console, answer: str | None) -> bool:
    """Wait for the question, show all of it, take the person's answer (or `answer`) to the desk. True: they agreed."""
    one = await _question(record)
    for line in _told(record, one):
        console.print(Text(line), soft_wrap=True)
    said = answer if answer is not None else await to_thread.run_sync(_typed, console)
    yes = said.strip().lower() in ("y", "yes")
    with at(record) as desk:
        if yes:
            desk.approve(one, "whoever runs this demo", By.PERSON)
        else:
            desk.refuse(one, "whoever runs this demo")
    console.print()
    return yes


async def _question(record: Path) -> Waiting:
    with anyio.fail_after(_STARTS):
        while True:
            with looking_at(record) as desk:
                if waiting := desk.waiting():
                    return waiting[0]
            await anyio.sleep(_LOOK)


def _told(record: Path, one: Waiting) -> list[str]:
    with looking_at(record) as desk, open_for_reading(record) as query:
        slip = desk.slip(one)
        before = list(query.entries(Filter(session=one.session, limit=3)))
        return approvals_shown.whole(one, slip, before, nearest(slip.call, digest_key(record), query))


def _typed(console: Console) -> str:
    """What somebody types; where nobody can, or nobody does, no."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        console.print("\nNobody is at a terminal to be asked, which means no.")
        return "no"
    console.print(f"\n[bold]Let exactly this call through, once?[/] (y/n, within {PATIENCE:.0f} s): ", end="")
    if not select.select([sys.stdin], [], [], PATIENCE)[0]:
        console.print("\nNobody answered, which means no.")
        return "no"
    return sys.stdin.readline()
