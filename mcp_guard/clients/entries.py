"""A table of servers, as JSON or TOML gave it, into entries: the types checked, each client's own keys understood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcp_guard.clients.faults import quoted
from mcp_guard.clients.model import Entry, Shape
from mcp_guard.errors import InputError

Path = tuple[str, ...]
Wrong = Callable[[Path, str, str], InputError]
"""Makes the error about the part at a path below the table: path, message, hint."""


def entry(name: str, value: Any, shape: Shape, wrong: Wrong, place: tuple[int, int]) -> Entry:
    """One server. Raises what `wrong` makes for the first part of a type that no client takes."""
    if not isinstance(value, Mapping):
        raise wrong((name,), f"the server {quoted(name)} must be {_CALLED[dict]}", "write its command in it")
    return _Reader(name, value, shape, wrong).entry(place)


_CALLED: dict[type, str] = {
    dict: "an object of keys and values",
    list: "a list of texts",
    str: "text",
    bool: "true or false",
}


class _Reader:
    def __init__(self, name: str, members: Mapping[str, Any], shape: Shape, wrong: Wrong) -> None:
        self._name = name
        self._members = members
        self._shape = shape
        self._wrong = wrong
        self._read: set[str] = set()

    def entry(self, place: tuple[int, int]) -> Entry:
        shape, nested = self._shape, self._members.get("command")
        if shape.nested_command and isinstance(nested, Mapping):
            program, args, env = self._nested(nested)
        else:
            program, args = self._text("command"), self._texts("args")
            env = self._environment("env")
        cwd = self._text(shape.cwd) if shape.cwd else None
        addresses = [self._text(key) for key in shape.url]
        headers = {key: value for name in shape.headers for key, value in self._environment(name).items()}
        disabled = bool(self._flag(shape.disabled)) or self._flag(shape.enabled) is False
        if shape.type:
            self._text(shape.type)
        return Entry(
            name=self._name,
            program=program,
            args=args,
            env=env,
            cwd=cwd,
            url=next((address for address in addresses if address is not None), None),
            headers={key: value or "" for key, value in headers.items()},
            disabled=disabled,
            others={key: value for key, value in self._members.items() if key not in self._read},
            members=dict(self._members),
            place=place,
        )

    def _nested(self, command: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...], Mapping[str, str | None]]:
        inner = _Reader(
            self._name, command, self._shape, lambda path, *said: self._wrong((self._name, "command", *path[1:]), *said)
        )
        self._read.add("command")
        return inner._text("path"), inner._texts("args"), inner._environment("env")

    def _text(self, key: str) -> str | None:
        value = self._take(key)
        if value is not None and not isinstance(value, str):
            raise self._type(key, str)
        return value

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self._take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._type(key, list)
        return tuple(value)

    def _environment(self, key: str) -> dict[str, str | None]:
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self._type(key, dict)
        for name, one in value.items():
            if one is not None and not isinstance(one, str | int | float):
                raise self._wrong(
                    (self._name, key, name), f"{quoted(name)} in `{key}` must be text", "put it in quotes"
                )
        return {name: one if one is None or isinstance(one, str) else _plain(one) for name, one in value.items()}

    def _flag(self, key: str | None) -> bool | None:
        value = self._take(key) if key else None
        if value is not None and not isinstance(value, bool):
            raise self._type(str(key), bool)
        return value

    def _take(self, key: str) -> Any:
        self._read.add(key)
        return self._members.get(key)

    def _type(self, key: str, kind: type) -> InputError:
        message = f"`{key}` of the server {quoted(self._name)} must be {_CALLED[kind]}"
        return self._wrong((self._name, key), message, "write it as the client's documentation does")


def _plain(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
