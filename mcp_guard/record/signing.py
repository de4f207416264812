"""Ed25519 signatures of checkpoints (RFC 8032): made with `signing.key`, checked with its public half alone.

`cryptography` is imported with the first signature, not before: no call and no start waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Protocol

from mcp_guard.record.entries import canonical

CONTEXT = b"mcp-guard checkpoint\n"
"""Stands before what is signed, so that a signature of anything else is never one of a checkpoint."""


class Signs(Protocol):
    """What can sign a checkpoint."""

    @property
    def public(self) -> str:
        """The public key: 64 hexadecimal digits."""

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""


class Signer:
    """The private half, in memory."""

    def __init__(self, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def message_of(body: Mapping[str, Any]) -> bytes:
    """What is signed of a checkpoint: all that it says but the signature itself."""
    return CONTEXT + canonical({name: value for name, value in body.items() if name != "signature"})


def is_signed(body: Mapping[str, Any]) -> bool:
    """Is the signature that of the key which the checkpoint names? Whether to trust that key is another question."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(body["key"]))
        key.verify(bytes.fromhex(body["signature"]), message_of(body))
    except (InvalidSignature, KeyError, TypeError, ValueError):
        return False
    return True


def public_pem(public: str) -> str:
    """The public key in the form that other programs read (SubjectPublicKeyInfo, PEM)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public(text: bytes) -> str:
    """The public key of a PEM file, as 64 hexadecimal digits. Raises ValueError for anything else."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(text)
    except UnsupportedAlgorithm as error:
        raise ValueError("no Ed25519 key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("no Ed25519 key")
    return key.public_bytes_raw().hex()


def fingerprint(public: str) -> str:
    """What a person compares: the first 16 digits of the key's SHA-256."""
    return sha256(bytes.fromhex(public)).hexdigest()[:16]
