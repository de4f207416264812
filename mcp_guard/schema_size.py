"""How much work a server's own schema can make of one value: a few lines of `$ref` can stand for years of it.

Core. `{allOf: [{$ref: b}, {$ref: b}]}`, where `b` says the same of `c` and so on, doubles with each step, and the guard
would check it in its only thread. Only what applies to one and the same value is counted: what descends into members is
bounded by the value that a client sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

LIMIT = 10_000
"""Subschemas that may apply to one value."""
_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("not", "if", "then", "else")
_NAMED = ("dependentSchemas", "dependencies")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def is_too_much(schema: Mapping[str, Any]) -> bool:
    """Can more than `LIMIT` subschemas of this schema apply to one value? Unclear counts as yes."""
    sizes = _Sizes(schema)
    return any(sizes.of(node, frozenset()) > LIMIT for node in sizes.nodes)


class _Sizes:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._known: dict[int, int] = {}
        self.nodes = list(_objects(root))
        self._anchors = {
            name: node
            for node in self.nodes
            for key in ("$anchor", "$dynamicAnchor")
            if isinstance(name := node.get(key), str)
        }
        self._has_bases = any("$id" in node or "id" in node for node in self.nodes if node is not root)

    def of(self, node: Any, above: frozenset[int]) -> int:
        """How many subschemas apply where `node` does, itself included. A loop counts once: validators stop there."""
        if not isinstance(node, Mapping):
            return 1
        key = id(node)
        if key in above:
            return 1
        if key not in self._known:
            size, inside = 1, above | {key}
            for applied in self._applied(node):
                size += LIMIT + 1 if applied is _UNCLEAR else self.of(applied, inside)
                if size > LIMIT:
                    break
            self._known[key] = size
        return self._known[key]

    def _applied(self, node: Mapping[str, Any]) -> Iterator[Any]:
        for key in _LISTS:
            if isinstance(listed := node.get(key), list):
                yield from listed
        for key in _SINGLE:
            if key in node:
                yield node[key]
        for key in _NAMED:
            if isinstance(named := node.get(key), Mapping):
                yield from named.values()
        for key in _REFERENCES:
            if isinstance(reference := node.get(key), str):
                yield self._target(reference)

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#"):
            return _UNCLEAR if self._has_bases else {}  # elsewhere: never fetched, so a meta-schema or an error
        if not reference.startswith("#/"):
            return self._root if reference == "#" else self._anchors.get(reference[1:], {})
        node: Any = self._root
        for step in reference[2:].split("/"):
            step = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(node, Mapping):
                node = node.get(step)
            elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
                node = node[int(step)]
            else:
                return {}
        return node


_UNCLEAR = object()


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
