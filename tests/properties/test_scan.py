"""What holds of the scan whatever is listed or answered."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scan.corpus_files import descriptor, poisoned
from benchmarks.scan.needs import NEEDS as NEEDS_FILE
from benchmarks.scan.needs import table
from mcp_guard.inspection.scan import FAMILIES, Finding, Place, scan_descriptor, scan_result, scan_text
from mcp_guard.inspection.scan.matching import MAX_WORK, Table, Work
from mcp_guard.inspection.scan.texts import texts, written

POISONED = [case.text for case in poisoned("development") if case.text]
WORDS = sorted({word for text in POISONED for word in text.split()})
TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(POISONED),
    st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join),
    st.tuples(st.text(max_size=20), st.sampled_from(POISONED), st.text(max_size=20)).map("".join),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


def one_by_one(thing: Any) -> tuple[Finding, ...]:
    return tuple(finding for way, place, text in texts(thing) for finding in scan_text(text, place, written(way)))


@given(JSON)
def test_any_json_is_looked_at_without_an_error(thing: Any) -> None:
    scan_descriptor(thing)
    scan_result(thing)


@given(TEXTS, st.sampled_from(list(Place)))
def test_a_span_is_within_its_text_and_a_rule_speaks_once(text: str, place: Place) -> None:
    findings = scan_text(text, place)
    assert all(0 <= start <= end <= len(text) for start, end in (one.span for one in findings))
    assert len({one.rule for one in findings}) == len(findings)


@given(JSON)
def test_the_quick_look_at_all_texts_together_misses_none_that_each_has_alone(thing: Any) -> None:
    assert scan_descriptor(thing) == one_by_one(thing)


def test_the_quick_look_misses_nothing_of_the_corpus() -> None:
    for case in poisoned("development"):
        listed = descriptor(case)
        if listed is not None:
            assert scan_descriptor(listed) == one_by_one(listed)


def test_the_words_that_are_looked_for_first_are_those_of_the_patterns() -> None:
    """A pattern that was changed without them could fall silent."""
    assert NEEDS_FILE.read_text("utf-8") == table(), "run `python -m benchmarks.scan.needs`"


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=20), st.sampled_from([1, 30, 1000]))
def test_a_text_made_to_cost_much_costs_no_more_than_its_bound(words: list[str], times: int) -> None:
    work = Work()
    rules = [rule for family in FAMILIES.values() for rule in family if rule.patterns]
    list(Table(rules).matches((" ".join(words) + " ") * times, work))
    assert work.left >= -1
    assert MAX_WORK - work.left <= MAX_WORK + 1


@given(st.lists(JSON, max_size=3))
def test_an_answer_has_the_rules_of_its_texts_whatever_was_looked_at_before(answers: list[Any]) -> None:
    for answer in (*answers, *answers):  # the second time, names of members are known
        alone = {one.rule for _, _, text in texts(answer) for one in scan_text(text)}
        assert {one.rule for one in scan_result(answer)} == alone
