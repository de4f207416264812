"""The report over made-up decisions: what it counts, what it guesses, and that no name gets past its escaping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.model import Reason
from mcp_guard.policy.document import load_text
from mcp_guard.report.making import as_data, make
from mcp_guard.report.page import page
from mcp_guard.report.refused import FURTHER, MOST_GROUPS, Cause, likely, refusals
from mcp_guard.report.sections import MOST_LINES, headline, named, sections
from mcp_guard.report.seen import Event, Exposed, Loaded, Said, Seen
from mcp_guard.report.slack import slack

NOON = datetime(2026, 12, 31, 12, tzinfo=UTC)
POLICY = load_text(
    b"""
version: 1
grants:
  - id: pay
    tool: [bank/pay, bank/give]
    args: {to: {in: [DE1, DE2]}, amount: {max: 100}, note: any}
    optional: {fast: true}
    others: any
    budget: {calls: 9, per: session}
  - {id: look, tool: bank/look, args: any}
  - {id: idle, tool: bank/idle, args: {}}
""",
    file="p.yaml",
    kind="policy",
)


def paid(number: int = 0, **changes: object) -> Seen:
    given = {"to": "text:3", "amount": "number", "note": "text:1"}
    fields = {"rules": ("policy/pay",), "given": given, "digest": f"d{number}", "effect": "allow"}
    values = {"to": "to=DE1", "amount": f"amount={number}", "note": "note=x"}
    made = {"entry": f"e-{number}", "time": NOON, "session": "s", "name": "bank/pay", "values": values, **fields}
    return Seen(**{**made, **changes})  # type: ignore[arg-type]


def refused(reason: Reason = Reason.NO_GRANT, number: int = 0, **changes: object) -> Seen:
    return paid(number, **{"effect": "deny", "reason": reason.value, **changes})


def digest(name: str, value: object) -> str:
    return f"{name}={value}"


def test_what_a_grant_carried_and_what_it_did_not_is_counted_by_the_calls_that_entries_stand_for() -> None:
    loaded = Loaded("p.yaml", ("policy/pay", "policy/idle"))
    data = as_data(make([loaded, paid(1), paid(2), refused(count=3)]))
    (pay, idle) = data["grants"]
    assert (pay["rule"], pay["allowed"], pay["refused"], pay["tools"]) == ("policy/pay", 2, 3, {"bank/pay": 2})
    assert pay["arguments"]["amount"] == {"given": 2, "kinds": ["number"], "different": 2, "untold": 0}
    assert pay["arguments"]["to"]["different"] == 1
    assert (idle["allowed"], data["unused"], data["grant_utilisation"]) == (0, ["policy/idle"], 0.5)
    assert data["decisions"] == {"allow": 2, "deny": 3}


def test_slack_names_what_was_never_used_and_says_what_it_cannot_tell() -> None:
    found = make([paid(number) for number in range(5)], [POLICY], digest).slack
    said = {(one.rule, one.argument, one.says, one.untold) for one in found or ()}
    assert said == {
        ("policy/pay", "", "bank/give never called", False),
        ("policy/pay", "", "at most 5 of 9 calls used in a session", False),
        ("policy/pay", "to", "1 of 2 values never used: DE2", False),
        ("policy/pay", "amount", "how far it is used needs values, which were not kept (`--record values`)", True),
        ("policy/pay", "note", "any; 1 different value in 5 calls: could be listed", False),
        ("policy/pay", "fast", "optional, never given", False),
        ("policy/pay", "others", "any others; given were: none", False),
        ("policy/look", "", "never used", False),
        ("policy/idle", "", "never used", False),
    }


def test_a_listed_value_is_never_called_unused_where_that_cannot_be_known() -> None:
    without_digests = make([paid(values={})], [POLICY], digest)
    for found in (slack(POLICY, {}, None), without_digests.slack or (), make([paid()], [POLICY], None).slack or ()):
        assert not [one for one in found if "values never used" in one.says]


def test_the_same_refusal_is_an_attack_only_once_the_session_met_untrusted_content() -> None:
    met, cleared = Exposed("s", ("untrusted",)), Exposed("s", ("untrusted",), cleared=True)
    before, after, later = refused(number=1), refused(number=2), refused(number=3)
    groups = refusals([before, met, after, Exposed("t", ("untrusted",)), cleared, later])
    assert [(one.cause, one.count, one.last) for one in groups] == [(Cause.ATTACK, 1, "e-2"), (Cause.GRANT, 2, "e-3")]
    assert refusals([paid(gives=("untrusted",)), before])[0].cause is Cause.ATTACK


@settings(deadline=None)
@given(st.sampled_from(list(Reason)), st.sets(st.sampled_from(["untrusted", "private"])), st.booleans())
def test_every_refusal_has_a_likely_cause_and_a_reason_for_it(reason: Reason, labels: set[str], ruled: bool) -> None:
    cause, why = likely(refused(reason, rules=("policy/pay",) if ruled else ()), labels)
    assert why
    assert (cause is Cause.LIMIT) == (reason in (Reason.BUDGET_SPENT, Reason.TOO_OFTEN, Reason.EXPIRED))
    if reason is Reason.PROTECTED:
        assert cause is Cause.ATTACK


def test_a_flood_of_made_up_names_pushes_nothing_out_of_the_report() -> None:
    flood = [refused(Reason.UNKNOWN_TARGET, number, name=f"x/{number}", rules=()) for number in range(1000)]
    real = refused(Reason.PROTECTED, 7000, name="files/write")
    report = make([*flood, Exposed("s", ("untrusted",)), *flood, real])
    assert len(report.refused) <= 2 * (MOST_GROUPS + 1) + 1
    (table,) = [one for one in sections(report) if one.title == "Refused"]
    assert any("files/write" in row for row in table.rows)
    assert len(table.rows) == MOST_LINES
    assert "unknown_target 2000" in table.note
    assert sum(one.count for one in report.refused) == 2001
    assert FURTHER in {one.name for one in report.refused}


def test_a_call_that_is_made_again_after_its_refusal_is_counted_as_that() -> None:
    (group,) = refusals([refused(number=1), refused(number=1), refused(number=1, session="t"), refused(number=2)])
    assert (group.count, group.repeated, len(group.sessions)) == (4, 1, 2)


def test_questions_are_counted_with_what_became_of_them_and_how_long_that_took() -> None:
    asked = [Said(name, "asked", NOON, ("policy/big", "policy/odd")) for name in "abcd"]
    after = NOON + timedelta(seconds=4)
    became = [
        Said("a", "approved", after),
        Said("b", "refused", after),
        Said("c", "lapsed", after),
        Said("z", "approved", after),
    ]
    (big, odd) = make([*asked, *became]).asked
    assert (big.rule, odd.rule, big.asked, big.seconds) == ("policy/big", "policy/odd", 4, 4.0)
    assert big.became == odd.became == {"approved": 1, "refused": 1, "lapsed": 1}


HOSTILE = st.text(min_size=1, max_size=300).map(lambda text: f"{text}<script>\u202e\x1b[2J&\"'")


@settings(deadline=None)
@given(HOSTILE)
def test_no_name_becomes_markup_or_steers_a_terminal(text: str) -> None:
    event = paid(effect="deny", reason=text, name=text, rules=(text,), entry=text, given={text: text})
    events: list[Event] = [Loaded(text, (text,)), event, paid(name=text, given={text: text}, values={})]
    report = make([*events, Said(text, "asked", NOON, (text,))])
    written = page(headline(report), sections(report))
    assert "<script" not in written
    assert written.isascii()
    assert all(char.isprintable() or char == "\n" for char in written)
    assert all(
        cell.isprintable() and cell.isascii() for table in sections(report) for row in table.rows for cell in row
    )


@settings(deadline=None)
@given(st.text(max_size=100), st.text(max_size=100))
def test_two_names_look_alike_only_if_they_are_the_same(first: str, second: str) -> None:
    plain = [one for one in (first, second) if one.isprintable() and "\\" not in one and "  " not in one]
    if len(plain) == 2 and max(len(named(one)) for one in plain) < 120:
        assert (named(first) == named(second)) == (first == second)


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    written = page("x", sections(make([paid(), refused()])))
    assert "default-src 'none'" in written
    assert "<svg" in written
    assert not [
        word
        for word in ("http:", "https:", "src=", "url(", "onload", "<link")
        if word in written.replace("default-src", "")
    ]
