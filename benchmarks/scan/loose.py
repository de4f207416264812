"""For maintainers: each pattern as an automaton takes it (RE2), so that it matches wherever the pattern does.

What RE2 doesn't have, or means otherwise, is left out or made wider: edges of words, what must or mustn't stand
beside, classes of characters beyond ASCII. `python -m benchmarks.scan.needs` writes the table.
"""

from __future__ import annotations

import importlib
import re
import types
from collections.abc import Iterable
from typing import Any

from mcp_guard.inspection.scan.matching import Rule

_BEYOND = r"\x{80}-\x{10ffff}"
_WIDER = {
    "CATEGORY_WORD": r"\w" + _BEYOND,
    "CATEGORY_SPACE": r"\s\v\x{1c}-\x{1f}" + _BEYOND,
    "CATEGORY_DIGIT": r"\d" + _BEYOND,
    "CATEGORY_NOT_SPACE": r"\S",  # of what is beyond ASCII, all
}
_IN_A_NEGATION = {"CATEGORY_WORD": r"\w", "CATEGORY_SPACE": r" \t\n\r\f", "CATEGORY_DIGIT": r"\d"}
"""There less must be named for the class to be wider."""


def loose(pattern: str) -> str:
    """A pattern of RE2 that matches in every text in which `pattern` does. KeyError if it has something unknown."""
    return _sequence(_parser().parse(pattern, re.DOTALL))


def _parser() -> types.ModuleType:
    return importlib.import_module("re._parser")


def _sequence(tree: Iterable[Any]) -> str:
    return "".join(_item(str(op), value) for op, value in tree)


def _item(op: str, value: Any) -> str:
    if op in ("AT", "ASSERT", "ASSERT_NOT"):
        return ""
    if op == "LITERAL":
        return _literal(value)
    if op == "NOT_LITERAL":
        return f"[^{_literal(value)}]"
    if op == "ANY":
        return "(?s:.)"
    if op == "IN":
        return _class(value)
    if op == "SUBPATTERN":
        return f"(?:{_sequence(value[3])})"
    if op == "BRANCH":
        return f"(?:{'|'.join(_sequence(branch) for branch in value[1])})"
    if op in ("MAX_REPEAT", "MIN_REPEAT"):
        return _repeat(*value)
    raise KeyError(op)


def _literal(code: int) -> str:
    char = chr(code)
    return char if char.isalnum() or char == " " else f"\\x{{{code:x}}}"


def _class(members: Iterable[Any]) -> str:
    found = [(str(kind), value) for kind, value in members]
    negated = found[0][0] == "NEGATE"
    categories = _IN_A_NEGATION if negated else _WIDER
    inside = "".join(_member(kind, value, categories) for kind, value in found[negated:])
    return f"[{'^' if negated else ''}{inside}]"


def _member(kind: str, value: Any, categories: dict[str, str]) -> str:
    if kind == "CATEGORY":
        return categories[str(value)]
    if kind == "RANGE":
        return f"{_literal(value[0])}-{_literal(value[1])}"
    if kind == "LITERAL":
        return _literal(value)
    raise KeyError(kind)


def _repeat(least: int, most: Any, tree: Any) -> str:
    inside = _sequence(tree)
    if not inside:
        return ""
    until = "" if most is _parser().MAXREPEAT else str(int(most))
    return f"(?:{inside}){{{least},{until}}}"


def table(rules: Iterable[Rule]) -> str:
    """The module's text."""
    lines = []
    for rule in rules:
        lines.append(f'    "{rule.id}": (')
        lines += [f"        {loose(pattern)!r}," for pattern in rule.patterns]
        lines.append("    ),")
    return HEAD + "\n".join(lines) + "\n}\n"


HEAD = '''"""Each rule's patterns, loosened for an automaton. Made by `python -m benchmarks.scan.needs`.

Core. One matches wherever its pattern does, and in few texts besides; the pattern itself has the last word.
"""

# ruff: noqa: E501
# fmt: off
LOOSE: dict[str, tuple[str, ...]] = {
'''
