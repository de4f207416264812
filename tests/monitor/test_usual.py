"""What is usual: nothing is flagged while it is learned; then what deviates is, and what doesn't isn't."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.monitor import usual
from mcp_guard.monitor.flags import Deviation
from mcp_guard.monitor.habits import MAX_LEAVES, Habits, habits_of
from mcp_guard.monitor.usual import Usual

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEARN = 50
KEY = b"k" * 32
ME, SESSION, FETCH, SEND = "local:me", "s1", "web/fetch", "mail/send"
USED = Habits(("h1",), ("d1",), 100)


def taught(calls: int = LEARN, *, every: timedelta = timedelta(minutes=7), tools: tuple[str, ...] = (FETCH,)) -> Usual:
    """Somebody has called these in turn, `calls` times in all, the last one at noon."""
    known = Usual(LEARN)
    for number in range(calls):
        time = NOON - every * (calls - number - 1)
        known.learn(ME, SESSION, tools[number % len(tools)], USED, time)
    return known


def found(known: Usual, tool: str = FETCH, habits: Habits = USED, at: datetime = NOON, **who: str) -> set[Deviation]:
    flags = known.flags(who.get("principal", ME), who.get("session", SESSION), tool, habits, at)
    return {flag.deviation for flag in flags}


def test_more_of_the_same_is_no_deviation() -> None:
    assert found(taught()) == set()


@pytest.mark.parametrize("calls", [0, 1, LEARN - 1])
def test_nothing_is_flagged_of_who_is_still_being_learned_about(calls: int) -> None:
    strange = Habits(("h9",), ("d9",), 10**9)
    assert found(taught(calls), SEND, strange) == set()


@pytest.mark.parametrize(
    ("tool", "habits", "deviation"),
    [
        (SEND, USED, Deviation.NEW_TOOL),
        (FETCH, Habits(("h2",), ("d1",), 100), Deviation.NEW_HOST),
        (FETCH, Habits(("h1", "h2"), ("d1",), 100), Deviation.NEW_HOST),
        (FETCH, Habits(("h1",), ("d2",), 100), Deviation.NEW_DIRECTORY),
        (FETCH, Habits(("h1",), ("d1",), 4096), Deviation.SIZE),
    ],
)
def test_what_was_never_there_is_flagged(tool: str, habits: Habits, deviation: Deviation) -> None:
    assert found(taught(), tool, habits) == {deviation}


def test_many_more_calls_in_a_minute_than_ever_are_flagged_from_the_twentieth_on() -> None:
    known, seen = taught(), []
    start = NOON + timedelta(minutes=5)
    for number in range(25):
        seen.append(Deviation.RATE in found(known, at=start))
        known.learn(ME, SESSION, FETCH, USED, start + timedelta(seconds=number))
    assert seen == [False] * 19 + [True] * 6


def test_an_hour_at_which_nobody_ever_works_is_flagged() -> None:
    known = taught(LEARN, every=timedelta(days=1))
    assert found(known, at=NOON + timedelta(hours=12)) == {Deviation.HOUR}
    assert found(known, at=NOON + timedelta(hours=25)) == set()  # next to the usual one


def test_a_tool_after_one_that_others_always_follow_is_flagged() -> None:
    known = taught(3 * LEARN, tools=(FETCH, "files/read", SEND))  # fetch, read, send, and so on; the last was `send`
    assert found(known, FETCH) == set()
    assert found(known, "files/read") == {Deviation.SEQUENCE}
    assert found(known, "files/read", session="another") == set()


def test_who_always_visits_new_hosts_has_no_habit() -> None:
    known = Usual(LEARN)
    for number in range(3 * LEARN):
        known.learn(ME, SESSION, FETCH, Habits((f"h{number}",)), NOON)
    assert Deviation.NEW_HOST not in found(known, habits=Habits(("another",)))


def test_one_principals_habits_are_no_other_ones() -> None:
    known = taught()
    for _ in range(LEARN):
        known.learn("local:you", "s2", SEND, Habits(("h2",)), NOON)
    assert found(known, SEND, principal=ME) == {Deviation.NEW_TOOL}
    assert found(known, SEND, Habits(("h2",)), principal="local:you", session="s2") <= {Deviation.RATE}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([f"p{n}" for n in range(6)]),
            st.sampled_from([f"t{n}" for n in range(6)]),
            st.integers(0, 40),
        ),
        max_size=80,
    )
)
def test_what_is_kept_is_bounded_whoever_calls_whatever(calls: list[tuple[str, str, int]]) -> None:
    known = Usual(10)
    with pytest.MonkeyPatch.context() as patched:
        for name, most in (("MAX_PRINCIPALS", 3), ("MAX_TOOLS", 4), ("MAX_PLACES", 5), ("MAX_NEXT", 2)):
            patched.setattr(usual, name, most)
        for principal, tool, host in calls:
            known.learn(principal, f"s{host}", tool, Habits((f"h{host}",)), NOON)
            for one in known._principals.values():
                assert len(one.tools) <= 4 and len(one.last) <= 3
                assert all(len(each.hosts.known) <= 5 and len(each.next) <= 2 for each in one.tools.values())
        assert len(known._principals) <= 3


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("https://a.example/x", "https://me:pw@A.example/y?z=1"),
        ("/srv/project/a.txt", "/srv/project/b.txt"),
    ],
)
def test_places_that_are_one_have_one_digest_and_no_value_is_in_it(one: str, same: str) -> None:
    first, second = habits_of({"u": one}, KEY), habits_of({"v": [same]}, KEY)
    assert (first.hosts, first.directories) == (second.hosts, second.directories)
    assert first.hosts or first.directories
    assert not any(part in str(first.told()) for part in ("example", "srv", "pw"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example/", "https://a.example.evil.example/"),
        ("https://a.example/", "https://a.example@evil.example/"),
        ("https://a.example/", "https://evil.example\\\\.a.example/"),
        ("/srv/a/x", "/srv/b/x"),
    ],
)
def test_places_that_are_two_have_two_digests(one: str, other: str) -> None:
    first, second = habits_of({"u": one}, KEY), habits_of({"u": other}, KEY)
    assert (first.hosts, first.directories) != (second.hosts, second.directories)


def test_another_records_digests_are_others() -> None:
    assert habits_of({"u": "https://a.example/"}, KEY) != habits_of({"u": "https://a.example/"}, b"j" * 32)


def test_a_call_with_any_number_of_texts_costs_what_a_few_cost() -> None:
    hosts = [f"https://h{number}.example/" for number in range(5000)]
    nested: object = "x"
    for _ in range(5000):
        nested = [nested]
    assert len(habits_of({"all": hosts, "deep": nested}, KEY).hosts) <= MAX_LEAVES
