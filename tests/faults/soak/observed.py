"""`python -m tests.faults.soak.observed run …`: a guard that writes down what it holds when it gets SIGUSR1.

For the one question that the record can't answer: where a request is that nobody answers. Into `observed-PID.txt`
beside the documents go its conversations, with each request under way and the state of the server that it is for, and
where each task waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from mcp_guard.__main__ import main
from mcp_guard.session import Session

LOOKED_AT_WITHIN = 5.0
"""Seconds for a guard to write down what it holds."""
_FRAMES = 6


def place_of(directory: Path, pid: int) -> Path:
    return directory / f"observed-{pid}.txt"


def what_is_held() -> str:
    """Every conversation that is open, and every task of this loop."""
    lines = [line for one in gc.get_objects() if isinstance(one, Session) and not one.closed for line in _held(one)]
    for task in asyncio.all_tasks():
        frames = [f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" for frame in task.get_stack(limit=_FRAMES)]
        lines.append(f"task {task.get_name()} {_waits(task)} {' '.join(frames)}")
    return "\n".join(lines)


def _held(session: Session) -> list[str]:
    era = session.era.value if session.era is not None else "no era"
    lines = [f"conversation of {session.principal}, {era}, {len(session.in_flight)} under way"]
    lines += [f"  request {one.id!r} for `{one.to}`, there as {one.at}" for one in session.in_flight]
    for server in session.servers:
        pending = len(getattr(server._link, "_pending", ()))
        state = f"{server.state.value}, {len(server._parked)} wait for it, {pending} at it, link {server._link!r}"
        lines.append(f"  server {server.name}: {state}, listed: {server.listing is not None}")
    return lines


def _waits(task: asyncio.Task[object]) -> str:
    """The chain of what a task awaits: the innermost tells."""
    names = list[str]()
    awaited: object = task.get_coro()
    while awaited is not None and len(names) < 30:
        names.append(getattr(awaited, "__qualname__", type(awaited).__name__))
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return " > ".join(names[-12:])


async def ask(directory: Path, pid: int) -> str:
    """What the guard `pid` holds now."""
    place = place_of(directory, pid)
    place.unlink(missing_ok=True)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR1)
    for _ in range(int(LOOKED_AT_WITHIN * 100)):
        if place.exists():
            return place.read_text()
        await asyncio.sleep(0.01)
    return "the guard says nothing"


def _write(_: int, __: FrameType | None) -> None:
    """In the main thread, between two steps of its loop: nothing changes meanwhile."""
    place = place_of(Path.cwd(), os.getpid())
    draft = place.with_suffix(".draft")
    try:
        draft.write_text(what_is_held())
    except Exception as error:  # a guard that is looked at goes on
        draft.write_text(repr(error))
    draft.rename(place)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _write)
    sys.exit(main())
