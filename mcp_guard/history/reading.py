"""What a tool's result gives, in slices that hold up nobody, and what a call carries with it, as units.

Core. The two aren't alike: what gives a source has to stand there whole and plain; what a call carries in counts
however it is written, since it only takes sources away.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import orjson

from mcp_guard.history.units import MAX_BITS, MAX_UNIT, NUMBER, TEXT, accounts_in, squeezed, unit_of, units_within
from mcp_guard.model import Json, Unit

SLICE = 8_192  # characters that one slice looks at: some milliseconds
MAX_DEPTH = 64
MAX_CARRIED = 4_000  # units of one call; what carries more counts as carrying everything
MAX_CARRIED_TEXT = 65_536  # characters of one call's arguments that are looked at in full
MAX_ECHO = 400  # units of one call; the result of a call that says more than that may be all its own words
MAX_PARTS = 16  # between marks, of what may be one value
LONG_TEXT = 4_096  # characters; the plain words of a longer text aren't listed one by one

_ID_FIELD = re.compile(
    r"(?:.*[_.-])?(?:id|ids|uid|uuid|guid|key|ref|number|no|num|nr|account|code)|.*[a-z](?:Id|ID|Ids|Ref|No)",
    re.ASCII,
)
_LABELLED = re.compile(r"[ \t>*-]*(?:\"?([\w .-]{1,40})\"?[:=][ \t]+)?(.*)")
_MARKS = re.compile(r"[,;|<>(){}\[\]\"'`=\t\r\n]+")
_LINES = re.compile(r"[\r\n]+")
_LINE = re.compile(r"[^\r\n]+")
_CODED = re.compile(r"[A-Za-z0-9+/_-]{2,}={0,2}")


@dataclass(frozen=True, slots=True)
class Given:
    """One unit that a result holds. `anywhere`: it counts for the tool as a whole, else for its field alone."""

    unit: Unit
    path: tuple[str, ...] = ()  # the names of the fields around it, outermost first; positions in lists left out
    whole: bool = True  # it is all that the field holds
    anywhere: bool = True


@dataclass(frozen=True, slots=True)
class Carried:
    """What a call carries, each as `squeezed`. `words`: plain words, too many to list; `everything`: more than fits."""

    forms: frozenset[str] = frozenset()
    words: bool = False
    everything: bool = False


def given(result: Mapping[str, Json]) -> Iterator[list[Given]]:
    """The units of a tool's result, slice by slice: one that has none says only that others may go on.

    Text that is JSON is read as JSON; other text has no fields.
    """
    pending: list[Given] = []
    seen = 0
    for path, leaf in _leaves_of_result(result):
        for piece in _cut(leaf) if isinstance(leaf, str) else [leaf]:
            pending += _units_of(path, piece, whole=piece is leaf)
            seen += len(piece) + 32 if isinstance(piece, str) else 32
            if seen >= SLICE:
                yield pending
                pending, seen = [], 0
    if pending:
        yield pending


def _leaves_of_result(result: Mapping[str, Json]) -> Iterator[tuple[tuple[str, ...] | None, Json]]:
    if "structuredContent" in result:
        yield from _leaves(result["structuredContent"], ())
    content = result.get("content")
    for block in content if isinstance(content, list) else ():
        text = block.get("text") if isinstance(block, Mapping) and block.get("type") == "text" else None
        if isinstance(text, str):
            yield from _leaves_of_text(text)


def _leaves_of_text(text: str) -> Iterator[tuple[tuple[str, ...] | None, Json]]:
    read = _as_json(text)
    if read is not None:
        yield from _leaves(read, ())
        return
    for line in _LINE.finditer(text):
        yield None, line[0]


def _as_json(text: str) -> Json | None:
    """An object or a list; other JSON is read as plain text."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(stripped)
    except orjson.JSONDecodeError:
        return None


