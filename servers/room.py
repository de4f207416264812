"""A server's own directory: its lock, its ledger, and small documents that survive a restart.

Several processes may share one directory (a gateway may start a server for every session), so each execution takes the
lock, writes its ledger line, and only then reads and changes what the tool is about.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import ledger
from pydantic import BaseModel

S = TypeVar("S", bound=BaseModel)


class Room:
    """The directory given by `--state`, with one execution inside at a time."""

    def __init__(self, directory: Path, server: str) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = server
        self._threads = threading.Lock()  # the SDK runs plain functions in worker threads

    @contextmanager
    def execution(self, tool: str, arguments: Mapping[str, Any]) -> Iterator[None]:
        """Hold the room while a tool runs. Invariant: its ledger line is on the disk before the body starts."""
        with self.locked():
            ledger.append(self.directory / ledger.NAME, self._server, tool, arguments)
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other threads, and other processes with the same directory, out."""
        with self._threads, (self.directory / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # closing the file gives it back
            yield


class StateFile(Generic[S]):
    """One JSON document in a room, seeded at first start and replaced as a whole."""

    def __init__(self, room: Room, name: str, seed: S) -> None:
        self._path = room.directory / name
        self._model = type(seed)
        with room.locked():
            if not self._path.exists():
                self._write(seed)

    def read(self) -> S:
        return self._model.model_validate_json(self._path.read_bytes())

    @contextmanager
    def change(self) -> Iterator[S]:
        """Yield the state to be changed in place. It is kept only if the body ends without an exception."""
        state = self.read()
        yield state
        self._write(state)

    def _write(self, state: S) -> None:
        fresh = self._path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(state.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
