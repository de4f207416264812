"""The key of the digests, in a file of its own: who has the record alone can't guess arguments against it (law 8)."""

from __future__ import annotations

import os
from pathlib import Path

from mcp_guard.errors import RecordFailed
from mcp_guard.record import place

LENGTH = 32


def digest_key(directory: Path) -> bytes:
    """The 32 bytes of `digest.key`, made at first use. Processes that start together end up with one key."""
    path = directory / place.KEY
    try:
        if not os.path.lexists(path):
            place.publish(path, os.urandom(LENGTH))  # whoever is first wins; all read what is there
        place.check(directory)
        key = _read(path)
    except OSError as error:
        raise RecordFailed(f"can't read the digest key `{path}`: {(error.strerror or '').lower()}") from error
    if len(key) != LENGTH:
        raise RecordFailed(
            f"the digest key `{path}` is damaged; restore it, or remove it: digests made so far can then not be matched"
        )
    return key


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.read(descriptor, LENGTH + 1)
    finally:
        os.close(descriptor)
