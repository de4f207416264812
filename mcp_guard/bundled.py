"""Where the tool servers and policies lie that come with the package: inside the wheel, or in a checkout beside it."""

from __future__ import annotations

from pathlib import Path

from mcp_guard.errors import InputError

_PACKAGE = Path(__file__).parent


def bundled(*parts: str) -> Path:
    """The path of a bundled file, such as `bundled("policies", "demo.yaml")`. Raises InputError if it isn't there."""
    for root in (_PACKAGE / "_bundled", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.is_file():
            return path
    raise InputError(f"`{'/'.join(parts)}` is missing from this installation; install mcp-guard again")
