"""Long looks at what servers say, in threads beside the loop, so that other calls go on meanwhile.

Edge. What is light is looked at where it comes; the rest waits in its server's own thread, so that a server that keeps
the guard busy holds up long answers of its own and nobody else's. RE2 gives the interpreter's lock away while it looks;
whatever else holds it hands it on every half millisecond, which is what a short call waits then.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

LIGHT = 64_000
"""Characters that are looked at where they come: a few milliseconds, whoever wrote them."""
_EACH = 16
"""What a string, a number or a list counts for beside its length: ten thousand of them are no light matter."""
_SWITCH = 0.0005

Job = Callable[[], Any]
_lanes: dict[str, SimpleQueue[Callable[[], None]]] = {}


def is_light(value: Any, bound: int = LIGHT) -> bool:
    """Are there less than so many characters in this JSON value? Stops counting there."""
    left, stack = bound, [value]
    while stack:
        item = stack.pop()
        left -= _EACH
        if isinstance(item, str):
            left -= len(item)
        elif isinstance(item, dict):
            left -= sum(map(len, item)) + _EACH * len(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            left -= _EACH * len(item)
            stack.extend(item)
        if left < 0:
            return False
    return True


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


def _lane(name: str) -> SimpleQueue[Callable[[], None]]:
    if name not in _lanes:
        sys.setswitchinterval(_SWITCH)
        queue = _lanes[name] = SimpleQueue()
        # A daemon: a guard that ends doesn't wait until a long answer is read that nobody wants any more.
        threading.Thread(target=_work, args=(queue,), name=f"aside {name}", daemon=True).start()
    return _lanes[name]


def _work(queue: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        queue.get()()
