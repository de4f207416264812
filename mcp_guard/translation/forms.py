"""What one era says in the other's words: handshakes, envelopes, results. Pure; sends nothing.

Core. A translation adds and takes away what belongs to the protocol (envelope, `resultType`, cache hints), and touches
nothing that a tool, a resource or a prompt says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_guard.eras import (
    CLIENT_CAPABILITIES_KEY,
    CLIENT_INFO_KEY,
    LEGACY_REVISIONS,
    LOG_LEVEL_KEY,
    MODERN_REVISIONS,
    REVISION_KEY,
    SERVER_INFO_KEY,
)

CACHED = frozenset({"tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"})
"""Methods whose results say in the modern era how long they may be kept."""
_ENVELOPE = (REVISION_KEY, CLIENT_CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY)
_HINTS = ("resultType", "ttlMs", "cacheScope")
_NO_NAME = {"name": "unknown", "version": "0"}


def envelope_of(initialize: Mapping[str, Any]) -> dict[str, Any]:
    """What a client said in its `initialize`, as each modern request repeats it."""
    capabilities, info = initialize.get("capabilities"), initialize.get("clientInfo")
    return {
        REVISION_KEY: MODERN_REVISIONS[-1],
        CLIENT_CAPABILITIES_KEY: capabilities if isinstance(capabilities, dict) else {},
        CLIENT_INFO_KEY: info if isinstance(info, dict) else _NO_NAME,
    }


def initialize_of(modern: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a client said of itself in a modern request's `_meta`, as an `initialize`."""
    meta = (modern or {}).get("_meta")
    meta = meta if isinstance(meta, Mapping) else {}
    capabilities, info = meta.get(CLIENT_CAPABILITIES_KEY), meta.get(CLIENT_INFO_KEY)
    return {
        "protocolVersion": LEGACY_REVISIONS[-1],
        "capabilities": capabilities if isinstance(capabilities, dict) else {},
        "clientInfo": info if isinstance(info, dict) else _NO_NAME,
    }


def as_initialized(discovered: Mapping[str, Any], asked: object) -> dict[str, Any]:
    """An answer to `server/discover` as one to `initialize`."""
    kept = {name: value for name, value in discovered.items() if name not in (*_HINTS, "supportedVersions", "_meta")}
    meta = discovered.get("_meta")
    info = meta.get(SERVER_INFO_KEY) if isinstance(meta, Mapping) else None
    return {
        **kept,
        "protocolVersion": asked if asked in LEGACY_REVISIONS else LEGACY_REVISIONS[-1],
        "serverInfo": info if isinstance(info, dict) else _NO_NAME,
    }


def as_discovered(initialized: Mapping[str, Any]) -> dict[str, Any]:
    """An answer to `initialize` as one to `server/discover`."""
    kept = {name: value for name, value in initialized.items() if name not in ("protocolVersion", "serverInfo")}
    info = initialized.get("serverInfo")
    return {
        **_hinted(kept),
        "supportedVersions": list(MODERN_REVISIONS),
        "_meta": {SERVER_INFO_KEY: info if isinstance(info, dict) else _NO_NAME},
    }


def enveloped(params: Mapping[str, Any] | None, envelope: Mapping[str, Any]) -> dict[str, Any]:
    """A legacy request's params as a modern server wants them. The envelope's words are the guard's."""
    params = params or {}
    meta = params.get("_meta")
    return {**params, "_meta": {**(meta if isinstance(meta, Mapping) else {}), **envelope}}


def bare(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """A modern request's params without the envelope."""
    params = dict(params or {})
    meta = params.pop("_meta", None)
    kept = {key: value for key, value in meta.items() if key not in _ENVELOPE} if isinstance(meta, Mapping) else {}
    return {**params, "_meta": kept} if kept else params


def legacy_reply(reply: dict[str, Any]) -> dict[str, Any]:
    """A modern server's answer for a client of the legacy era. One that isn't complete stays as it is: it is judged."""
    result = reply.get("result")
    if not isinstance(result, dict) or result.get("resultType", "complete") != "complete":
        return reply
    result = {name: value for name, value in result.items() if name not in _HINTS}
    if not isinstance(result.get("structuredContent", {}), dict):
        # This era has objects only, and its clients drop an answer that has another one; the text says it, too.
        del result["structuredContent"]
    if isinstance(result.get("tools"), list):
        result["tools"] = [_legacy_tool(tool) for tool in result["tools"]]
    return {**reply, "result": result}


def _legacy_tool(tool: Any) -> Any:
    """The legacy era's output schemas are of objects: without one, any answer will do."""
    schema = tool.get("outputSchema") if isinstance(tool, dict) else None
    if schema is None or (isinstance(schema, Mapping) and schema.get("type") == "object"):
        return tool
    return {name: value for name, value in tool.items() if name != "outputSchema"}


def modern_reply(method: str, reply: dict[str, Any]) -> dict[str, Any]:
    """A legacy server's answer for a client of the modern era: complete, and not to be kept."""
    result = reply.get("result")
    if not isinstance(result, dict) or "resultType" in result:  # a legacy server that says it is judged as it stands
        return reply
    return {**reply, "result": _hinted(result) if method in CACHED else {**result, "resultType": "complete"}}


def _hinted(result: Mapping[str, Any]) -> dict[str, Any]:
    return {**result, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
