"""Which answers of a server ask the client for something, also in disguise, and what is left of one that may not.

Core. An answer that asks is judged where a round may follow (`rounds.py`); everywhere else nothing in it may reach a
client that would act on it. Some clients read names in any letter case, so a name that differs from one of the
protocol's in its case alone is taken for an attempt, never for an unknown member.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mcp_guard.eras import strip_own_data
from mcp_guard.wire import INVALID_REQUEST

URL_ELICITATION_REQUIRED = -32042
"""An error of the legacy era that makes a client open URLs: it asks as much as a request would."""
ROUND_METHODS = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Methods that a server may answer with questions (2026-07-28, multi round-trip requests)."""
MAX_QUESTIONS = 16
"""Questions in one answer."""
ASKING = ("resultType", "inputRequests", "requestState")
"""The members of a result by which it asks."""


def look_alikes(value: Mapping[str, Any], names: Collection[str]) -> bool:
    """Is one of these names there in another letter case?"""
    strange = [name for name in value if name not in names]  # mostly none, and nothing has to be folded
    if not strange:
        return False
    known = {name.casefold() for name in names}
    return any(name.casefold() in known for name in strange)


def is_complete(result: Mapping[str, Any]) -> bool:
    """Is this result an answer and nothing else, whoever reads it?"""
    return not look_alikes(result, ASKING) and result.get("resultType", "complete") == "complete"


def asks_for_urls(error: Mapping[str, Any]) -> bool:
    """Would some client open URLs on this error?"""
    return any(said == URL_ELICITATION_REQUIRED for name, said in error.items() if name.casefold() == "code")


def plain_error(error: dict[str, Any]) -> dict[str, Any]:
    """A server's error where no question can be judged: as it is, unless it asks."""
    if asks_for_urls(error):
        return {"code": INVALID_REQUEST, "message": "The tool server asks before it answers, which it may not here."}
    return strip_own_data(error)
