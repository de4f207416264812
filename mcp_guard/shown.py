"""What a server's question looks like when it reaches the person: under the server's name, and with no tricks.

Core. Who reads a question decides by who asks. So the guard puts the server's name in front of its text, takes out what
could paint over that (control characters, changes of direction), and refuses what would reach beyond the server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mcp_guard.answers import look_alikes
from mcp_guard.wire import serialize

# A carriage return, an escape sequence or a right-to-left override could hide the name in front, or move it.
_TRICKS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_READ = ("message", "mode", "url", "requestedSchema", "elicitationId", "includeContext", "task", "_meta")
MAX_MESSAGE = 10_000
"""Characters of an elicitation's text: more would push the name out of sight, and nobody reads it."""
MAX_FORM = 64 << 10
"""Bytes of the form beside it."""
_LABELS = ("title", "description", "enumNames")


def as_shown(method: str, params: dict[str, Any], server: str) -> dict[str, Any]:
    """The params of a server's question as the client gets them."""
    if method != "elicitation/create":
        return params
    message = params.get("message")
    shown = {**params, "message": f"[{server}] {_plain(message) if isinstance(message, str) else ''}"}
    return (
        shown if "requestedSchema" not in params else {**shown, "requestedSchema": _cleaned(shown["requestedSchema"])}
    )


def _plain(text: str) -> str:
    """Further lines are marked, so that none of them looks like the beginning of another server's question."""
    return _TRICKS.sub(chr(0xFFFD), text).replace("\n", "\n| ")


def _cleaned(form: Any, label: bool = False) -> Any:
    """A form whose labels are as plain as its text. Other words of it come back in the answer, so they stay."""
    if isinstance(form, Mapping):
        return {name: _cleaned(value, name in _LABELS) for name, value in form.items()}
    if isinstance(form, list):
        return [_cleaned(value, label) for value in form]
    return _plain(form) if label and isinstance(form, str) else form


def _has_tricks(form: Any) -> bool:
    """A field's name or a choice is shown, too, where it has no label."""
    if isinstance(form, Mapping):
        return any(_has_tricks(name) or _has_tricks(value) for name, value in form.items())
    if isinstance(form, list):
        return any(map(_has_tricks, form))
    return isinstance(form, str) and _TRICKS.search(form) is not None


def why_not_shown(method: str, params: Mapping[str, Any], *, several: bool) -> str:
    """Why this question isn't shown, whatever is granted; empty if it may be. `several`: the client has other servers
    behind the same guard.
    """
    if look_alikes(params, _READ):
        return "it names a member in another letter case, which some clients read and others don't"
    if "task" in params:
        return "it asks to be answered later, which nothing grants"
    if method == "sampling/createMessage":
        wanted = params.get("includeContext", "none")
        if wanted != "none" and (several or wanted != "thisServer"):
            return "it asks for what other servers have said (`includeContext`)"
    if method == "elicitation/create":
        message = params.get("message", "")
        if not isinstance(message, str) or len(message) > MAX_MESSAGE:
            return "its text is none, or too long to be read"
        form = _cleaned(params.get("requestedSchema"))
        if _has_tricks(form) or len(serialize(form)) > MAX_FORM:
            return "its form has what could paint over the server's name, or is too long to be read"
        if params.get("mode", "form") not in ("form", "url"):
            return "it is neither a form nor a URL"
        if "url" in params and not _plain_url(params["url"]):
            return "its URL isn't a plain http(s) one"
    return ""


def not_offered(kind: str, params: Mapping[str, Any], offered: Mapping[str, Any] | None) -> bool:
    """Didn't the client offer to be asked this? `elicitation: {}` offers forms. `offered` None: it isn't known."""
    if offered is None:
        return False
    if kind == "elicitation" and params.get("mode") == "url":
        modes = offered.get("elicitation")
        return not isinstance(modes, Mapping) or "url" not in modes
    return kind not in offered


def _plain_url(url: object) -> bool:
    """Opened in a person's browser: nothing that runs, reads a file, or hides where it leads behind a user's name."""
    if not isinstance(url, str) or len(url) > MAX_MESSAGE or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        hidden = "@" in parts.netloc or "\\" in url
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not hidden
    except ValueError:
        return False
