"""What a client gets of a server's answer, under the obligations of the grants that carried the call.

Core. Types first, since what isn't wanted needs no further look; hidden characters before secrets, secrets before
cutting (half a secret is recognised by nobody); the server's own promise (`outputSchema`) and the size at the end, of
what is left. With no obligation the answer isn't looked at.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mcp_guard.inspection.characters import hidden_spans, may_have_hidden, without_hidden
from mcp_guard.inspection.obligations import NOTHING, Obligations
from mcp_guard.inspection.redacting import Redaction, Unredactable, instead
from mcp_guard.inspection.shortening import Shortening
from mcp_guard.inspection.walking import (
    Part,
    as_text,
    bytes_of,
    in_holder,
    kinds,
    parts,
    strings,
    with_parts,
    with_strings,
)
from mcp_guard.wire import serialize

Fits = Callable[[Any], bool]
"""Does the structured content keep what the tool's `outputSchema` promises?"""
MayRead = Callable[[str], bool]
"""May the client read the resource that a link leads to?"""


class Inspected(NamedTuple):
    """What is left of an answer; `withheld` says why nothing is. `done`: what was applied, and how often."""

    answer: dict[str, Any]
    done: Mapping[str, int] = MappingProxyType({})
    withheld: str = ""

    @property
    def note(self) -> str:
        """For the record: names and counts, never a value."""
        return ", ".join(f"{what} {count}" for what, count in sorted(self.done.items()))


def inspect(
    answer: dict[str, Any],
    obligations: Obligations,
    *,
    fits: Fits | None = None,
    may_read: MayRead = lambda uri: False,
) -> Inspected:
    """The answer (`{"result": ...}`, `{"error": ...}`, or any params) under the obligations.

    `fits` None: the tool promises nothing. Quarantine is the caller's; here it is only not forgotten.
    """
    if obligations is NOTHING or obligations == NOTHING:
        return Inspected(answer)
    done: Counter[str] = Counter()
    before = _structured(answer)
    try:
        answer = _limited(answer, obligations, may_read, done)
        if obligations.strip_hidden:
            answer = _seen(answer, done)
        if obligations.redact:
            redaction = Redaction(obligations.patterns)
            answer = redaction.of(answer)
            done.update({f"redacted {kind}": count for kind, count in redaction.done.items()})
        if obligations.truncate is not None:
            answer = _shortened(answer, obligations.truncate, fits, done)
    except Unredactable as why:
        return Inspected(answer, done, str(why))
    after = _structured(answer)
    if after is not before and after is not None and fits is not None and not fits(after):
        return Inspected(answer, done, "what is left of its structured content isn't what its schema promises")
    if obligations.max_size is not None and len(serialize(answer)) > obligations.max_size:
        return Inspected(answer, done, f"it is larger than {obligations.max_size} bytes")
    return Inspected(answer, done)


def links(answer: Mapping[str, Any]) -> list[str]:
    """Where the links in an answer lead, each once: what `may_read` will be asked about."""
    found = (str(part.get("uri", "")) for part in parts(answer) if part.get("type") == "resource_link")
    return list(dict.fromkeys(found))


def _structured(answer: Mapping[str, Any]) -> Any:
    result = answer.get("result")
    return result.get("structuredContent") if isinstance(result, Mapping) else None


def _limited(answer: dict[str, Any], obligations: Obligations, may_read: MayRead, done: Counter[str]) -> dict[str, Any]:
    """Without the parts of other types, and without links to what the client may not read."""
    wanted = obligations.types
    if wanted is not None and "text" not in wanted and any("structuredContent" in one for one in _objects(answer)):
        raise Unredactable("it has structured content, which is text, and of that type nothing is wanted")

    def edit(part: Part) -> Part:
        found = kinds(part)
        if wanted is not None and not found <= wanted:
            said = "/".join(sorted(found - wanted))
            done[f"withheld {said}"] += 1
            return instead(part, f"[withheld: {said}]")
        if found == {"link"} and not may_read(str(part.get("uri", ""))):
            done["withheld link"] += 1
            return instead({"type": "text"}, "[withheld: a link to what nothing grants reading]")
        return part

    return dict(with_parts(answer, edit))


def _objects(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    inner: Any = answer
    for name in ("result", "result"):  # a task's own result stands in the answer about it
        inner = inner.get(name) if isinstance(inner, Mapping) else None
        found += [inner] if isinstance(inner, Mapping) else []
    return found


def _seen(answer: dict[str, Any], done: Counter[str]) -> dict[str, Any]:
    """Without what a person doesn't see, in texts and in texts in base64."""

    def edit(text: str) -> str:
        if spans := hidden_spans(text):
            done["stripped"] += len(spans)
            return without_hidden(text)
        return text

    def inside(part: Part) -> Part:
        try:
            held = bytes_of(part)
        except ValueError:
            return part
        read = None if held is None else as_text(held[1])
        if held is None or read is None or not hidden_spans(read[0]):
            return part
        return in_holder(part, held[0], base64.b64encode(edit(read[0]).encode(read[1])).decode())

    if any(map(_has_bytes, parts(answer))):
        answer = dict(with_parts(answer, inside))
    if not may_have_hidden("".join(strings(answer))):
        return answer
    return dict(with_strings(answer, edit))


def _has_bytes(part: Part) -> bool:
    held = part.get("resource", part)
    return "data" in part or (isinstance(held, Mapping) and "blob" in held)


def _shortened(answer: dict[str, Any], limit: int, fits: Fits | None, done: Counter[str]) -> dict[str, Any]:
    shortening = Shortening(limit)
    answer = shortening.of(answer)
    if shortening.cut:
        done["truncated"] += shortening.cut
    if "structuredContent" in shortening.lost and fits is not None:
        raise Unredactable("its structured content is longer than what is let through, and can't be cut")
    return answer
