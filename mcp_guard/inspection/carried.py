"""Secrets in what a client sends: the other direction, for `deny_secrets`.

Core. Looks through every string of a call's params, names of members too, and through one layer of base64 or of
percent-encoding. It finds secrets that lie about, as `redacting.py` does, and no disguise beyond that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from mcp_guard.inspection.redacting import runs
from mcp_guard.inspection.secrets import finder
from mcp_guard.inspection.walking import strings
from mcp_guard.model import Call


def carried_secrets(call: Call) -> list[str]:
    """The kinds of secrets in it, each once; of the server's own state, which comes back to it, nothing is said."""
    theirs = "requestState" if call.continues else None
    params: Mapping[str, Any] = {name: value for name, value in call.params.items() if name != theirs}
    return _kinds([*strings(dict(params)), call.target])


def secrets_in(value: Any) -> list[str]:
    """The same of any value: one argument, its name included."""
    return _kinds(list(strings(value)))


def _kinds(texts: list[str]) -> list[str]:
    joined = "\n".join(texts)
    inside = [text for _, text in runs(joined)]
    if "%" in joined:
        inside.append(unquote(joined))
    found = finder(())
    if not any(map(found.suspects, (joined, *inside))):
        return []
    kinds = [kind for text in (*texts, *inside) for _, _, kind in found.find(text)]
    return list(dict.fromkeys(kinds))
