"""Secrets taken out of a server's answer, wherever they stand in it.

Core. What is looked through: every string and every member's name, texts that follow one another as one text, base64
(of a part, or a run of it in a string; one layer), text behind characters that nobody sees. What was found once is
taken out everywhere: as it is, with white space in it, escaped, percent-encoded, in base64. A server that wants a
secret through can still disguise it (turned around, in another cipher): this is for secrets that lie about.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any
from urllib.parse import quote

from mcp_guard.inspection.secrets import Finder, Found, expression, finder, merged, plain
from mcp_guard.inspection.walking import (
    Part,
    as_text,
    bytes_of,
    decoded,
    holder,
    in_holder,
    kinds,
    numbers,
    parts,
    strings,
    with_parts,
    with_strings,
)

MAX_REMEMBERED = 32
"""Different secrets of one answer that are looked for in other forms, too."""
MIN_REMEMBERED = 6
"""Characters: a shorter one would be taken out of ordinary words."""
MAX_SPREAD = 128
"""Characters of a secret that is looked for with white space in it; a longer one only as it is."""
MAX_REWRITTEN = 16_384
"""Characters of a secret that is looked for in other forms at all; a longer one is taken out where it lies about."""
_LONGEST_LINE, _SHORTEST_LINE = 76, 60  # of base64 that is wrapped over lines
_ALPHABET = "[A-Za-z0-9+/_-]"
_RUNS = (
    f"(?:{_ALPHABET}{{{_SHORTEST_LINE},{_LONGEST_LINE}}}\\r?\\n)+{_ALPHABET}{{1,{_LONGEST_LINE}}}={{0,2}}"
    f"|{_ALPHABET}{{24,}}={{0,2}}"
)


class Unredactable(Exception):
    """A secret stands where nothing can be taken out; its text says where."""


@dataclass(slots=True)
class Redaction:
    """One answer's redaction; `done` counts what was taken out by its kind."""

    patterns: tuple[tuple[str, str], ...] = ()
    done: Counter[str] = field(default_factory=Counter)
    _known: dict[str, str] = field(default_factory=dict)  # the secrets that were found, and their kinds
    _again: Finder | None = None  # finds them in other forms

    def of(self, answer: Any) -> Any:
        """The answer without secrets; the very same object if there are none. Raises Unredactable."""
        found = finder(self.patterns)
        if self.patterns and _has_number(answer, found):
            raise Unredactable("a number in it is what must not be shown")
        pieces = list(parts(answer))
        joined = "\n".join(strings(answer))
        following = [text for text in (holder(part).get("text") for part in pieces) if isinstance(text, str)]
        whole = "".join(following) if len(following) > 1 else ""
        inside = [text for _, text in runs(joined)]
        in_parts = [text for text in map(_inner_text, pieces) if text is not None]
        if not any(map(found.suspects, (joined, whole, *inside, *in_parts))):
            return answer
        for text in (*strings(answer), whole, *inside, *in_parts):
            self._learn(text, found.find(text))
        forms = [form for one in list(self._known.items())[:MAX_REMEMBERED] for form in _forms(*one)]
        self._again = Finder(tuple(forms), also_known=False) if forms else None
        answer = with_parts(answer, _Sequence(found.find(whole), self.done).edit) if whole else answer
        answer = with_parts(answer, lambda part: self._part(part, found))
        return with_strings(answer, lambda text: self._text(text, found))

    def _learn(self, text: str, found: list[Found]) -> None:
        for start, end, kind in found:
            self._known.setdefault("".join(text[start:end].split()), kind)

    def _text(self, text: str, found: Finder) -> str:
        spans = found.find(text)
        if self._again is not None:
            spans += self._again.find(text)
        for (start, end), inner in runs(text):
            spans += [(start, end, kind) for _, _, kind in found.find(inner)[:1]]
        return self._without(text, spans)

    def _without(self, text: str, spans: list[Found]) -> str:
        if not spans:
            return text
        left, at = [], 0
        for start, end, kind in merged(spans):
            left += [text[at:start], f"[redacted: {kind}]"]
            at = end
            self.done[kind] += 1
        return "".join([*left, text[at:]])

    def _part(self, part: Part, found: Finder) -> Part:
        """A part with bytes: text in base64 is redacted and written anew; other bytes go, or stay, as a whole."""
        try:
            held = bytes_of(part)
        except ValueError:
            return part  # its string is looked at like any other
        if held is None:
            return part
        name, raw = held
        text = as_text(raw)
        if text is None:
            hit = found.find(raw.decode("latin-1"))
            return part if not hit else self._gone(part, hit[0][2])
        said, encoding = text
        kept = self._text(said, found)
        if kept == said:
            return part
        return in_holder(part, name, base64.b64encode(kept.encode(encoding)).decode())

    def _gone(self, part: Part, kind: str) -> Part:
        self.done[kind] += 1
        return instead(part, f"[redacted: {'/'.join(sorted(kinds(part)))} with {kind}]")


