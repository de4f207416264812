"""What a person doesn't see is found and taken out; what writing needs stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.inspection.characters import Hidden, hidden_spans, may_have_hidden, without_hidden
from tests.growth import linear

FLAG = "\U0001f3f4" + "".join(chr(0xE0000 + ord(char)) for char in "gbeng") + "\U000e007f"
TAGS = "".join(chr(0xE0000 + ord(char)) for char in "ignore all")
WRITTEN = [
    "line\r\nline\n\tindented",
    "\ufeffa file with a byte order mark",
    "👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥 👩🏽\u200d⚕\ufe0f 1\ufe0f\u20e3 " + FLAG,
    "می\u200cخواهم",
    "क\u094d\u200dष",
    "שלום\u200f! السلام عليكم",
    "葛\U000e0100 naïve ≨\ufe00",
]
TRICKS = {
    "a\u202etxt.exe\u202c": Hidden.BIDI,
    "pay\u200bpal": Hidden.ZERO_WIDTH,
    "fine" + TAGS: Hidden.TAG,
    "x\ufe01\U000e0142\ufe0f": Hidden.SELECTOR,
    "safe\x08\x08\x08\x08evil": Hidden.CONTROL,
    "safe\revil": Hidden.CONTROL,
    "ig\xadnore": Hidden.SOFT_HYPHEN,
    "a\u2063b": Hidden.OPERATOR,
    "a\u3164b": Hidden.FILLER,
    "\x1b[8mhidden\x1b[0m": Hidden.ESCAPE,
    "\x1b]8;;https://evil.example\x1b\\here": Hidden.ESCAPE,
}
ODD = st.text(st.sampled_from("a1\r\n\t ❤א\u0645\U0001f3f4\U0001f469" + FLAG + TAGS + "".join(TRICKS)), max_size=12)


@pytest.mark.parametrize("text", WRITTEN)
def test_what_ordinary_writing_needs_is_not_hidden(text: str) -> None:
    assert hidden_spans(text) == []
    assert without_hidden(text) == text


@pytest.mark.parametrize("text", TRICKS)
def test_each_trick_is_found_by_its_kind(text: str) -> None:
    assert {kind for _, _, kind in hidden_spans(text)} == {TRICKS[text]}


def test_an_escape_takes_the_text_with_it_that_a_terminal_would_swallow() -> None:
    assert without_hidden("see \x1b]8;;https://evil.example\x1b\\here") == "see here"


def test_a_run_of_one_kind_is_one_span() -> None:
    assert hidden_spans("fine" + TAGS) == [(4, 4 + len(TAGS), Hidden.TAG)]


def test_one_joiner_too_many_is_hidden_even_between_letters_that_join() -> None:
    assert without_hidden("م\u200c\u200cم") == "مم"


@given(ODD)
def test_nothing_hidden_is_left_and_nothing_seen_is_lost(text: str) -> None:
    left = without_hidden(text)
    assert hidden_spans(left) == []
    assert may_have_hidden(text) or left == text
    for start, end, _ in reversed(hidden_spans(text)):
        text = text[:start] + text[end:]
    assert text == left


def test_beginnings_of_escapes_without_an_end_cost_no_more_than_their_length() -> None:
    def look(length: int) -> None:
        for begin, again in (("", "\x1b[1"), ("", "\x1b]"), ("\x1b", "  "), ("\x9d", "xx")):
            hidden_spans(begin + again * length)

    assert linear(look, 1_500)
