"""What of a request's `params` its client words itself: all but the names that the protocol gives their members.

Core. Every call has a `name` and `arguments`, and a modern one three long keys in its `_meta`. Nobody chose them, so
nobody names a file by them; whoever writes such a word elsewhere (in the arguments, or as a value) has worded it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_guard.eras import CLIENT_CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY, REVISION_KEY

_MEMBERS = frozenset({"name", "arguments", "_meta", "uri", "inputResponses", "requestState", "task"})
_META = frozenset({REVISION_KEY, CLIENT_INFO_KEY, CLIENT_CAPABILITIES_KEY, LOG_LEVEL_KEY, "progressToken"})
_INFO = frozenset({"name", "version", "title"})


def worded(params: Mapping[str, Any], unread: str | None = None) -> list[Any]:
    """The values of `params`, and the names that aren't the protocol's own. `unread` is a member that is left out."""
    said: list[Any] = []
    for name, value in params.items():
        if name == unread:
            continue
        if name not in _MEMBERS:
            said.append(name)
        if name == "_meta" and type(value) is dict:
            _of_meta(value, said)
        else:
            said.append(value)
    return said


def _of_meta(meta: dict[str, Any], said: list[Any]) -> None:
    for name, value in meta.items():
        if name not in _META:
            said.append(name)
        if name == CLIENT_INFO_KEY and type(value) is dict:
            said += [one for one in value if one not in _INFO]
            said += value.values()
        else:
            said.append(value)
