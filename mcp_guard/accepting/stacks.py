"""From the contents of files to what a guard would start with: guard.yaml, policy, mandate and lock of one command.

Which content a file has is a function that is passed in: the disk's, or what was accepted. Each file is read once, so
that what is digested is what is parsed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_guard.errors import InputError
from mcp_guard.lock.servers import Lock
from mcp_guard.lock.text import read_lock
from mcp_guard.policy.document import Document, read_mandate, read_policy
from mcp_guard.policy.yaml_source import read_yaml

if TYPE_CHECKING:
    from mcp_guard.config import Config


class Part(StrEnum):
    """What a file is to the guard."""

    CONFIG = "config"
    POLICY = "policy"
    MANDATE = "mandate"
    LOCK = "lock"
    LOCAL = "local"  # no file of the user's: denies that the guard's own tools keep (`local.py`)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line names: it belongs to whoever starts the guard, and isn't what waits."""

    config: Path | None = None
    policy: Path | None = None
    mandate: Path | None = None
    lock: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


Contents = Callable[[Part, Path], bytes | None]
"""What a file holds; None for a lock that isn't there. Raises InputError for any other."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What a guard would start with, and the contents that it comes from."""

    config: Config | None
    policy: Document | None
    mandate: Document | None
    lock: Lock | None
    lock_file: Path | None
    contents: Mapping[tuple[Part, Path], bytes]
    plain: Any = None  # guard.yaml as plain values

    @property
    def layers(self) -> tuple[Document, ...]:
        return tuple(one for one in (self.policy, self.mandate) if one is not None)


def stack(asked: Asked, contents: Contents) -> Stack:
    """Read everything that the command line names, and what guard.yaml names in turn. Raises InputError."""
    seen: dict[tuple[Part, Path], bytes] = {}

    def read(part: Part, path: Path | None) -> bytes | None:
        if path is None:
            return None
        path = absolute(path)
        data = contents(part, path)
        if data is not None:
            seen[part, path] = data
        return data

    config, plain = None, None
    if (data := read(Part.CONFIG, asked.config)) is not None and asked.config is not None:
        from mcp_guard.config import read_config  # only now: `wrap` has no guard.yaml, and its forms are slow to load

        config = read_config(data, asked.config)
        plain = read_yaml(data, str(asked.config)).value
    policy_file = config.policy if config is not None else asked.policy
    mandate_file = asked.mandate or (config.mandate if config is not None else None)
    lock_file = asked.lock or (config.lock_place if config is not None else None)
    given = {**(config.variables if config is not None else {}), **asked.settings}
    policy = mandate = lock = None
    if policy_file is not None and (data := read(Part.POLICY, policy_file)) is not None:
        policy = read_policy(data, policy_file, variables=given)
    if mandate_file is not None and (data := read(Part.MANDATE, mandate_file)) is not None:
        mandate = read_mandate(data, mandate_file, variables=policy.variables if policy is not None else given)
    if lock_file is not None and (data := read(Part.LOCK, lock_file)) is not None:
        lock = read_lock(data, str(lock_file))
    elif asked.lock is not None or (plain is not None and "lock" in plain):
        raise InputError(f"there is no {lock_file}, which is named; write it with `mcp-guard lock`")
    return Stack(config, policy, mandate, lock, lock_file if lock is not None else None, seen, plain)


def absolute(path: Path) -> Path:
    """Lexically: a link that is made to lead elsewhere is a change of the file at this place, not another place."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links