def _leaves(value: Json, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Every leaf, and of each object and list a `None`: millions of empty ones are work, too.

    As many steps of the path are held as it is deep, and not one for each of a million members.
    """
    stack: list[Iterator[tuple[tuple[str, ...], Json]]] = [iter([(path, value)])]
    while stack:
        following = next(stack[-1], None)
        if following is None:
            stack.pop()
            continue
        at, found = following
        if isinstance(found, Mapping):
            stack.append(_members(at, found) if len(at) < MAX_DEPTH else iter(()))
            yield at, None
        elif isinstance(found, list):
            stack.append(_items(at, found))
            yield at, None
        else:
            yield at, found


def _members(at: tuple[str, ...], found: Mapping[str, Json]) -> Iterator[tuple[tuple[str, ...], Json]]:
    return (((*at, str(name)), inner) for name, inner in found.items())


def _items(at: tuple[str, ...], found: list[Json]) -> Iterator[tuple[tuple[str, ...], Json]]:
    return ((at, inner) for inner in found)


def _cut(text: str) -> list[str]:
    """A long text in pieces that end between words; what stands across an end is no whole unit, and gives nothing."""
    if len(text) <= SLICE:
        return [text]
    pieces, start = [], 0
    while start < len(text):
        end = min(start + SLICE, len(text))
        if end < len(text):
            space = text.rfind(" ", start + SLICE // 2, end)
            end = space if space > 0 else end
        pieces.append(text[start:end])
        start = end
    return pieces


def _units_of(path: tuple[str, ...] | None, leaf: Json, *, whole: bool) -> Iterator[Given]:
    fields = path or ()
    if path is None and isinstance(leaf, str):  # a line of plain text: itself, and what stands behind its label
        yield from _units_of_line(leaf) if whole else ()
    else:
        unit = unit_of(leaf) if whole else None
        if unit is not None:
            # A count or a size may happen to be the number of something: without a field's name, only ids count.
            is_id = unit.kind != NUMBER or (bool(fields) and _ID_FIELD.fullmatch(fields[-1]) is not None)
            yield Given(unit, fields, anywhere=is_id)
    if isinstance(leaf, str) and len(leaf) > 5:
        yield from (Given(unit, fields, whole=False) for unit in units_within(leaf))


def _units_of_line(line: str) -> Iterator[Given]:
    """A line of plain text: itself, and what stands behind its label. A label is no field, which anybody could forge
    within a text; it only tells an id from a count, as the name of a field would."""
    labelled = _LABELLED.fullmatch(line)
    label, behind = labelled.groups() if labelled else (None, "")
    behind = behind.strip(" \t\"'")
    for text in dict.fromkeys([line.strip(), behind]):
        unit = unit_of(text)
        is_id = label is not None and text == behind and _ID_FIELD.fullmatch(label.strip()) is not None
        if unit is not None and (unit.kind != NUMBER or is_id):
            yield Given(unit)


# --- what a call carries ---


def carried_by(params: Mapping[str, Json]) -> Carried:
    """All that a call carries to its server, whichever way it is written: as it is, in parts of a text, encoded."""
    texts = [_text(leaf) for leaf in _all_leaves(params)]
    if sum(map(len, texts)) > MAX_CARRIED_TEXT:
        return Carried(everything=True)
    forms: set[str] = set()
    words = False
    for text in texts:
        long = len(text) > LONG_TEXT
        words = words or long
        for form in _forms(text, plain_words=not long):
            if form:
                forms.add(form)
        if len(forms) > MAX_CARRIED:
            return Carried(everything=True)
    return Carried(frozenset(forms), words)


def _all_leaves(value: Json) -> Iterator[Json]:
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, Mapping):
            stack.extend(found.values())
            stack.extend(found.keys())
        elif isinstance(found, list):
            stack.extend(found)
        elif found is not None and not isinstance(found, bool):
            yield found


def _text(leaf: Json) -> str:
    """Python refuses to write a huge number in decimal digits."""
    huge = type(leaf) is int and leaf.bit_length() > MAX_BITS
    return leaf if isinstance(leaf, str) else hex(leaf) if huge else str(leaf)


def _forms(text: str, *, plain_words: bool) -> Iterator[str]:
    unit = unit_of(text)
    if unit is not None:
        yield squeezed(unit.text)
    if len(text) <= MAX_UNIT:
        yield squeezed(text)
    yield from (squeezed(found.text) for found in units_within(text))
    yield from (squeezed(text[start:end]) for start, end in accounts_in(text))
    for line in _LINES.split(text):
        if len(line) <= MAX_UNIT:
            labelled = _LABELLED.fullmatch(line)
            yield squeezed(line)
            yield squeezed(labelled[2]) if labelled else ""
    for piece in _MARKS.split(text):
        if len(piece) <= MAX_UNIT and (plain_words or not piece.isalpha()):
            yield squeezed(piece)
    for token in text.split():
        if plain_words or not token.isalpha():
            yield from _spans(token)
    for match in _CODED.finditer(text):
        if plain_words or not match[0].isalpha():
            yield from _decoded(match[0])


def _spans(token: str) -> Iterator[str]:
    """All that may be one value in a text without a space: a URL in a line of CSV may have a comma, too."""
    parts = [squeezed(part) for part in _MARKS.split(token[: 4 * MAX_UNIT])]
    for start in range(len(parts)):
        span = ""
        for part in parts[start : start + MAX_PARTS]:
            span += part
            yield span


def _decoded(text: str) -> Iterator[str]:
    """What base64 or hexadecimal digits stand for, where that is plain text."""
    if len(text) > 4 * MAX_UNIT:
        return
    for raw in (_base64(text), _hex(text)):
        if raw:
            try:
                yield squeezed(raw.decode())
            except UnicodeDecodeError:
                continue


def _base64(text: str) -> bytes:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def echoes(form: str, carried: Carried, joined: str) -> bool:
    """Does a unit of the call's own result say only what the call said? `joined`: all forms, one after another."""
    if carried.everything or len(carried.forms) > MAX_ECHO or form in carried.forms:
        return True
    if len(form) > 3 and form in joined:
        return True
    return _covered(form, carried.forms)


def _covered(form: str, forms: Collection[str]) -> bool:
    """Is it put together from pieces that the call carried (`DE12`, `3456`)?"""
    pieces = sorted((one for one in forms if 1 < len(one) < len(form) and one in form), key=len, reverse=True)
    left = form
    for piece in pieces:
        left = left.replace(piece, "\0")
    return bool(pieces) and len(left.replace("\0", "")) < 3


def is_word(unit: Unit) -> bool:
    """Is it of the kind that a long text can't be searched for: words alone?"""
    return unit.kind == TEXT
