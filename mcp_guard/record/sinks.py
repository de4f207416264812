"""Where heads go so that they outlive the record: the system's journal, or a file of another user.

A head that only lies beside the record proves nothing: who rewrites the one rewrites the other.
"""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mcp_guard.errors import InputError
from mcp_guard.record.heads import KeptHead

JOURNALD = "journald"
_SOCKET = "/run/systemd/journal/socket"


class Sink(Protocol):
    """Takes heads. `send` raises OSError if one can't be delivered now."""

    def send(self, head: KeptHead, key: str) -> None:
        """`key` is the fingerprint of the key that signed it."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of systemd, by its native protocol; `journalctl -t mcp-guard` shows it."""

    path: str = _SOCKET

    def send(self, head: KeptHead, key: str) -> None:
        fields = {
            "MESSAGE": f"record head {head} key {key}",
            "SYSLOG_IDENTIFIER": "mcp-guard",
            "PRIORITY": "5",
            "MCP_GUARD_HEAD": str(head),
        }
        text = "".join(f"{name}={value}\n" for name, value in fields.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as out:
            out.sendto(text.encode(), self.path)


@dataclass(frozen=True, slots=True)
class HeadsFile:
    """A file that somebody else made and that this user may append to; one line a head."""

    path: Path

    def send(self, head: KeptHead, key: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.path, flags)
        try:
            line = f"{head} key {key}\n".encode()
            if os.write(descriptor, line) != len(line):
                raise OSError("the line wasn't taken whole")
        finally:
            os.close(descriptor)


def sink_of(text: str, path: Path) -> Sink:
    """What `record: {heads: ...}` names. Raises InputError for a file that isn't there: ours would prove nothing."""
    if text == JOURNALD:
        return Journal()
    try:
        found = path.lstat()
    except OSError as error:
        raise InputError(
            f"can't send heads to `{path}`: {(error.strerror or '').lower()}; let another user make it and allow this "
            "one to append to it"
        ) from error
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISFIFO(found.st_mode):
        raise InputError(f"`{path}` is no plain file; heads go to `journald` or to a file")
    return HeadsFile(path)
