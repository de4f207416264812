"""Regular expressions of `matches` as trees, for comparing what they match.

Core. Reads the part of the syntax that documents use: literals, classes, groups, `|`, repetition. Whatever else there
is (an anchor, `\\b`, `\\p{..}`, nested classes) is no tree, and a comparison then knows the pattern by its text only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Sorted, disjoint, inclusive ranges of code points."""

MAX_REPEAT = 200  # `x{n}` is n copies; more isn't worth the states

EVERY: Ranges = ((0, 0xD7FF), (0xE000, 0x10FFFF))  # lone surrogates match nothing
_DIGIT: Ranges = ((0x30, 0x39),)
_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Ranges = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_NAMED = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}
_PUNCTUATION = frozenset("\\.+*?()|[]{}^$#&-~/ !\"%',:;<=>@_`")
_OUTSIDE = frozenset("^$*+?{}")


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of these."""

    ranges: Ranges
    negated: bool = False  # written as a complement: letter case then isn't monotone


@dataclass(frozen=True, slots=True)
class Seq:
    """All of these, one after the other."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """One of these."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """From `low` to `high` times; None is any number."""

    part: Tree
    low: int
    high: int | None


Tree: TypeAlias = Chars | Seq | Alt | Repeat


def literal(text: str) -> Seq:
    """Exactly this text."""
    return Seq(tuple(Chars(((ord(character), ord(character)),)) for character in text))


def read_pattern(pattern: str) -> Tree | None:
    """The tree of a pattern that a document may hold; None if it uses what isn't known here."""
    reader = _Reader(pattern)
    try:
        tree = reader.alternatives()
    except (_Unknown, RecursionError):
        return None
    return tree if reader.at == len(pattern) else None


def longest(tree: Tree) -> int | None:
    """How many characters a match has at most; None if there is no end."""
    match tree:
        case Chars():
            return 1
        case Seq(parts):
            lengths = [longest(part) for part in parts]
            return None if None in lengths else sum(length for length in lengths if length is not None)
        case Alt(parts):
            lengths = [longest(part) for part in parts]
            return None if None in lengths else max(length for length in lengths if length is not None)
        case Repeat(part, _, high):
            length = longest(part)
            return 0 if length == 0 else None if length is None or high is None else length * high


def has_complement(tree: Tree) -> bool:
    """Does it name characters by what they aren't?"""
    match tree:
        case Chars(_, negated):
            return negated
        case Seq(parts) | Alt(parts):
            return any(has_complement(part) for part in parts)
        case Repeat(part, _, _):
            return has_complement(part)


def complement(ranges: Ranges) -> Ranges:
    """Every character that isn't in `ranges`."""
    found: list[tuple[int, int]] = []
    for low, high in EVERY:
        at = low
        for first, last in ranges:
            if last < at or first > high:
                continue
            if first > at:
                found.append((at, first - 1))
            at = last + 1
        if at <= high:
            found.append((at, high))
    return tuple(found)


class _Unknown(Exception):
    pass


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0

    def alternatives(self) -> Tree:
        parts = [self.sequence()]
        while self._take("|"):
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else Alt(tuple(parts))

    def sequence(self) -> Tree:
        parts: list[Tree] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self.repeated())
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def repeated(self) -> Tree:
        tree = self.atom()
        while (bounds := self._bounds()) is not None:
            self._take("?")  # lazy: the same texts
            tree = Repeat(tree, *bounds)
        return tree

    def atom(self) -> Tree:
        if self._take("("):
            if self._take("?") and not self._take(":"):
                raise _Unknown
            tree = self.alternatives()
            self._need(")")
            return tree
        if self._take("["):
            return self.char_class()
        if self._take("."):
            return Chars(complement(((0x0A, 0x0A),)))
        if self._take("\\"):
            ranges, negated = self.escape()
            return Chars(ranges, negated)
        character = self._next()
        if character in _OUTSIDE:
            raise _Unknown
        return Chars(((ord(character), ord(character)),))

    def char_class(self) -> Chars:
        negated, ranges = self._take("^"), list[tuple[int, int]]()
        if self.text[self.at : self.at + 1] == "]":  # read in two ways by different engines
            raise _Unknown
        while not self._take("]"):
            first, complemented = self._member()
            if complemented:
                raise _Unknown
            if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] != "]":
                self.at += 1
                last, _ = self._member()
                if not (_is_one(first) and _is_one(last)) or last[0][0] < first[0][0]:
                    raise _Unknown
                ranges.append((first[0][0], last[0][0]))
            else:
                ranges.extend(first)
        merged = _merged(ranges)
        return Chars(complement(merged) if negated else merged, negated)

    def escape(self) -> tuple[Ranges, bool]:
        """The characters that an escape means, and whether it is a complement."""
        character = self._next()
        if character in _NAMED:
            return _NAMED[character], False
        if character.lower() in _NAMED:
            return complement(_NAMED[character.lower()]), True
        if character not in _CONTROLS and character not in _PUNCTUATION:
            raise _Unknown
        code = ord(_CONTROLS.get(character, character))
        return ((code, code),), False

    def _member(self) -> tuple[Ranges, bool]:
        if self._take("\\"):
            return self.escape()
        character = self._next()
        if character == "[" or self.text[self.at - 1 : self.at + 1] in ("&&", "--", "~~"):
            raise _Unknown
        return ((ord(character), ord(character)),), False

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        if not self._take("{"):
            return None
        inside, brace, _ = self.text[self.at :].partition("}")
        low, comma, high = inside.partition(",")
        if (
            not brace
            or not low.isdecimal()
            or not low.isascii()
            or (high and not (high.isdecimal() and high.isascii()))
        ):
            raise _Unknown
        self.at += len(inside) + 1
        last = int(high) if high else (None if comma else int(low))
        if max(int(low), last or 0) > MAX_REPEAT:
            raise _Unknown
        return int(low), last

    def _take(self, character: str) -> bool:
        if self.text.startswith(character, self.at):
            self.at += 1
            return True
        return False

    def _need(self, character: str) -> None:
        if not self._take(character):
            raise _Unknown

    def _next(self) -> str:
        if self.at >= len(self.text):
            raise _Unknown
        self.at += 1
        return self.text[self.at - 1]


def _is_one(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _merged(ranges: list[tuple[int, int]]) -> Ranges:
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)
