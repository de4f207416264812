"""The record's secrets, each in a 0600 file of its own, made at first use (law 8).

Who has the record alone can't guess arguments against its digests, and can't sign a checkpoint of another record.
"""

from __future__ import annotations

import os
from pathlib import Path

from mcp_guard.errors import RecordFailed
from mcp_guard.record import place

LENGTH = 32


def digest_key(directory: Path) -> bytes:
    """The 32 bytes of `digest.key`. Processes that start together end up with one key."""
    return _secret(directory, place.KEY, "digest key", "digests made so far can then not be matched")


def signing_seed(directory: Path) -> bytes:
    """The 32 bytes of `signing.key`: the private half that signs checkpoints (`signing`)."""
    return _secret(directory, place.SIGNING_KEY, "signing key", "keep the public half that `log key` printed")


def _secret(directory: Path, name: str, what: str, if_removed: str) -> bytes:
    path = directory / name
    try:
        if not os.path.lexists(path):
            place.publish(path, os.urandom(LENGTH))  # whoever is first wins; all read what is there
        place.check(directory)
        key = read(path)
    except OSError as error:
        raise RecordFailed(f"can't read the {what} `{path}`: {(error.strerror or '').lower()}") from error
    if len(key) != LENGTH:
        raise RecordFailed(f"the {what} `{path}` is damaged; restore it, or remove it: {if_removed}")
    return key


def read(path: Path) -> bytes:
    """The content of a key's file; never through a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.read(descriptor, LENGTH + 1)
    finally:
        os.close(descriptor)
