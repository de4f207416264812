"""The identity of a tool's descriptor: a digest of all that says what the tool is and does.

Core. The effects catalogue binds to it, and so does whatever else has to know that a tool is still the one that was
looked at. Members that vary without changing the tool (`_meta`, `icons`) aren't part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_guard.wire import digest

MEMBERS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
"""What a model reads of a tool, what its arguments are checked against, and what its server admits to."""


def descriptor_digest(descriptor: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the canonical bytes of a descriptor's `MEMBERS`. An absent one isn't the same as null.

    Raises ValueError for what has no canonical bytes (NaN), which `wire.parse` never yields.
    """
    return digest({member: descriptor[member] for member in MEMBERS if member in descriptor})
