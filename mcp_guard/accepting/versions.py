"""Which version of a document a command speaks of, where the one on disk isn't the one that is accepted."""

from __future__ import annotations

from pathlib import Path

from mcp_guard.accepting import texts
from mcp_guard.accepting.gate import accepted_rows, place_of
from mcp_guard.accepting.stacks import Part, absolute
from mcp_guard.errors import GuardError
from mcp_guard.policy.yaml_source import MAX_BYTES

_PARTS = (Part.POLICY, Part.MANDATE)


def accepted(state: Path, path: Path) -> bytes | None:
    """The content of a policy or mandate that is accepted for every command line; None: none, so the file's counts.

    Raises GuardError if it is gone from the state directory.
    """
    rows = accepted_rows(state)
    digest = next((rows[place, ""] for place in _places(path) if rows.get((place, ""))), "")
    if not digest:
        return None
    data = texts.kept(state, digest)
    if data is None:
        raise GuardError(f"the accepted version of {path} is gone from {state}; see `mcp-guard accept`")
    return data


def is_another(state: Path, path: Path) -> bool:
    """Is something accepted for this file, and its content on disk isn't, for any command line? False if that can't be
    told: this is for a word to a person.
    """
    try:
        rows = accepted_rows(state)
        with path.open("rb") as file:
            digest = texts.digest_of(file.read(MAX_BYTES + 1))
    except (GuardError, OSError):
        return False
    places = set(_places(path))
    known = {sha256 for (place, _), sha256 in rows.items() if place in places}
    return bool(known) and digest not in known


def _places(path: Path) -> list[str]:
    return [place_of(part, absolute(path)) for part in _PARTS]
