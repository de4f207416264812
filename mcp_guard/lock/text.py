"""`guard.lock` as text and back.

Core. Strict: what isn't exactly what `mcp-guard lock` would write is refused, with file, line and column, since a line
that means something else to a reviewer than to the guard is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mcp_guard.errors import InputError
from mcp_guard.lock.blocks import Block, Parsed, Path, Value, error, parse, written
from mcp_guard.lock.pins import Pin, PinKind
from mcp_guard.lock.servers import Identity, Lock, ServerPin, Strength

HEADER = (
    "# What each tool server offered when a person looked: written by `mcp-guard lock`.",
    "# A change here is a change of what an assistant may be told and may do: review it like code.",
)
VERSION = 1
MAX_BYTES = 32 << 20
_KINDS = {"tools": PinKind.TOOL, "prompts": PinKind.PROMPT, "templates": PinKind.TEMPLATE}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SEEN_LINES = ("title", "description")
_SEEN_VALUES = ("annotations", "required", "schema")
_OF_PIN = {"digest", "likeness", "parts", "arguments", *_SEEN_LINES, *_SEEN_VALUES}
_OF_SERVER = {"command", "url", "identity", "says", "protocol", "instructions", *_KINDS}


def lock_text(lock: Lock) -> str:
    """The whole file."""
    block: Block = {"version": Value(VERSION)}
    if lock.servers:
        block["servers"] = {name: _server(pin) for name, pin in lock.servers.items()}
    return "\n".join([*HEADER, *written(block), ""])


def read_lock(data: bytes, file: str) -> Lock:
    """The lock in a file's bytes. Raises InputError with file, line and column."""
    if len(data) > MAX_BYTES:
        raise InputError(f"{file} is larger than {MAX_BYTES >> 20} MiB; make it anew with `mcp-guard lock`")
    try:
        text = data.decode()
    except UnicodeDecodeError as wrong:
        raise error(file, "not UTF-8", data[: wrong.start].count(b"\n") + 1) from None
    parsed = parse(text, file)
    reader = _Reader(parsed)
    lock = reader.lock()
    expected = lock_text(lock)
    if text != expected:
        ours, theirs = expected.split("\n"), text.split("\n")
        at = next((n for n, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), len(ours) - 1)
        raise error(file, "this isn't how `mcp-guard lock` writes it; let it write the file anew", at + 1)
    return lock


def _server(pin: ServerPin) -> Block:
    block: Block = {
        "identity": Value({"of": pin.identity.of, "strength": pin.identity.strength.value}),
        "says": Value(list(pin.says)),
        "protocol": Value(pin.protocol),
    }
    block |= {"url": Value(pin.url)} if pin.url else {"command": Value(list(pin.command))}
    if pin.instructions:
        block["instructions"] = {"digest": Value(pin.instructions), "text": list(pin.instructions_seen) or Value([])}
    for name, kind in _KINDS.items():
        things = {one.name: _pin(one) for one in pin.pins.values() if one.kind is kind}
        if things:
            block[name] = things
    return block


def _pin(pin: Pin) -> Block:
    block: Block = {"digest": Value(pin.digest)}
    if pin.parts:
        block["parts"] = Value(dict(pin.parts))
    if pin.likeness:
        block["likeness"] = Value(pin.likeness)
    for name, value in (pin.seen or {}).items():
        if name in _SEEN_LINES:
            block[name] = value
        elif name == "arguments":
            block[name] = {argument: Value(schema) for argument, schema in value.items()}
        else:
            block[name] = Value(value)
    return block