@dataclass(slots=True)
class _Sequence:
    """Secrets that go from one text into the next: each text loses its piece. Texts and secrets come in order."""

    spans: list[Found]
    done: Counter[str]
    _begins: int = 0  # where the next text begins in all of them
    _next: int = 0  # the first secret that may reach into it

    def edit(self, part: Part) -> Part:
        text = holder(part).get("text")
        if not isinstance(text, str):
            return part
        begins, self._begins = self._begins, self._begins + len(text)
        while self._next < len(self.spans) and self.spans[self._next][1] <= begins:
            self._next += 1
        pieces, at = [], 0
        for start, end, kind in islice(self.spans, self._next, None):
            first, last = start - begins, end - begins
            if first >= len(text):
                break
            if first >= 0 and last <= len(text):
                continue  # within one text, which is looked at by itself
            self.done[kind] += first >= 0
            pieces += [text[at : max(first, 0)], f"[redacted: {kind}]" if first >= 0 else ""]
            at = min(last, len(text))
        return in_holder(part, "text", "".join([*pieces, text[at:]])) if pieces else part


def instead(part: Part, mark: str) -> Part:
    """A mark in the place of a part: a text block, or the text of a resource that was read."""
    if "type" in part:
        return {"type": "text", "text": mark}
    return {**({"uri": part["uri"]} if "uri" in part else {}), "mimeType": "text/plain", "text": mark}


def _inner_text(part: Part) -> str | None:
    """What the bytes of a part say, read as text, or byte by byte."""
    try:
        held = bytes_of(part)
    except ValueError:
        return None
    if held is None:
        return None
    text = as_text(held[1])
    return held[1].decode("latin-1") if text is None else text[0]


def runs(text: str) -> Iterator[tuple[tuple[int, int], str]]:
    """Runs of base64 in a text that decode to text, each with its place."""
    for match in _run_expression().finditer(plain(text)):
        try:
            inner = as_text(decoded(match.group()))
        except ValueError:
            continue
        if inner is not None:
            yield match.span(), inner[0]


@cache
def _run_expression() -> Any:
    return expression(_RUNS)


def _has_number(answer: Any, found: Finder) -> bool:
    each = list(numbers(answer))
    return found.suspects("\n".join(each)) and any(map(found.find, each))


def _forms(secret: str, kind: str) -> Iterator[tuple[str, str]]:
    """Kind and expression for each way in which a secret that was found may stand elsewhere."""
    if not MIN_REMEMBERED <= len(secret) <= MAX_REWRITTEN:
        return
    forms = {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), *_in_base64(secret)}
    written = [re.escape(form) for form in sorted(forms)]
    if len(secret) <= MAX_SPREAD:
        written.append("\\s*".join(map(re.escape, secret)))
    yield from ((kind, one) for one in written)


def _in_base64(secret: str) -> Iterator[str]:
    """How it looks inside of base64, wherever in a group of three bytes it begins; of both alphabets."""
    raw = secret.encode("utf-8", "replace")
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        inner = text[-(-offset * 8 // 6) : len(text) - (1 if (offset + len(raw)) % 3 else 0)]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
