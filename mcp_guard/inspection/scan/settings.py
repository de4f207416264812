"""What findings do: withhold what they are in, mark it, or nothing. A finding never shows or allows anything.

Core. The operator says it in guard.yaml, by severity. A person who has looked at a thing names it with the digest
of what was looked at; as soon as its server says something else there, it is looked at anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mcp_guard.inspection.scan.finding import Finding, Severity
from mcp_guard.wire import digest

LOOKED_AT = re.compile(r"[^@\s]{1,300}@[0-9a-f]{16}")
"""`server/name@digest`, as `mcp-guard check` prints it."""
NOT_LOOKED_AT = frozenset({"_meta", "icons"})
"""Members that reach no model."""


class Act(StrEnum):
    """What a finding does."""

    WITHHOLD = "withhold"  # what it is in doesn't exist for the client
    MARK = "mark"  # the record and the person are told
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Inspect:
    """guard.yaml's `inspect`."""

    severe: Act = Act.WITHHOLD
    minor: Act = Act.MARK
    looked_at: frozenset[str] = frozenset()

    def act(self, severity: Severity) -> Act:
        return self.severe if severity is Severity.SEVERE else self.minor

    def those(self, findings: Iterable[Finding], act: Act) -> tuple[Finding, ...]:
        """The findings that do this."""
        return tuple(one for one in findings if self.act(one.severity) is act)


def looked_at(server: str, name: str, thing: Mapping[str, Any] | str) -> str:
    """How a person says that this very thing is all right."""
    return f"{server}/{name}@{key_of(thing)[:16]}"


def key_of(thing: Mapping[str, Any] | str) -> str:
    """The digest of all that was looked at, unknown members too: no part may change behind it."""
    if isinstance(thing, str):
        return digest({"text": thing})
    return digest({name: value for name, value in thing.items() if name not in NOT_LOOKED_AT})