class _Reader:
    """From the parsed lines to a lock; every key that isn't known is an error where it stands."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed

    def lock(self) -> Lock:
        top = self._parsed.block
        self._known((), top, {"version", "servers"})
        if self._value(("version",)) != VERSION:
            raise self._wrong("`version` is not 1: it is of another mcp-guard, or no lock", ("version",))
        servers = self._block(("servers",)) if "servers" in top else {}
        return Lock({name: self._server(name) for name in servers}, self._parsed.file)

    def _server(self, name: str) -> ServerPin:
        at: Path = ("servers", name)
        block = self._block(at)
        self._known(at, block, _OF_SERVER)
        if ("command" in block) == ("url" in block):
            raise self._wrong("a server has `command` or `url`, and not both", at)
        identity = self._value((*at, "identity"))
        if not isinstance(identity, dict) or identity.get("strength") not in set(Strength):
            raise self._wrong("`identity` is not one that this mcp-guard knows", (*at, "identity"))
        says = self._texts((*at, "says"))
        pins = {}
        for key, kind in _KINDS.items():
            for thing in self._block((*at, key)) if key in block else ():
                pins[kind, thing] = self._pin((*at, key, thing), kind)
        digest, seen = "", list[str]()
        if "instructions" in block:
            told = (*at, "instructions")
            self._known(told, self._block(told), {"digest", "text"})
            digest, seen = self._digest((*told, "digest")), self._lines((*told, "text"))
        return ServerPin(
            name,
            tuple(self._texts((*at, "command"))) if "command" in block else (),
            self._text((*at, "url")) if "url" in block else "",
            Identity(Strength(identity["strength"]), str(identity.get("of"))),
            (says[0], says[1]) if len(says) == 2 else ("", ""),
            self._text((*at, "protocol")),
            digest,
            tuple(seen),
            pins,
        )

    def _pin(self, at: Path, kind: PinKind) -> Pin:
        block = self._block(at)
        self._known(at, block, _OF_PIN)
        seen: dict[str, Any] = {name: self._lines((*at, name)) for name in _SEEN_LINES if name in block}
        seen |= {name: self._value((*at, name)) for name in _SEEN_VALUES if name in block}
        if "arguments" in block:
            seen["arguments"] = {
                name: self._value((*at, "arguments", name)) for name in self._block((*at, "arguments"))
            }
        parts = self._value((*at, "parts")) if "parts" in block else {}
        if not isinstance(parts, dict) or not all(isinstance(one, str) for one in parts.values()):
            raise self._wrong("`parts` is not digests by name", (*at, "parts"))
        likeness = self._text((*at, "likeness")) if "likeness" in block else ""
        return Pin(kind, at[-1], self._digest((*at, "digest")), parts, likeness, seen)

    def _known(self, at: Path, block: Mapping[str, Any], names: set[str]) -> None:
        for name in block:
            if name not in names:
                raise self._wrong(f"unknown key `{name[:64]}`", (*at, name))

    def _found(self, at: Path) -> Any:
        level: Any = self._parsed.block
        for key in at:
            if not isinstance(level, dict) or key not in level:
                raise self._wrong(f"`{key[:64]}` is missing", at)
            level = level[key]
        return level

    def _block(self, at: Path) -> Block:
        found = self._found(at)
        if not isinstance(found, dict):
            raise self._wrong(f"`{at[-1][:64]}` has keys of its own", at)
        return found

    def _value(self, at: Path) -> Any:
        found = self._found(at)
        if not isinstance(found, Value):
            raise self._wrong(f"`{at[-1][:64]}` is one value, on its own line", at)
        return found.json

    def _lines(self, at: Path) -> list[str]:
        found = self._found(at)
        if isinstance(found, Value) and found.json == []:
            return []
        if not isinstance(found, list):
            raise self._wrong(f"`{at[-1][:64]}` is a list of lines", at)
        return found

    def _text(self, at: Path) -> str:
        found = self._value(at)
        if not isinstance(found, str):
            raise self._wrong(f"`{at[-1][:64]}` is a text", at)
        return found

    def _texts(self, at: Path) -> list[str]:
        found = self._value(at)
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self._wrong(f"`{at[-1][:64]}` is a list of texts", at)
        return found

    def _digest(self, at: Path) -> str:
        found = self._text(at)
        if not _DIGEST.fullmatch(found):
            raise self._wrong("a digest has 64 digits, 0 to 9 and a to f", at)
        return found

    def _wrong(self, message: str, at: Path) -> InputError:
        return self._parsed.error(message, at)
