"""Where the guard's files go, which directory is "the project", and how a client starts the guard.

Also for a project, guard.yaml and policy lie in the person's own configuration directory, never in the project: what
lies there is written by agents, by `git checkout`, and by whoever made the repository.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]
"""The program itself: who may write into it decides what the next guard does."""
_CACHES = re.compile(r"/(archive-v\d+|environments-v\d+|builds-v\d+)/|/pipx/(\.cache|cache)/|/\.cache/pipx/")
"""Where `uvx` and `pipx run` keep what may be gone tomorrow."""


@dataclass(frozen=True, slots=True)
class Program:
    """The words that start this very guard from anywhere, whatever the PATH, and what it needs of the environment."""

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


def program(*, lasting: bool = True) -> Program:
    """How a client is to start the guard. If that has to last, raises InputError for an installation that won't."""
    prefix = str(Path(sys.prefix).absolute())
    if lasting and _CACHES.search(f"{prefix}/"):
        raise InputError(
            f"mcp-guard runs from a cache ({prefix}) that may be emptied, and clients would no longer find it; "
            "install it (`uv tool install`, `pipx install` or `pip install`), then run `init` again"
        )
    env = {}
    if state := os.environ.get("MCP_GUARD_STATE"):  # so that `log` and the clients' guards mean the same record
        env["MCP_GUARD_STATE"] = str(Path(state).expanduser().absolute())
    script = Path(sys.prefix) / "bin" / "mcp-guard"
    if script.is_file() and os.access(script, os.X_OK):
        return Program((str(script.absolute()),), env)
    if str(PACKAGE.parent) in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        env["PYTHONPATH"] = str(PACKAGE.parent)
    # -P: a client starts servers in the project's directory, and a `mcp_guard` that lies there isn't this one.
    return Program((str(Path(sys.executable).absolute()), "-P", "-m", "mcp_guard"), env)


def guards_home() -> Path:
    """The directory of all guards' files, absolute: the platform's configuration directory for mcp-guard."""
    from platformdirs import user_config_path  # a slow import that other commands don't need

    return user_config_path("mcp-guard", appauthor=False).absolute()


def directory_for(home: Path, client: str, kind: str, label: str, key: tuple[str, ...]) -> Path:
    """Where the files of one guard go. `key` tells guards of one client apart; the first of all has none."""
    if not key:
        return home / client
    slug = re.sub(r"[^A-Za-z0-9]+", "-", label)[:10].strip("-")  # short: what is long and mixed looks like a secret
    digest = hashlib.sha256(chr(0).join(key).encode(errors="surrogateescape")).hexdigest()[:8]
    return home / client / kind / f"{slug or 'root'}-{digest}"


def project_of(directory: Path, home: Path, guards: Path) -> Path | None:
    """The directory that a starter policy may open; None for one that is too much.

    That is the root, the home directory, what is above it, and what holds the guards' own files.
    """
    real = directory.resolve()
    if real == Path(real.anchor) or any(inside(other, real) for other in (home, guards)):
        return None
    return real


def inside(path: Path, directory: Path) -> bool:
    """Does `path` lie in `directory`, or is it that, by whatever links? A loop of links leads nowhere else."""
    return real(path).is_relative_to(real(directory))


def real(path: Path) -> Path:
    """Where a path leads, as far as that can be told: unlike `Path.resolve`, it takes any path that a file may name."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # a zero byte: there is no such path
        return path
