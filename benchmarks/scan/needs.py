"""For maintainers: make `needs.py` and `loosened.py` of `mcp_guard/inspection/scan` anew after a pattern was changed.

    python -m benchmarks.scan.needs

Reads every alternative of every pattern and writes down, rarest first by the benign corpus, groups of words of
which any match has one of each. Where a pattern has no whole word of letters, pieces of text (`signs`) take their
place.
"""

from __future__ import annotations

import importlib
import json
import re
import types
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.scan import loose
from mcp_guard.inspection.scan import FAMILIES

ROOT = Path(__file__).parent.parent.parent
NEEDS = ROOT / "mcp_guard" / "inspection" / "scan" / "needs.py"
LOOSENED = NEEDS.with_name("loosened.py")
BENIGN = Path(__file__).parent / "corpus" / "benign"
MOST = 40_000
"""Spellings of one piece of a pattern that are told apart; a piece with more says nothing."""
COMMON = 3000
"""How often a piece's words may stand in the benign corpus before pieces of text are looked for instead."""
MORE = 3
"""Groups of second and third words of a piece: `of` and `all` in `results of all tools`. They only rule out."""
BREAK = "\0"
"""Stands where anything may stand."""
EDGE = "\1"
"""Stands where a word begins or ends."""

Spellings = list[str]


def parser() -> types.ModuleType:
    """The standard library's reader of patterns."""
    return importlib.import_module("re._parser")


def spellings(tree: Iterable[Any]) -> Spellings:
    """What a pattern's text can be, with `BREAK` for whatever isn't literal."""
    found = [""]
    for op, value in tree:
        found = [one + more for one in found for more in _of(str(op), value)]
        if len(found) > MOST:
            found = sorted({one.rpartition(BREAK)[2] for one in found}) if _aligned(found) else [BREAK]
            found = [BREAK + one for one in found][:MOST] if len(found) <= MOST else [BREAK]
    return found


def _aligned(found: Spellings) -> bool:
    return all(BREAK in one for one in found)


def _of(op: str, value: Any) -> Spellings:
    if op == "LITERAL":
        return [chr(value)]
    if op == "AT":
        return [EDGE]
    if op == "SUBPATTERN":
        return spellings(value[3])
    if op == "BRANCH":
        return [one for branch in value[1] for one in spellings(branch)]
    if op in ("MAX_REPEAT", "MIN_REPEAT") and value[1] == 1:
        return ["", *spellings(value[2])] if value[0] == 0 else spellings(value[2])
    if op == "IN" and all(str(kind) == "LITERAL" for kind, _ in value) and len(value) <= 3:
        return [chr(code) for _, code in value]
    if op == "ASSERT_NOT" and value[0] < 0:  # `(?<![a-z])`: nothing of a word is in front
        return [EDGE]
    if op in ("ASSERT", "ASSERT_NOT"):
        return [""]
    return [BREAK]


def groups(pattern: str, counts: Counter[str]) -> list[str]:
    """For every piece of a pattern between gaps, the rarest whole word of each of its spellings: rarest piece first.

    Before them, pieces of text, if there are no words or only common ones.
    """
    found: list[list[str]] = []
    further: list[list[str]] = []
    signs: list[list[str]] = []
    for piece in _pieces(parser().parse(pattern, re.DOTALL)):
        plain = [one for one in piece if one.strip(BREAK + EDGE)]
        if len(plain) < len(piece):  # it may be missing
            continue
        ranked = [sorted(dict.fromkeys(_whole_words(one)), key=lambda word: counts[word]) for one in piece]
        if all(ranked):
            found.append(sorted({words[0] for words in ranked}))
        further += [sorted({words[rank] for words in ranked}) for rank in range(1, min(map(len, ranked)))]
        longest = [max(re.split(r"[\0\1 ]", one), key=len) for one in piece]
        if all(len(sign) > 1 for sign in longest):
            signs.append(sorted(set(longest)))
    found.sort(key=lambda group: sum(counts[word] for word in group))
    further.sort(key=lambda group: sum(counts[word] for word in group))
    signs.sort(key=lambda group: (-min(map(len, group)), len(group)))
    common = sum(counts[word] for word in found[0]) if found else 0
    if found and (common < COMMON or not signs or min(map(len, signs[0])) < 4):
        return [" ".join(group) for group in (*found[:3], *further[:MORE])]
    if not signs:
        raise SystemExit(f"no word and no sign in {pattern}")
    return [" " + " ".join(signs[0]), *(" ".join(group) for group in (*found[:2], *further[:MORE]))]


def _pieces(tree: Any) -> list[Spellings]:
    """The top-level items of a pattern in stretches between its gaps."""
    pieces: list[list[Any]] = [[]]
    for item in tree:
        if str(item[0]) in ("MIN_REPEAT", "MAX_REPEAT") and item[1][1] > 1:
            pieces.append([])
        else:
            pieces[-1].append(item)
    return [_edges(piece) for piece in pieces if piece]


def _edges(piece: list[Any]) -> Spellings:
    """Its spellings, with anything around them; a `(?!…)` at the end stands behind a word's edge, or for one."""
    end = EDGE if str(piece[-1][0]) == "ASSERT_NOT" else BREAK
    return [f"{BREAK}{one}{end}" for one in spellings(piece)]


def _whole_words(text: str) -> list[str]:
    return [word for word in re.findall(r"(?<![a-z\0])[a-z]+(?![a-z\0])", text) if len(word) > 1]


def frequencies() -> Counter[str]:
    """How often each word stands in what real servers say."""
    counts: Counter[str] = Counter()
    for file in BENIGN.glob("*.json"):
        counts.update(re.findall(r"[a-z]+", json.dumps(json.loads(file.read_bytes())).lower()))
    return counts


def table() -> str:
    """The module's text."""
    counts = frequencies()
    lines = []
    for rule in rules():
        lines.append(f'    "{rule.id}": (')
        for pattern in rule.patterns:
            rows = groups(pattern, counts)
            lines.append(f"        ({' '.join(f'{json.dumps(row, ensure_ascii=False)},' for row in rows)}),")
        lines.append("    ),")
    return HEAD + "\n".join(lines) + "\n}\n"


HEAD = '''"""What a text must have for each of a rule's patterns to match. Made by `python -m benchmarks.scan.needs`.

Core. One row a pattern: groups of words, rarest first, of each of which a match has one. A row that begins with a
blank has pieces of text instead of words.
"""

# ruff: noqa: E501
# fmt: off
NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
'''


def rules() -> list[Any]:
    """Every rule with a pattern."""
    return [rule for family in FAMILIES.values() for rule in family if rule.patterns]


if __name__ == "__main__":
    NEEDS.write_text(table(), "utf-8")
    LOOSENED.write_text(loose.table(rules()), "utf-8")
