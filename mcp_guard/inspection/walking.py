"""All that a reader could read in a server's answer: its strings, and its parts, wherever they stand.

Core. A part is one block of `content` or `contents` (tool results, prompts, resources, tasks, sampling), a text, bytes
in base64, or a link. What changes is rebuilt; what doesn't change stays the very object that came (law 9).
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

Part = dict[str, Any]
_LISTS = ("content", "contents")
_PLAIN = ("structuredContent", "_meta")  # a key named `content` in these is the server's own

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"BM", "image"),
    (b"ID3", "audio"),
    (b"OggS", "audio"),
    (b"fLaC", "audio"),
    (b"\xff\xfb", "audio"),
)


def strings(value: Any) -> Iterator[str]:
    """Every string in it, names of members too."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def numbers(value: Any) -> Iterator[str]:
    """Every number in it, as it is written."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, int | float) and not isinstance(item, bool):
            yield repr(item)


def with_strings(value: Any, edit: Callable[[str], str]) -> Any:
    """The value with every string edited, names of members too; two names that become one are told apart."""
    if isinstance(value, str):
        return edit(value)
    if isinstance(value, list):
        items = [with_strings(item, edit) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    same, again = True, Counter[str]()
    for name, item in value.items():
        edited, new = edit(name), with_strings(item, edit)
        new_name = edited
        while new_name != name and (new_name in kept or new_name in value):  # counted: thousands can become one
            again[edited] += 1
            new_name = f"{edited}'{again[edited]}"
        same = same and new is item and new_name == name
        kept[new_name] = new
    return value if same else kept


def parts(value: Any) -> Iterator[Part]:
    """Every part, in reading order; a part within another one comes after it."""
    if isinstance(value, list):
        for item in value:
            yield from parts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in _LISTS:
                yield from (one for one in _listed(item) if isinstance(one, dict))
            if name not in _PLAIN:
                yield from parts(item)


def with_parts(value: Any, edit: Callable[[Part], Part]) -> Any:
    """The value with every part edited, in the order of `parts`."""
    if isinstance(value, list):
        items = [with_parts(item, edit) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        new = item
        if name in _LISTS:
            edited = [edit(one) if isinstance(one, dict) else one for one in _listed(item)]
            if any(one is not old for one, old in zip(edited, _listed(item), strict=True)):
                new = edited if isinstance(item, list) else edited[0]
        kept[name] = new if name in _PLAIN else with_parts(new, edit)
    return value if all(kept[name] is item for name, item in value.items()) else kept


def _listed(item: Any) -> list[Any]:
    return item if isinstance(item, list) else [item]


def holder(part: Part) -> Part:
    """What has the text or the bytes: the part, or the resource embedded in it."""
    inner = part.get("resource")
    return inner if isinstance(inner, dict) else part


def in_holder(part: Part, name: str, value: str) -> Part:
    """The part with another text or other bytes."""
    inner = {**holder(part), name: value}
    return {**part, "resource": inner} if isinstance(part.get("resource"), dict) else inner


def bytes_of(part: Part) -> tuple[str, bytes] | None:
    """The member that has bytes, and the bytes; None if it has none. Raises ValueError for what is no base64."""
    held = holder(part)
    for name in ("data", "blob"):
        if isinstance(held.get(name), str):
            return name, decoded(held[name])
    return None


def decoded(text: str) -> bytes:
    """Bytes in base64, of either alphabet, padded or not; ValueError for anything else."""
    plain = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def as_text(raw: bytes) -> tuple[str, str] | None:
    """Bytes as the text that they are, and its encoding; None if they are none."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8")):
        if raw.startswith(mark):
            try:
                text = raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            if "\x00" not in text:
                return text, encoding
    return None


def kinds(part: Part) -> set[str]:
    """What a part is: by what it says, and by its bytes. Of what nobody knows, its own word."""
    said = part.get("type", "text" if isinstance(part.get("text"), str) else "resource")
    if said == "resource_link":
        return {"link"}
    try:
        held = bytes_of(part)
    except ValueError:
        return {"what can't be read"}
    if held is None:
        return {"text"} if said in ("text", "resource") else {str(said)[:32]}
    mime = str(holder(part).get("mimeType", "")).partition("/")[0]
    claimed = said if said in ("image", "audio") else mime if mime in ("image", "audio", "text") else None
    looks = _looks(held[1])
    found = {looks, claimed} if claimed is not None else {looks}
    return found | ({"text"} if isinstance(holder(part).get("text"), str) else set())


def _looks(raw: bytes) -> str:
    if raw[:4] == b"RIFF" and raw[8:12] in (b"WEBP", b"WAVE"):
        return "image" if raw[8:12] == b"WEBP" else "audio"
    found = next((kind for magic, kind in _MAGIC if raw.startswith(magic)), None)
    return found or ("text" if as_text(raw) is not None else "binary")
