"""The scan's settings on a command line, for servers that no guard.yaml names."""

from __future__ import annotations

from collections.abc import Iterable

from mcp_guard.errors import InputError
from mcp_guard.inspection.scan.finding import Severity
from mcp_guard.inspection.scan.settings import LOOKED_AT, Act, Inspect


def parse_inspect(acts: Iterable[str], looked_at: Iterable[str]) -> Inspect:
    """`--inspect SEVERITY=ACT`, each severity once, and `--looked-at NAME@DIGEST`. Raises InputError."""
    said: dict[str, Act] = {}
    for one in acts:
        severity, _, act = one.partition("=")
        if severity not in tuple(Severity) or act not in tuple(Act):
            raise InputError(
                f"`--inspect {one}` isn't SEVERITY=ACT: `severe` or `minor`, then `withhold`, `mark` or `off`"
            )
        if severity in said:
            raise InputError(f"`--inspect {severity}=` is given twice; keep one of them")
        said[severity] = Act(act)
    keys = frozenset(looked_at)
    for key in keys:
        if not LOOKED_AT.fullmatch(key):
            raise InputError(f"`--looked-at {key}` isn't NAME@DIGEST as `mcp-guard check` prints it")
    return Inspect(**said, looked_at=keys)
