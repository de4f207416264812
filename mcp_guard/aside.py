"""Long looks at what servers say, in threads beside the loop, so that other calls go on meanwhile.

Edge. What is light is looked at where it comes; the rest waits in its server's own thread, so that a server that keeps
the guard busy holds up long answers of its own and nobody else's. RE2 gives the interpreter's lock away while it looks;
whatever else holds it hands it on every half millisecond, which is what a short call waits then.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import sys
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

LIGHT = 64_000
"""Characters that are looked at where they come: a few milliseconds, whoever wrote them."""
_EACH = 16
"""What a string, a number or a list counts for beside its length: ten thousand of them are no light matter."""
_SWITCH = 0.0005
_PATIENCE, _LAST_PATIENCE = 0.02, 2.0
"""Seconds that a thread gets at the end, before and after it is told to give up."""

Job = Callable[[], Any]
Queue = SimpleQueue[Callable[[], None] | None]
_lanes: dict[str, tuple[Queue, threading.Thread]] = {}


def is_light(value: Any, bound: int = LIGHT) -> bool:
    """Are there less than so many characters in this JSON value? Stops counting there."""
    left = bound
    stack: list[Iterable[Any]] = [(value,)]
    while stack and left >= 0:  # what is too long a list by itself is never gone through
        for item in stack.pop():
            kind = type(item)  # parsed from JSON, so it is none of their children
            left -= _EACH
            if kind is str:
                left -= len(item)
            elif kind is dict:
                left -= _EACH * len(item)
                if left < 0:  # nor are the names of what has too many
                    return False
                for name in item:
                    left -= len(name)
                stack.append(item.values())
            elif kind is list:
                left -= _EACH * len(item)
                stack.append(item)
    return left >= 0


def look(lane: str, matter: Any, job: Job, then: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
    """Do `job`, which is about `matter`, and go on with what it returns or raises: in the loop, once, never both.

    A light matter is done at once, before this returns.
    """
    if is_light(matter):
        return _go_on(_done(job), then, failed)
    loop = asyncio.get_running_loop()

    def work() -> None:
        done = _done(job)
        try:
            loop.call_soon_threadsafe(_go_on, done, then, failed)
        except RuntimeError:  # the loop has ended meanwhile: nobody waits
            return

    return _lane(lane).put(work)


def _done(job: Job) -> tuple[Any, Exception | None]:
    try:
        return job(), None
    except Exception as error:
        return None, error


def _go_on(
    done: tuple[Any, Exception | None], then: Callable[[Any], None], failed: Callable[[Exception], None]
) -> None:
    found, error = done
    return then(found) if error is None else failed(error)


def _lane(name: str) -> Queue:
    if name not in _lanes:
        sys.setswitchinterval(_SWITCH)
        queue: Queue = SimpleQueue()
        thread = threading.Thread(target=_work, args=(queue,), name=f"aside {name}", daemon=True)
        _lanes[name] = queue, thread
        thread.start()
    return _lanes[name][0]


def _work(queue: Queue) -> None:
    while (job := queue.get()) is not None:
        job()


@atexit.register
def _end() -> None:
    """A guard that ends doesn't wait until a long answer is read that nobody wants any more.

    Nor does it end over a thread that is inside of RE2, which would abort the process.
    """
    for queue, _ in _lanes.values():
        queue.put(None)
    for _, thread in _lanes.values():
        thread.join(_PATIENCE)
        if thread.is_alive() and thread.ident is not None:
            ctypes = importlib.import_module("ctypes")
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
            thread.join(_LAST_PATIENCE)
