"""The two eras of MCP and their revisions: facts that the guard has to know to relay both.

Core. Legacy: a connection begins with `initialize` (2024-11-05 to 2025-11-25). Modern (2026-07-28): no session; every
request carries its revision and capabilities in `_meta`, and `server/discover` replaces the handshake. A revision that
isn't listed here is refused (law 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

LEGACY_REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_REVISIONS = ("2026-07-28",)

REVISION_KEY = "io.modelcontextprotocol/protocolVersion"
CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo"
CLIENT_CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel"
SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"
UNSUPPORTED_REVISION = -32022

OWN_META_PREFIX = "mcp-guard/"
"""Keys of `_meta` that are the guard's own. Stripped both ways: neither side can speak in its name."""


class Era(StrEnum):
    """Which half of the protocol a message belongs to."""

    LEGACY = "legacy"
    MODERN = "modern"


def revision_of(params: Mapping[str, Any] | None) -> Any:
    """The revision that a modern request names in its `_meta`; None for a legacy one."""
    meta = (params or {}).get("_meta")
    return meta.get(REVISION_KEY) if isinstance(meta, dict) else None


def envelope(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a request that the guard makes for a client repeats of that client's `_meta`, so that the server sees one
    client: revision, identity, capabilities."""
    meta = (params or {}).get("_meta")
    if not isinstance(meta, Mapping):
        return {}
    keys = (REVISION_KEY, CLIENT_INFO_KEY, CLIENT_CAPABILITIES_KEY)
    return {key: meta[key] for key in keys if key in meta}


def for_one_principal(result: dict[str, Any]) -> dict[str, Any]:
    """A result that was judged for one principal: a cache that others share would answer without a judgement."""
    return {**result, "cacheScope": "private"} if result.get("cacheScope") == "public" else result


def strip_own_meta(params: dict[str, Any]) -> dict[str, Any]:
    """`params` or a result without the guard's own keys in its `_meta`."""
    return _stripped(params, "_meta")


def strip_own_result(result: dict[str, Any]) -> dict[str, Any]:
    """A server's result without the guard's own keys in its `_meta` and in those of its content blocks."""
    content = result.get("content")
    if isinstance(content, list) and any(isinstance(block, dict) and "_meta" in block for block in content):
        blocks = [strip_own_meta(block) if isinstance(block, dict) else block for block in content]
        result = {**result, "content": blocks}
    return strip_own_meta(result)


def strip_own_data(error: dict[str, Any]) -> dict[str, Any]:
    """A server's error without the guard's own keys in its `data`, where a refusal carries its decision."""
    return _stripped(error, "data")


def strip_own_reply(reply: dict[str, Any]) -> dict[str, Any]:
    """A server's whole answer without the guard's own keys; of one that is gone, what there is."""
    if "gone" in reply:
        return reply
    if "result" in reply:
        return {"result": strip_own_result(reply["result"])}
    return {"error": strip_own_data(reply["error"])}


def _stripped(value: dict[str, Any], place: str) -> dict[str, Any]:
    meta = value.get(place)
    if not isinstance(meta, dict) or not any(key.startswith(OWN_META_PREFIX) for key in meta):
        return value
    kept = {key: inner for key, inner in meta.items() if not key.startswith(OWN_META_PREFIX)}
    rest = {key: inner for key, inner in value.items() if key != place}
    return {**rest, place: kept} if kept else rest
