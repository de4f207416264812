"""Bytes of a document into plain values, each with the place where it stands.

YAML's surprises are closed off here, before anything reads meaning into a value: scalars follow YAML 1.2's core schema
narrowed further (`no`, `on`, `12:30` and `0644` are text), a key is text and stands once, and there are no anchors,
aliases, tags, directives or second documents. Built on the parser's events, not on its tree, so that depth is bounded
before it is built. Knows nothing of policies; guard.yaml may use it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from mcp_guard.errors import InputError
from mcp_guard.escaping import escaped
from mcp_guard.policy.yaml_scalars import Unclear, key_text, plain_value
from mcp_guard.policy.yaml_slips import hint_for

MAX_BYTES = 1_000_000
MAX_DEPTH = 32

Path = tuple[str | int, ...]
"""The keys and indices that lead to a value."""

Place = tuple[int, int]
"""Line and column, both counted from 1."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = re.compile(
    # What may not stand in YAML; what is a line end to YAML and nothing to an editor, so that a rule could stand behind
    # a `#`; and what makes an editor show a line in another order than it is read in.
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]|\r(?!\n)"
    "|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """A document's value with the places of its parts."""

    file: str
    value: Any
    values: dict[Path, Place] = field(repr=False)
    keys: dict[Path, Place] = field(repr=False)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where `path` stands, or where its nearest known part does: with `key`, the key and not its value."""
        if key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def part(self, path: Path) -> Source:
        """The value at `path` as a source of its own; errors about it keep the places in this file."""
        value, depth = self.value, len(path)
        for step in path:
            value = value[step]
        values = {at[depth:]: place for at, place in self.values.items() if at[:depth] == path}
        keys = {at[depth:]: place for at, place in self.keys.items() if at[:depth] == path and len(at) > depth}
        return Source(self.file, value, values, keys)

    def error(self, message: str, path: Path, hint: str = "", *, key: bool = False) -> InputError:
        """An error about the part at `path`: message, place, way out."""
        return input_error(self.file, message, self.place(path, key=key), hint)


def input_error(file: str, message: str, place: Place, hint: str = "") -> InputError:
    """`message (file:line:column); hint`, the one form that all errors of documents have."""
    text = f"{message} ({file}:{place[0]}:{place[1]})"
    return InputError(f"{text}; {hint}" if hint else text)


def read_yaml(data: bytes, file: str, *, loader: Any = _LOADER) -> Source:
    """Read one YAML document; raises `InputError` with file, line and column for the first thing that isn't plain.

    `loader` is PyYAML's parser in C where there is one; its twin in Python is slower and reads the same.
    """
    text = _decode(data, file)
    builder = _Builder(file, text, loader)
    try:
        return builder.document()
    except yaml.MarkedYAMLError as error:
        place, hint = hint_for(error, text)
        raise input_error(file, f"this isn't YAML: {error.problem or 'unreadable'}", place, hint) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise input_error(
            file, f"this isn't YAML ({type(error).__name__})", (1, 1), "write it anew as plain YAML"
        ) from None


def _decode(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise input_error(
            file, f"the file has more than {MAX_BYTES} bytes", (1, 1), "split it, or drop what isn't used"
        )
    try:
        text = data.decode("utf-8-sig")  # a byte order mark at the start is what some editors write
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        raise input_error(file, "this isn't UTF-8 text", _place_after(before), "save the file as UTF-8") from None
    bad = _CONTROL.search(text)
    if bad:
        message = f"control character U+{ord(bad.group()):04X}"
        raise input_error(
            file, message, _place_after(text[: bad.start()]), 'take it out, or write it as "\\u...." in quotes'
        )
    return text


def _place_after(text: str) -> Place:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


class _Builder:
    """Turns events into values; every refusal happens at the event that shows it."""

    def __init__(self, file: str, text: str, loader: Any) -> None:
        self._file = file
        self._events: Iterator[Any] = yaml.parse(text, Loader=loader)
        self._values: dict[Path, Place] = {}
        self._keys: dict[Path, Place] = {}

    def document(self) -> Source:
        next(self._events)  # the stream starts
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise input_error(self._file, "the file is empty", (1, 1), "a document starts with `version: 1`")
        if start.version is not None or start.tags:
            self._refuse(start, "a `%` directive", "take it out: documents are plain YAML")
        value = self._node(next(self._events), ())
        next(self._events)  # the document ends
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse(after, "a second document in one file", "keep one document a file; drop the `---`")
        return Source(self._file, value, self._values, self._keys)

    def _node(self, event: Any, path: Path) -> Any:
        self._values[path] = _place(event)
        self._plain_only(event)
        if len(path) > MAX_DEPTH:
            self._refuse(event, f"nested more than {MAX_DEPTH} levels deep", "flatten it")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event)

    def _mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in mapping:
                self._refuse(event, f"key {quoted(key)} stands here twice", "keep one of the two")
            here = (*path, key)
            self._keys[here] = _place(event)
            mapping[key] = self._node(next(self._events), here)
        return mapping

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _key(self, event: Any) -> str:
        self._plain_only(event)
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, "a key that isn't text", "a key is one word; a list or mapping stands after the `:`")
        if not event.implicit[0]:
            return str(event.value)
        try:
            return key_text(event.value)
        except Unclear as unclear:
            self._refuse(event, unclear.message, unclear.hint)

    def _scalar(self, event: Any) -> Any:
        if not event.implicit[0]:  # quoted, or a block: text, whatever it looks like
            return event.value
        try:
            return plain_value(event.value)
        except Unclear as unclear:
            self._refuse(event, unclear.message, unclear.hint)

    def _plain_only(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            star = f"*{event.anchor}"
            self._refuse(event, f"{quoted(star)} is a YAML alias", f'put a pattern in quotes: "{star}"')
        if event.anchor is not None:
            self._refuse(
                event, f"{quoted('&' + event.anchor)} is a YAML anchor", "put the text in quotes, or write it out"
            )
        if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(
            event.value
        ):  # only the parser in Python gets here
            self._refuse(event, "half a character (a lone surrogate)", "write the character itself")
        if event.tag is not None:
            self._refuse(event, f"{quoted(event.tag)} is a YAML tag", "put the text in quotes, or drop the tag")

    def _refuse(self, event: Any, message: str, hint: str) -> NoReturn:
        raise input_error(self._file, message, _place(event), hint)


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def quoted(text: object) -> str:
    """Input as an error shows it: in backticks, cut short, with nothing that a terminal would act on."""
    shown = escaped(str(text)[:60])
    return f"`{shown}…`" if len(str(text)) > 60 else f"`{shown}`"
