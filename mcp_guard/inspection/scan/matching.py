"""How rules of words are asked: by the words that any match has in it, and then only near the rarest of them.

Core. A text's words are taken once; a clue whose words aren't all among them can't match, so nearly every text is
done with in microseconds. Else its pattern is asked about the stretches round its rarest word. Gaps in patterns are
bounded and no stretch is asked twice, so the cost is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cache

from mcp_guard.inspection.scan.automata import Several, Signs, may_match
from mcp_guard.inspection.scan.finding import Place, Severity
from mcp_guard.inspection.scan.loosened import LOOSE
from mcp_guard.inspection.scan.needs import NEEDS

REACH = 160
"""Characters before and after an anchor in which a pattern has to fit."""
BLOCK = 240
"""Characters whose words are looked at together in a long text."""
MAX_WORK = 3000
"""Stretches of one text that patterns are asked about: some 30 ms. What is honest needs a fraction of it. The texts
of a result have twice as many between them."""
SHORT = 4096
"""Characters of a text that an automaton is asked about at once."""
_ENOUGH = 2
"""Misses of one clue side by side, after which a wide stretch is asked about."""
_WORD = 32
"""The longest word of a rule, at least: one on the edge of a block belongs to both."""
EVERYWHERE = frozenset({Place.PROSE, Place.VALUE, Place.RESULT})
PROSE = frozenset({Place.PROSE})

_TAKEN = 2048
"""Characters of a text whose words are taken one by one. Of a longer one an automaton says which it has, in a sixth
of the time; but making it takes 10 ms, which no listing should wait for."""
_ROOM = 4 << 20
"""Bytes for that automaton: all that it can come to, whatever the text."""

_OTHERS = bytes(code for code in range(256) if not 97 <= code <= 122)
_LETTERS = bytes.maketrans(
    _OTHERS, b" " * len(_OTHERS)
)  # what is between words: all but the small letters, so that `read_file` is two


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for. `patterns` is empty where code finds it."""

    id: str
    severity: Severity
    reason: str
    patterns: tuple[str, ...] = ()
    places: frozenset[Place] = EVERYWHERE
    result_severity: Severity | None = None  # in a result, if it is another one there

    def severity_in(self, place: Place) -> Severity:
        return self.result_severity if place is Place.RESULT and self.result_severity else self.severity


def words(
    rule: str,
    severity: Severity,
    reason: str,
    *patterns: str,
    places: frozenset[Place] = EVERYWHERE,
    in_results: Severity | None = None,
) -> Rule:
    """A rule whose patterns, any of them, are asked about the folded text."""
    return Rule(rule, severity, reason, patterns, places, in_results)


@dataclass(frozen=True, slots=True)
class Clue:
    """One of a rule's patterns, and what a text must have for it to match."""

    rule: Rule
    pattern: str
    loose: str  # what an automaton is asked first: it matches wherever the pattern does
    near: frozenset[bytes]  # one of these words: the pattern is asked round them
    also: tuple[frozenset[bytes], ...]  # and of each of these one word
    signs: tuple[str, ...]  # or, where it has no whole words, one of these pieces of text


def clues(rule: Rule) -> list[Clue]:
    """A rule's clues. A pattern that `needs.py` wasn't made for is a defect, told when the package is loaded."""
    needs, loose = NEEDS.get(rule.id, ()), LOOSE.get(rule.id, ())
    if not len(rule.patterns) == len(needs) == len(loose):
        raise ValueError(f"`needs.py` isn't made for the patterns of `{rule.id}`: make it anew")
    found = []
    for pattern, loosened, (near, *also) in zip(rule.patterns, loose, needs, strict=True):
        groups = tuple(frozenset(group.encode().split()) for group in also)
        if near.startswith(" "):
            found.append(Clue(rule, pattern, loosened, frozenset(), groups, tuple(near.split())))
        else:
            found.append(Clue(rule, pattern, loosened, frozenset(near.encode().split()), groups, ()))
    return found


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """When it is first needed: a guard that meets no such text starts without it."""
    return re.compile(pattern, re.DOTALL)


@dataclass(slots=True)
class Work:
    """How many stretches may still be asked about. A text made to cost much runs out of it: a finding."""

    left: int = MAX_WORK


