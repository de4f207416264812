"""What words and automata rule out is only what could not match: the scan finds the same with them and without."""

from __future__ import annotations

import random
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scan import loose, needs
from benchmarks.scan.corpus_files import PARTS, benign, poisoned
from mcp_guard.inspection.scan import (
    FAMILIES,
    Finding,
    Place,
    automata,
    disguised,
    matching,
    scan_text,
    scanning,
)
from mcp_guard.inspection.scan.automata import Signs, may_match
from mcp_guard.inspection.scan.folding import fold
from mcp_guard.inspection.scan.glance import Glance

POISONED = [case.text for part in PARTS for case in poisoned(part) if case.text]
HONEST = [str(tool.get("description", "")) for server in benign() for tool in server.tools]
CLUES = [clue for family in FAMILIES.values() for rule in family for clue in matching.clues(rule)]
JOINTS = ("", " ", "\n", ". ", " " * 30, "\t" * 130, "\u200b", "\u00e9", "_", "-", "\u0430", "\ud800")


def assembled(seed: int) -> str:
    """A text of the corpus's pieces, some cut in the middle of a word, some with their words in another order."""
    chance = random.Random(seed)
    pieces = []
    for _ in range(chance.choice((1, 2, 4, 8, 20))):
        text = chance.choice(POISONED if chance.random() < 0.7 else HONEST)
        start = chance.randrange(len(text) + 1) if chance.random() < 0.5 else 0
        pieces += [text[start : start + chance.choice((20, 60, 200, 6000))], chance.choice(JOINTS)]
    text = "".join(pieces)
    return " ".join(chance.sample(words := text.split(" "), len(words))) if chance.random() < 0.2 else text


def with_nothing_ruled_out(text: str, place: Place) -> tuple[Finding, ...]:
    with pytest.MonkeyPatch.context() as patched:
        for module in (matching, disguised):
            patched.setattr(module, "may_match", lambda *_: True)
        patched.setattr(scanning, "glance", lambda *_, is_plain: Glance())
        patched.setattr(matching, "_TAKEN", 10**9)
        patched.setattr(matching, "_has_all", lambda *_: True)
        patched.setattr(matching._Wide, "rules_out", lambda *_: False)
        patched.setattr(matching.Work.__init__, "__defaults__", (10**6,))
        return scan_text(text, place)


@given(st.integers(0, 2**32), st.sampled_from(Place))
def test_findings_are_the_same_where_nothing_is_ruled_out(seed: int, place: Place) -> None:
    text = assembled(seed)
    assert scan_text(text, place) == with_nothing_ruled_out(text, place)


@given(st.integers(0, 2**32))
def test_an_automaton_never_rules_out_a_text_in_which_its_pattern_matches(seed: int) -> None:
    folded = fold(assembled(seed))
    raw = folded.encode("utf-8", "replace")
    for clue in CLUES:
        assert may_match(clue.loose, raw) or re.compile(clue.pattern, re.DOTALL).search(folded) is None


@given(st.integers(0, 2**32))
def test_an_automaton_sees_the_words_of_rules_that_a_text_has_and_no_others(seed: int) -> None:
    raw = fold(assembled(seed)).encode("ascii", "replace").translate(matching._LETTERS)
    said = matching._spoken()[1].possible(b" %b " % raw)
    words = frozenset(matching._spoken()[0])
    assert {word for clue in CLUES for group in (clue.near, *clue.also) for word in group} == words
    assert said is not None
    assert matching._words_of_rules(raw) == words.intersection(raw.split())


def test_every_pattern_is_ruled_out_somewhere_and_none_by_an_automaton_without_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not any(may_match(clue.loose, b"2 files were moved.") for clue in CLUES)
    speechless = automata.Several(("2 files",))
    speechless._set = Speechless()
    monkeypatch.setattr(automata, "_automaton", lambda _: speechless)
    assert may_match(CLUES[0].loose, b"2 files were moved.")
    full = Signs(("system", "color"))
    full._several._set = Speechless()
    assert full.present("a system") == ["system"]


class Speechless:
    """An automaton that has no more room."""

    def Match(self, _: bytes) -> None:  # noqa: N802 - as RE2 calls it
        return None


def test_what_patterns_need_is_what_the_patterns_of_today_need() -> None:
    assert needs.NEEDS.read_text("utf-8") == needs.table()
    assert needs.LOOSENED.read_text("utf-8") == loose.table(needs.rules())


def test_text_behind_tabs_is_found_as_it_is_behind_spaces() -> None:
    for blank in (" " * 130, "\t" * 130, "\n\t" * 30):
        assert [one.rule for one in scan_text(f"Adds.{blank}More.")] == ["behind-blank-space"]


def test_nothing_of_re2_is_imported_before_a_text_is_looked_at() -> None:
    code = "import sys, mcp_guard.scans; assert 're2' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
