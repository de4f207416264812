"""The accepted contents themselves, by their digest, beside the record: they stay in force when a file has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from mcp_guard.errors import GuardError
from mcp_guard.record import place

DIRECTORY = "accepted"


def digest_of(data: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(data).hexdigest()


def keep(state: Path, data: bytes) -> str:
    """Keep this content, private, and return its digest. Raises GuardError where it can't be kept."""
    digest = digest_of(data)
    directory = state / DIRECTORY
    try:
        if not place.exists(directory):
            directory.mkdir(mode=0o700)
        path = directory / digest
        if not place.exists(path):
            place.publish(path, data)
    except FileExistsError:
        return keep(state, data)  # another guard made the directory
    except OSError as error:
        raise GuardError(f"can't keep what is accepted in {directory}: {error.strerror}") from None
    return digest


def kept(state: Path, digest: str) -> bytes | None:
    """The content with this digest; None if it isn't there, or isn't that any more."""
    try:
        descriptor = os.open(state / DIRECTORY / digest, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read()
    return data if digest_of(data) == digest else None
