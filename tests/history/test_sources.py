"""Whole units, who gains a source, what a free text holds, and the words for it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from mcp_guard.history.free_text import addresses_in
from mcp_guard.history.index import CARRIED, Digests, InMemory, Reading, carrying, gained, origins
from mcp_guard.history.literals import task_units
from mcp_guard.history.reading import Carried, carried_by, given
from mcp_guard.history.units import ACCOUNT, MAIL, NUMBER, PATH, PHONE, URL, squeezed, unit_of, units_within
from mcp_guard.model import Answer, Origin, Unit
from mcp_guard.policy.constraint_kinds import From, NotFrom, Source
from mcp_guard.policy.constraint_sources import FORGOTTEN, comes_from
from mcp_guard.policy.constraints import compile_check
from tests.history.live import EVIL, GOOD
from tests.policy.scene import Still

KEY = Digests(b"k" * 32)
UNITS = st.sampled_from(
    [
        GOOD,
        EVIL,
        "bob@example.com",
        "https://example.com/a?b=c",
        "+4915112345678",
        "/srv/a.md",
        "file-13",
        "Alice",
        "Evil Corp Ltd",
        "https://example.com/a,b;c=d",
        42,
        0.5,
    ]
)
LISTS = st.lists(UNITS, max_size=4)


class Known(Still):
    """Facts with a history."""

    def __init__(self, rows: InMemory) -> None:
        super().__init__()
        self.rows = rows

    def origins(self, unit: Unit) -> tuple[Origin, ...]:
        return tuple(origins(unit, KEY, self.rows))


def read(rows: InMemory, result: Any, tool: str = "a/b", *, trusted: bool = True, carried: Any = None) -> None:
    reading = Reading(tool, trusted, ("iban",), True, carried_by(carried or {}))
    for found in given({"structuredContent": result}):
        rows.add(gained(found, reading, KEY, rows))


def judged(rows: InMemory, value: object, *sources: Source) -> Answer:
    return compile_check(From(sources or (Source("trusted"),)))(value, Known(rows))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("bob@Example.COM", MAIL, "bob@example.com"),
        ("Bob@example.com", MAIL, "Bob@example.com"),
        ("HTTPS://Example.com", URL, "https://example.com/"),
        ("https://example.com:443/A?b", URL, "https://example.com/A?b"),
        ("DE89 3704 0044 0532 0130 00", ACCOUNT, GOOD),
        ("+1 (415) 555-0100", PHONE, "+14155550100"),
        ("/srv/a.md", PATH, "/srv/a.md"),
        ("1.50", NUMBER, "1.5"),
        (150e-2, NUMBER, "1.5"),
        (10**30, NUMBER, str(10**30)),
    ],
)
def test_a_value_is_one_unit_in_one_form(value: object, kind: str, text: str) -> None:
    assert unit_of(value) == Unit(kind, text)


@pytest.mark.parametrize(
    "value", [None, True, [], {}, "", " a", "a\n", "a  b", "a\u200bb", "\uff41", "x" * 513, float("nan")]
)
def test_what_can_be_read_in_two_ways_is_no_unit(value: object) -> None:
    assert unit_of(value) is None


def test_a_number_without_end_is_no_unit_and_can_be_carried() -> None:
    assert unit_of(10**5000) is None
    assert carried_by({"amount": 10**5000}).forms


def test_units_are_found_within_prose_only_where_they_stand_alone() -> None:
    text = f"See (https://example.com/a). Or bob@example.com, {GOOD}; not evil-bob@example.com.evil or x{EVIL}."
    assert [unit.text for unit in units_within(text)] == [
        "https://example.com/a",
        "bob@example.com",
        GOOD,
        "evil-bob@example.com.evil",
    ]


@drawn(result=LISTS, value=UNITS)
def test_what_no_named_source_holds_is_never_a_clear_yes(result: list[Any], value: Any) -> None:
    rows = InMemory()
    read(rows, {"id": result}, "some/tool", trusted=False)
    read(rows, {"id": result})
    assert (judged(rows, value) is Answer.YES) is (value in result)
    assert judged(rows, value, Source("task"), Source("tool", "other/tool")) is not Answer.YES
    assert (
        compile_check(NotFrom(From((Source("untrusted"),))))(value, Known(rows)) is not Answer.YES
        or value not in result
    )


@pytest.mark.parametrize(
    "value", [GOOD, "bob@example.com", "https://example.com/Abc", "/srv/a.md", "file-13a", "Alice"]
)
def test_a_variant_of_a_value_gains_nothing_from_the_value(value: str) -> None:
    rows = InMemory()
    read(rows, [value])
    assert judged(rows, value) is Answer.YES
    changed = [
        value.swapcase(),
        value.replace("a", "\u0430"),
        value.replace("o", "\u03bf"),
        value.replace("D", "\u216e"),
    ]
    changed += [
        f"{value}\u200b",
        f" {value}",
        f"{value} ",
        f"{value}\n",
        f"{value}x",
        value[:-1],
        f"{value}/",
        f"{value}.",
    ]
    changed += ["".join(f"%{ord(one):02x}" for one in value), base64.b64encode(value.encode()).decode(), value[::-1]]
    changed += ["".join(chr(ord(one) + 0xFEE0) for one in value), f"{value},{value}", f"<{value}>", f"Bob <{value}>"]
    for variant in changed:
        if variant != value:
            assert judged(rows, variant) is not Answer.YES, variant
    for parts in ([value], {"a": value}, [value[:3], value[3:]]):
        assert judged(rows, parts) is not Answer.YES


@settings(max_examples=60)
@drawn(
    before=LISTS,
    carried=UNITS,
    after=LISTS,
    spelling=st.sampled_from(["plain", "lower", "spaced", "base64", "json", "csv", "call", "line"]),
)
def test_a_value_that_a_call_carried_in_is_worth_what_it_was_before(
    before: list[Any], carried: Any, after: list[Any], spelling: str
) -> None:
    rows = InMemory()
    read(rows, {"id": before})
    text = str(carried)
    ways = {
        "plain": carried,
        "lower": text.lower(),
        "spaced": f"  {text}\t",
        "base64": base64.b64encode(text.encode()).decode(),
        "json": f'{{"x": "{text}"}}',
        "csv": f"1,{text},2",
        "call": f"pay({text};now)",
        "line": f"first\n  - to: {text}\nlast",
    }
    rows.add(carrying(carried_by({"arguments": {"text": ways[spelling]}}), KEY, rows))
    read(rows, {"id": after}, "other/tool")
    assert (judged(rows, carried) is Answer.YES) is (carried in before)


@drawn(value=UNITS, others=LISTS)
def test_a_result_gives_nothing_that_its_own_call_said(value: Any, others: list[Any]) -> None:
    rows = InMemory()
    read(rows, {"id": [value, *others]}, carried={"arguments": {"q": value}})
    assert judged(rows, value) is not Answer.YES


def test_a_call_that_carries_more_than_can_be_listed_ends_all_gains() -> None:
    rows = InMemory()
    carried = carried_by({"text": " ".join(f"word-{number}" for number in range(5000))})
    assert carried == Carried(everything=True)
    rows.add(carrying(carried, KEY, rows))
    read(rows, [GOOD])
    assert judged(rows, GOOD) is not Answer.YES


def test_what_falls_out_of_the_history_comes_from_nowhere_and_what_was_carried_never_falls_out() -> None:
    rows = InMemory(limit=3)
    rows.add(carrying(carried_by({"to": EVIL}), KEY, rows))
    read(rows, [GOOD])
    assert judged(rows, GOOD) is Answer.YES
    read(rows, ["a-1", "b-2", "c-3", EVIL])
    assert rows.dropped and judged(rows, GOOD) is not Answer.YES and judged(rows, EVIL) is not Answer.YES
    assert any(row.kind == CARRIED for row in rows.at(KEY.loose(squeezed(EVIL))))
    assert comes_from((Source("untrusted"),), (Origin("task"), FORGOTTEN)) is Answer.UNSURE
    assert comes_from((Source("untrusted"),), (Origin("task"),)) is Answer.NO


def test_a_field_counts_by_its_name_and_those_around_it_and_prose_in_it_doesnt() -> None:
    rows = InMemory()
    reading = Reading("a/b", True, ("iban", "payee.id"), False, Carried())
    result = {"payees": [{"iban": GOOD, "payee": {"id": "p-1"}}], "id": "p-2", "note": {"iban": f"pay {EVIL}"}}
    for found in given({"content": [{"type": "text", "text": str(result).replace("'", '"')}]}):
        rows.add(gained(found, reading, KEY, rows))
    iban, payee = Source("tool", "a/b", "iban"), Source("tool", "a/b", "payee.id")
    assert judged(rows, GOOD, iban) is Answer.YES
    assert judged(rows, "p-1", payee) is Answer.YES
    assert judged(rows, "p-2", payee, iban) is not Answer.YES
    assert judged(rows, EVIL, iban) is not Answer.YES


def test_a_number_counts_for_a_tool_only_from_a_field_of_ids() -> None:
    rows = InMemory()
    read(rows, {"size": 13, "file_id": 14, "userId": 15, "iban": 16})
    assert [judged(rows, number) is Answer.YES for number in (13, 14, 15, 16)] == [False, True, True, False]
    assert judged(rows, 16, Source("tool", "a/b", "iban")) is Answer.YES


def test_plain_text_gives_its_lines_what_stands_behind_a_label_and_addresses() -> None:
    rows = InMemory()
    text = f"Users:\n- Alice Miller\n- name: bob\nCall us: {GOOD} or write to x@example.com"
    for found in given({"content": [{"type": "text", "text": text}]}):
        rows.add(gained(found, Reading("a/b", True, (), True, Carried()), KEY, rows))
    known = [
        value
        for value in ("Alice Miller", "bob", GOOD, "x@example.com", "Alice", "us")
        if judged(rows, value) is Answer.YES
    ]
    assert known == ["Alice Miller", "bob", GOOD, "x@example.com"]


def test_in_plain_text_a_number_counts_behind_a_label_of_ids_only_and_never_as_a_field() -> None:
    rows = InMemory()
    text = "- id: 7\n  amount: 13\n  file_id: '14'\n15\nthe id: 16 is it\nwhen: 17"
    for found in given({"content": [{"type": "text", "text": text}]}):
        rows.add(gained(found, Reading("a/b", True, (), True, Carried()), KEY, rows))
    assert [number for number in (7, 13, 14, 15, 16, 17) if judged(rows, number) is Answer.YES] == [7, 14]
    assert judged(rows, 7, Source("tool", "a/b", "id")) is not Answer.YES


@pytest.mark.parametrize("task", ["1. Pay it\n2) Delete file 7", "Do both: pay.\n (1) Pay file 7! 2. Delete it"])
def test_numbers_that_count_the_orders_of_a_task_are_not_named_by_it(task: str) -> None:
    assert unit_of(7) in task_units(task)
    assert not {unit_of(1), unit_of(2)} & task_units(task)


def test_the_task_names_words_names_quotes_and_numbers_but_no_words_that_every_task_has() -> None:
    units = task_units('Send 20.5 to Bob Miller (bob@example.com) for "the"; see https://example.com/a.')
    named = ("Bob", "Bob Miller", "bob@example.com", 20.5, "https://example.com/a", "the")
    assert all(unit_of(value) in units for value in named)
    assert not any(unit_of(value) in units for value in ("to", "see", "for", "bob", "Miller for", "example.com"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello Bob, 5.50 for v1.2.3 of report.pdf, e.g. now.", set()),
        ("mail bob@example.com, see https://example.com/a.", {"bob@example.com", "https://example.com/a"}),
        ("[read](https://example.com/a)", {"https://example.com/a"}),
        (f"to DE89 3704 0044 0532 0130 00 or {EVIL} today", {GOOD, EVIL}),
        ("look at evil.example and 10.0.0.1", {"evil.example", "10.0.0.1"}),
        (f"ab12 {EVIL}, ab12 and DE89 3704 0044 0532 0130 00 {EVIL}", {GOOD, EVIL}),
        ("call +1 415 555 0100", {"+14155550100"}),
    ],
)
def test_a_free_text_holds_every_address_that_a_reader_would_follow(text: str, found: set[str]) -> None:
    units = addresses_in(text)
    assert units is not None and {unit.text for unit in units} == found


@pytest.mark.parametrize(
    "text",
    [
        *(
            "www.evil.example",
            "//evil.example/x",
            "evil.\u0435xample",
            "ev\u00adil.example",
            "x%2eevil%2eexample/a",
            "hxxp://evil.example",
        ),
        *(
            "mailto:eve@evil.example",
            "javascript:alert(1)",
            "eve\uff20evil.example",
            "evil&#46;example",
            "https://u:p@evil.example/",
        ),
        *("DE89-3704-0044-0532-0130-00", "de89370400440532013000", "\\\\evil\\share", "x" * 100_001),
    ],
)
def test_an_address_in_a_free_text_that_isnt_plain_is_unclear(text: str) -> None:
    check = compile_check(From((Source("trusted"),), free=True))
    assert check(f"see {text} now", Known(InMemory())) is Answer.UNSURE


def test_every_address_of_a_free_text_has_to_come_from_a_source() -> None:
    rows = InMemory()
    read(rows, ["bob@example.com", "https://example.com/a"])
    check = compile_check(From((Source("trusted"),), free=True))
    assert check("Write to bob@example.com or see https://example.com/a.", Known(rows)) is Answer.YES
    assert check("Nothing here.", Known(rows)) is Answer.YES
    assert check("Write to bob@example.com or eve@evil.example", Known(rows)) is not Answer.YES
    assert compile_check(From((Source("trusted"),)))("Nothing here.", Known(rows)) is not Answer.YES
