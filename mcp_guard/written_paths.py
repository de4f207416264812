"""Variables whose value is written as a path: from guard.yaml's directory there, after `--set` from the current one."""

from __future__ import annotations

import os
from pathlib import Path


def as_path(value: str, directory: Path) -> str:
    """A variable's value; one that is written as a relative or home path (`.`, `./x`, `~/x`) becomes absolute."""
    if value == "~" or value.startswith("~/"):
        return os.path.normpath(Path(value).expanduser())
    if value in (".", "..") or value.startswith(("./", "../")):
        return os.path.normpath(directory / value)
    return value
