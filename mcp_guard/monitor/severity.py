"""How grave something is: one scale for refusals and for what scanners say. Core.

A refusal's severity follows from what its entry says, so that anybody who reads the record comes to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from mcp_guard.model import Reason


class Severity(IntEnum):
    """In rising order."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2

    @property
    def word(self) -> str:
        """As guard.yaml writes it."""
        return self.name.lower()


WORDS: Mapping[str, Severity] = {one.word: one for one in Severity}

OWN_CALLS = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
"""Methods that a client asks to have something done by. What a server sends unasked is no refusal of the client's."""

_GRAVER: Mapping[Reason, Severity] = {
    Reason.PROTECTED: Severity.HIGH,  # it named the guard's own files or addresses
    Reason.SCANNED: Severity.HIGH,  # a scanner spoke against it
    Reason.DENIED: Severity.MEDIUM,  # a person wrote a line against exactly this
    Reason.HISTORY: Severity.MEDIUM,
}
_NOT_THE_CALLS_DOING = frozenset(
    {
        *(Reason.STOPPED, Reason.UNAVAILABLE, Reason.UNRECORDED, Reason.INTERNAL, Reason.TOO_MANY, Reason.TOO_OFTEN),
        *(Reason.EXPIRED, Reason.NO_MANDATE, Reason.NO_AUTHORITY),
    }
)
"""The guard's state, not what was asked: a server that is down must not freeze whoever calls it."""


def of_refusal(method: str, target: str, reason: str) -> Severity | None:
    """How grave a denied request is; None for one that says nothing against whoever asked."""
    if method not in OWN_CALLS or not target:
        return None
    known = Reason(reason)
    return None if known in _NOT_THE_CALLS_DOING else _GRAVER.get(known, Severity.LOW)