class Table:
    """The rules for one place, by the words and signs that they need."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._clues = [clue for rule in rules for clue in clues(rule)]
        self._by_word: dict[bytes, list[int]] = {}
        self._by_sign: dict[str, list[Clue]] = {}
        every: set[bytes] = set()
        for number, clue in enumerate(self._clues):
            every.update(*clue.also)
            for sign in clue.signs:
                self._by_sign.setdefault(sign, []).append(clue)
            for word in clue.near:
                self._by_word.setdefault(word, []).append(number)
        self._words = frozenset(every | self._by_word.keys())
        self._signs = Signs(self._by_sign)

    def matches(self, folded: str, work: Work) -> Iterator[tuple[Rule, int, int]]:
        """A match of every rule that has one, as long as there is work left."""
        if work.left < 0:
            return
        raw = folded.encode("ascii", "replace").translate(_LETTERS)
        whole = self._words & _words_of_rules(raw) if len(raw) > _TAKEN else self._words.intersection(raw.split())
        signs = self._signs.present(folded)
        if not signs and self._by_word.keys().isdisjoint(whole):  # nearly every short text
            return
        short = folded.encode("utf-8", "replace") if len(folded) <= SHORT else None
        told: set[str] = set()
        stretch, near = (0, 0), b""
        wide = _Wide(folded)
        for clue, start, end in (*self._by_signs(signs, folded, whole, short), *self._by_words(raw, whole, short)):
            if clue.rule.id in told:
                continue
            work.left -= 1
            if work.left < 0:
                return
            if short is None:
                if wide.rules_out(clue, start):
                    continue
                if stretch != (start, end):
                    stretch, near = (start, end), folded[start:end].encode("utf-8", "replace")
                if not may_match(clue.loose, near):
                    wide.missed(clue, start)
                    continue
            found = _compiled(clue.pattern).search(folded, start, end)
            if found is not None:
                told.add(clue.rule.id)
                yield clue.rule, *found.span()

    def _by_signs(
        self, signs: Iterable[str], folded: str, words: Set[bytes], short: bytes | None
    ) -> Iterator[tuple[Clue, int, int]]:
        for sign in signs:
            possible = [clue for clue in self._by_sign[sign] if _is_possible(clue, words, short)]
            at = folded.find(sign) if possible else -1
            while at >= 0:
                for clue in possible:
                    yield clue, max(0, at - REACH), at + 2 * REACH
                at = folded.find(
                    sign, at + REACH
                )  # what is nearer is in this one's stretch, which reaches twice as far

    def _by_words(self, raw: bytes, words: Set[bytes], short: bytes | None) -> Iterator[tuple[Clue, int, int]]:
        """The stretches in which all of a clue's words stand near each other."""
        asked = {number for word in words for number in self._by_word.get(word, ())}
        possible = {number for number in asked if _is_possible(self._clues[number], words, short)}
        if not possible:
            return
        wanted = {word: found for word in words if (found := possible.intersection(self._by_word.get(word, ())))}
        keys = frozenset(wanted)
        blocks = [  # of their words, those that rules need
            self._words.intersection(raw[max(0, at - _WORD) : at + BLOCK + _WORD].split())
            for at in range(0, len(raw), BLOCK)
        ]
        for at, block in enumerate(blocks):
            here = keys & block
            if not here:
                continue
            around = block.union(*blocks[max(0, at - 1) : at + 2])
            first, last = max(0, at * BLOCK - REACH), (at + 1) * BLOCK + REACH
            for number in sorted({number for word in here for number in wanted[word]}):
                if _has_all(around, self._clues[number]):
                    yield self._clues[number], first, last


def _words_of_rules(raw: bytes) -> Set[bytes]:
    """Which words of any rule stand in a text of small letters and blanks."""
    words, automaton = _spoken()
    said = automaton.possible(b" %b " % raw)
    return frozenset(raw.split() if said is None else (words[number] for number in said))


@cache
def _spoken() -> tuple[tuple[bytes, ...], Several]:
    """All words that rules need, and what asks for them all at once."""
    groups = (group for rows in NEEDS.values() for row in rows for group in row if not group.startswith(" "))
    words = tuple(sorted({word for group in groups for word in group.encode().split()}))
    return words, Several((f" {word.decode()} " for word in words), _ROOM)


class _Wide:
    """A long text in wide stretches, for clues that miss in one narrow stretch after the other: of these, which reach
    into each other, one look does for seventeen."""

    def __init__(self, folded: str) -> None:
        self._folded = folded
        self._misses: dict[tuple[str, int], int] = {}
        self._ruled: dict[tuple[str, int], bool] = {}

    def missed(self, clue: Clue, start: int) -> None:
        key = clue.loose, start // SHORT
        self._misses[key] = self._misses.get(key, 0) + 1

    def rules_out(self, clue: Clue, start: int) -> bool:
        key = clue.loose, start // SHORT
        if self._misses.get(key, 0) < _ENOUGH:
            return False
        if key not in self._ruled:
            first = key[1] * SHORT
            near = self._folded[first : first + SHORT + BLOCK + 2 * REACH + _WORD]
            self._ruled[key] = not may_match(clue.loose, near.encode("utf-8", "replace"))
        return self._ruled[key]


def _is_possible(clue: Clue, words: Set[bytes], short: bytes | None) -> bool:
    """Could it match anywhere in the text? A long one is asked about stretch by stretch instead."""
    return _has_all(words, clue) and (short is None or may_match(clue.loose, short))


def _has_all(words: Set[bytes], clue: Clue) -> bool:
    for group in clue.also:  # noqa: SIM110 - asked most of all, and `any` over a generator takes three times as long
        if words.isdisjoint(group):
            return False
    return True
