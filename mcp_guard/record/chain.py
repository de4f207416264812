"""The hash chain of one guard process: each entry's hash covers the one before, so that none can be changed alone.

A chain alone doesn't show that its end was cut off. Two things do: positions run without a gap through all chains, and
the first entry of every later chain binds the heads of the chains that were there.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import NamedTuple

START = bytes(32)
"""What stands for "the hash before" in the first entry of a chain; that entry names its chain."""


class Head(NamedTuple):
    """The end of a chain: the last entry's place (-1: no entry yet) and hash."""

    number: int  # the chain's row in `chains`
    chain: str
    seq: int
    hash: bytes

    def next(self, body: bytes) -> Head:
        """The end of the chain once `body` is appended."""
        return Head(self.number, self.chain, self.seq + 1, entry_hash(self.hash, body))


def entry_hash(before: bytes, body: bytes) -> bytes:
    """SHA-256 over the hash before (32 bytes, so nothing can shift between the two) and the canonical entry."""
    return sha256(before + body).digest()


def new_chain_id() -> str:
    """16 random hexadecimal digits."""
    return os.urandom(8).hex()
