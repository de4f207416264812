"""Finds and reads the one data file that a command needs; what was read is kept.

Knows nothing of servers, listings and policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import orjson

from mcp_guard import log
from mcp_guard.catalogue.entries import Known, known, read_entry
from mcp_guard.catalogue.packages import Package, identify
from mcp_guard.errors import InputError

DATA = Path(__file__).parent / "data"
INDEX = DATA / "index.json"
"""Which file is about which package: `{"npm:NAME": "FILE", ...}`. Made by `refresh`, held to the files by a test."""


def find(command: Sequence[str], given: Iterable[str] = ()) -> Known | None:
    """The catalogued server that this command starts with the variables `given`; None if it can't be told, or isn't in
    the catalogue.

    Says what the command *names*: each tool has to be bound by its descriptor, too (`Known.describe`).
    """
    package, _ = identify(command, given)
    return _load(package) if package is not None else None


@lru_cache(maxsize=64)
def _load(package: Package) -> Known | None:
    file = _index().get(package.key)
    if file is None:
        return None
    try:
        return known(read_entry((DATA / f"{file}.json").read_bytes()), package)
    except (OSError, InputError) as error:  # a broken installation: every tool has every class
        log.warning("the effects catalogue can't be read", server=file, error=type(error).__name__)
        return None


@lru_cache(maxsize=1)
def _index() -> Mapping[str, str]:
    try:
        index = orjson.loads(INDEX.read_bytes())
    except (OSError, ValueError) as error:
        log.warning("the effects catalogue can't be read", error=type(error).__name__)
        return {}
    return index if isinstance(index, dict) else {}
