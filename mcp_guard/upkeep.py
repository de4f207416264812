"""What the record needs between calls: signed checkpoints, heads sent elsewhere, the log written back into the file.

None of it is done while a call waits for it. What fails here is tried again, and fails no call: the record is as good
as it was, only less of it is signed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard import log
from mcp_guard.errors import GuardError, RecordBusy
from mcp_guard.record.keys import signing_seed
from mcp_guard.record.schema import patiently, write_back
from mcp_guard.record.signing import Signer, fingerprint
from mcp_guard.record.sinks import Sink
from mcp_guard.record.store import Record

LOOK = 1.0  # seconds between two looks
CALM = 1  # entries since the last look that still count as calm
SECONDS = 10.0  # an entry is signed within so long, or sooner if it is calm
ENTRIES = 1000  # and after so many at the latest


@dataclass(slots=True)
class Upkeep:
    """Looks after the record of one guard process."""

    record: Record
    sink: Sink | None = None
    also: list[Callable[[], Awaitable[None]]] = field(default_factory=list)  # looked after at each look, too
    _signer: Signer | None = None
    _seen: int = 0
    _waited: float = 0.0
    _said: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after it for as long as the block runs."""
        tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._look_after())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _look_after(self) -> None:
        """What else there is to look after: one that takes long holds up no signature."""
        while self.also:
            await asyncio.sleep(LOOK)
            for chore in self.also:
                try:
                    await chore()
                except Exception as error:  # the others go on, such as taking up documents that allow less
                    name = type(error).__name__  # not its text, which may carry a value
                    self._warn(f"what is done between calls failed: {name}", GuardError(name))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            if self._is_due():
                await asyncio.to_thread(self._load)
                self._sign()
                await asyncio.to_thread(self._write_back, self.record.directory)

    def _is_due(self) -> bool:
        unsigned = self.record.unsigned
        grown, self._seen = unsigned - self._seen, unsigned
        self._waited = self._waited + LOOK if unsigned else 0.0
        return unsigned > 0 and (grown <= CALM or unsigned >= ENTRIES or self._waited >= SECONDS)

    def end(self) -> None:
        """Sign what the process leaves behind."""
        self._load()
        if self._signer is not None and self.record.unsigned:
            with contextlib.suppress(GuardError):  # the client is gone: there is nobody to tell
                patiently(self._checkpoint)

    def _load(self) -> None:
        if self._signer is None:
            try:
                self._signer = Signer(signing_seed(self.record.directory))
            except GuardError as error:
                self._warn("the record can't be signed", error)

    def _sign(self) -> None:
        try:
            self._checkpoint()
        except RecordBusy:
            return  # at the next look
        except GuardError as error:
            self._warn("the record can't be signed", error)

    def _checkpoint(self) -> None:
        if self._signer is None:
            return
        head = self.record.checkpoint(self._signer)
        self._seen, self._waited = 0, 0.0
        if self.sink is not None:
            try:
                self.sink.send(head, fingerprint(self._signer.public))
            except OSError as error:
                self._warn("a head of the record can't be sent where guard.yaml says", error)

    def _write_back(self, directory: Path) -> None:
        try:
            write_back(directory)
        except GuardError as error:
            self._warn("the record's log can't be written back", error)

    def _warn(self, what: str, error: Exception) -> None:
        """Once each: it would be said every second."""
        if what not in self._said:
            self._said.add(what)
            log.warning(what, error=str(error))
