"""What a yes lets count for every command line, each document by itself.

A command line has its own mandate and variables, and under them a wider policy may be proved to permit nothing more. A
person's yes counts without them, too: so what is compared here is what counts for everybody now, and what would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mcp_guard.accepting import texts
from mcp_guard.accepting.stacks import Stack, absolute
from mcp_guard.errors import InputError
from mcp_guard.policy.document import Document, read_mandate, read_policy
from mcp_guard.record.accepted import Acceptance


@dataclass(frozen=True, slots=True)
class Alone:
    """One document. `old`: as it counts for everybody until now; None if that can't be read any more."""

    path: Path
    old: Document | None
    new: Document


def alone(state: Path, force: Stack, new: Stack, acceptances: Iterable[Acceptance]) -> Iterator[Alone]:
    """The documents of which another version counts for everybody, but for a lone one that is compared anyway."""
    parts = {(one.part, one.file): one for one in acceptances}
    for document in new.layers:
        one = parts.get((document.kind, str(absolute(Path(document.file)))))
        if one is None or one.expected in ("", one.sha256):
            continue
        if len(new.layers) == 1 and one.expected in map(texts.digest_of, force.contents.values()):
            continue
        yield Alone(Path(one.file), _read(document, texts.kept(state, one.expected)), document)


def _read(like: Document, data: bytes | None) -> Document | None:
    read = read_policy if like.kind == "policy" else read_mandate
    try:
        return None if data is None else read(data, Path(like.file), variables=like.variables)
    except InputError:
        return None
