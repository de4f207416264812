"""A server's answer cut to so many characters of text.

Core. The texts of the parts share the limit, in reading order; any other string, and a member that can't be cut without
breaking it (structured content, `_meta`, an error's `data`), has the whole of it for itself, and goes if it is longer.
Bytes that are no text aren't counted: `max_size` and `types` are for those.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from mcp_guard.inspection.walking import Part, as_text, bytes_of, holder, in_holder, strings, with_parts, with_strings
from mcp_guard.wire import serialize

_WHOLE = ("structuredContent", "_meta", "data")


@dataclass(slots=True)
class Shortening:
    """One answer's cutting; `cut` counts what was shortened or left out, `lost` names members that are gone."""

    limit: int
    cut: int = 0
    lost: tuple[str, ...] = ()
    _left: int = 0

    def of(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer within the limit; the very same object if it is."""
        self._left = self.limit
        answer = {name: self._without(inner) for name, inner in answer.items()}
        answer = with_parts(answer, self._part)
        if all(len(text) <= self.limit for text in strings(answer)):
            return answer
        bytes_in_parts: set[str] = set()
        with_parts(answer, lambda part: _note_bytes(part, bytes_in_parts))
        return {
            name: with_strings(inner, lambda text: text if text in bytes_in_parts else self._long(text))
            for name, inner in answer.items()
        }

    def _without(self, inner: Any) -> Any:
        """Less the members that are too long and have no middle to be cut out."""
        if not isinstance(inner, dict):
            return inner
        gone = [name for name in _WHOLE if name in inner and len(serialize(inner[name])) > self.limit]
        if not gone:
            return inner
        self.lost += tuple(gone)
        self.cut += len(gone)
        return {name: value for name, value in inner.items() if name not in gone}

    def _part(self, part: Part) -> Part:
        text = holder(part).get("text")
        if isinstance(text, str):
            kept = self._taken(text)
            part = part if kept is text else in_holder(part, "text", kept)
        try:
            held = bytes_of(part)
        except ValueError:
            return part
        read = None if held is None else as_text(held[1])
        if held is None or read is None:
            return part
        kept = self._taken(read[0])
        return part if kept is read[0] else in_holder(part, held[0], base64.b64encode(kept.encode(read[1])).decode())

    def _taken(self, text: str) -> str:
        left, self._left = self._left, max(0, self._left - len(text))
        return text if len(text) <= left else self._cut_to(text, left)

    def _long(self, text: str) -> str:
        return text if len(text) <= self.limit + len(_mark(10**12)) else self._cut_to(text, self.limit)

    def _cut_to(self, text: str, left: int) -> str:
        self.cut += 1
        return f"{text[:left]}{_mark(len(text) - left)}"


def _mark(more: int) -> str:
    return f"[truncated: {more} more characters]"


def _note_bytes(part: Part, seen: set[str]) -> Part:
    seen.update(value for name in ("data", "blob") if isinstance(value := holder(part).get(name), str))
    return part
