"""Beside which list of local denies guards have said that they stand, as their `loaded` entries tell it.

A deny that is written down beside a file that no guard goes by takes nothing away, and whoever wrote it should hear so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp_guard.accepting.local import place_for
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Filter, Query

_KINDS = ("policy", "mandate")


def place_told(data: Mapping[str, Any]) -> str | None:
    """The place, by the data of one such entry: said outright where a mandate token isn't what it stands beside."""
    said = data.get("beside")
    if isinstance(said, str):
        return said
    found = {one.get("kind"): one.get("file") for one in data.get("documents", ()) if isinstance(one, Mapping)}
    file = next((found[kind] for kind in _KINDS if kind in found), None)
    return None if file is None else place_for(Path(str(file)))


def is_told(query: Query, place: str) -> bool:
    """Has any guard of this record stood beside this list?"""
    told = query.entries(Filter(kind=EntryKind.LOADED.value))
    return any(place_told(row.body.get("data", {})) == place for row in told)
