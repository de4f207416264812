"""How the record names the documents and the lock that judge from some moment on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mcp_guard.lock.servers import Lock
from mcp_guard.lock.text import lock_text
from mcp_guard.policy.document import Document


def loaded(layers: Iterable[Document], lock: Lock | None, file: Path | None) -> list[dict[str, object]]:
    """The data of a `loaded` entry; `file` is the lock's."""
    found: list[dict[str, object]] = [
        {
            "kind": layer.kind,
            "file": str(Path(layer.file).absolute()),
            "digest": layer.digest,
            "grants": [rule.ref.id for rule in layer.rules if rule.is_grant],  # so that `log` knows the unused ones
        }
        for layer in layers
    ]
    if lock is not None and file is not None:
        digest = hashlib.sha256(lock_text(lock).encode()).hexdigest()
        found.append({"kind": "lock", "file": str(file.absolute()), "digest": digest, "grants": []})
    return found
