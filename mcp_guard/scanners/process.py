"""One Python scanner in a process of its own, and the thread that talks to it: the guard's loop never waits for either.

Each request has `timeout` seconds from when it is asked, its place in the queue included. A late one is answered for
the scanner, and the process is ended, since nobody knows what it is doing; the next request starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import orjson

from mcp_guard import log
from mcp_guard.monitor.severity import WORDS
from mcp_guard.scanners.settings import Raised, Scanner
from mcp_guard.transports.spawn import minimal_environment

_WORKER = str(Path(__file__).with_name("worker.py"))
STARTING = 30.0
"""Seconds that a scanner may take to be imported; until then its requests are late."""
Then = Callable[[Raised | None], None]


@dataclass(slots=True, eq=False)
class _Job:
    """One request to the scanner."""

    line: bytes
    then: Then
    loop: asyncio.AbstractEventLoop
    timer: asyncio.TimerHandle | None = None
    over: bool = False


class ScannerProcess:
    """Asks one scanner. Started when it is made, so that the first call needn't wait for an interpreter."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._current: _Job | None = None
        self._closed = False
        self._ended = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"scanner-{scanner.name}", daemon=True)
        self._thread.start()

    def ask(self, line: bytes, then: Then) -> None:
        """Have it look. `then` is called once, on the loop: with what it raised, or None."""
        loop = asyncio.get_running_loop()
        job = _Job(line, then, loop)
        job.timer = loop.call_later(self._scanner.timeout, self._late, job)
        self._jobs.put(job)

    def close(self) -> None:
        """End the process and the thread."""
        self._closed = True
        self._jobs.put(None)
        self._end()
        self._thread.join(timeout=1.0)

    # --- on the loop ---

    def _late(self, job: _Job) -> None:
        with self._lock:
            job.over = True
            if self._current is job:
                self._end()
        job.then(self._failed("late"))

    def _answered(self, job: _Job, raised: Raised | None) -> None:
        if not job.over:
            job.over = True
            if job.timer is not None:
                job.timer.cancel()
            job.then(raised)

    # --- in the thread ---

    def _run(self) -> None:
        try:
            self._ready()
            self._serve()
        finally:
            self._let_go()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            with self._lock:
                if job.over:
                    continue
                self._current = job
            raised = self._asked(job.line)
            with self._lock:
                self._current = None
            try:
                job.loop.call_soon_threadsafe(self._answered, job, raised)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def _asked(self, line: bytes) -> Raised | None:
        try:
            process = self._ready()
            if process is None or process.stdin is None or process.stdout is None:
                return self._failed("it can't be started")
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            if not answer.endswith(b"\n"):
                self._let_go()
                return self._failed("it ended")
            return self._read(orjson.loads(answer))
        except (OSError, ValueError) as error:
            self._let_go()
            return self._failed(type(error).__name__)

    def _read(self, answer: dict[str, object]) -> Raised | None:
        if "said" not in answer:
            return self._failed(f"it raised {str(answer.get('failed'))[:64]}")
        said = answer["said"]
        if said is None or said is False:
            return None
        most = self._scanner.severity  # also what a failure counts as: nothing is gained by making it fail
        return Raised(self._scanner, min(most, WORDS.get(said, most)) if isinstance(said, str) else most)

    def _ready(self) -> subprocess.Popen[bytes] | None:
        """The process that runs, or a new one that has said that it is ready."""
        if self._process is not None and not self._ended and self._process.poll() is None:
            return self._process
        self._let_go()
        if self._closed:
            return None
        scanner = self._scanner
        options = [scanner.function, str(scanner.module_file or ""), scanner.sha256, str(scanner.timeout)]
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", _WORKER, *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=minimal_environment(),
                cwd="/",
                start_new_session=True,  # a Ctrl-C is for the guard, which ends it in good order
            )
        except OSError:
            return None
        self._process, self._ended = process, False
        out = process.stdout
        if out is not None and select.select([out], [], [], STARTING)[0] and out.readline() == b"ready\n":
            return process
        self._let_go()
        if not self._closed:
            why = "it can't be imported, isn't the file that guard.yaml names, or took too long"
            log.warning("a scanner can't be started, which counts as found", scanner=scanner.name, why=why)
        return None

    def _let_go(self) -> None:
        """Of the process before, if there was one: what it was told through is closed here, where it is read."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what it didn't read any more
                        pipe.close()

    def _end(self) -> None:
        """End it, from any thread: whoever reads from it comes to the end."""
        self._ended = True  # it may live for another moment, and takes nothing more
        process = self._process
        if process is not None:
            process.kill()

    def _failed(self, why: str) -> Raised:
        return Raised(self._scanner, self._scanner.severity, why)
