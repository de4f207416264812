"""A clock that was far ahead: nothing that expired comes back by itself, and a person can go on from the true time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mcp_guard.cli.setting_up import say_clock
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.keys import signing_seed
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.signing import Signer
from mcp_guard.record.verify import verify
from tests.record.examples import NOON, Clock, allow, deny, open_record, raw, request


def test_time_stands_at_the_latest_that_was_recorded_until_a_person_sets_the_clock(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as record:
        clock.move(days=365)
        record.step(request(), deny)
        clock.now = NOON + timedelta(hours=1)
        assert record.step(request(), allow()).time == NOON + timedelta(days=365)
        assert record.ahead() == timedelta(days=365) - timedelta(hours=1)
        record.set_clock()
        assert record.ahead() == timedelta(0)
        clock.move(minutes=1)
        assert record.step(request(), allow()).time == NOON + timedelta(hours=1, minutes=1)
        record.checkpoint(Signer(signing_seed(record.directory)))
        assert verify(record.directory) == []
        with open_for_reading(record.directory) as query:
            (told,) = query.entries(Filter(kind=EntryKind.CLOCK_SET))
    assert told.body["data"] == {"from": "2027-12-31T12:00:00.000000Z"}


def test_a_first_use_in_the_wrong_future_counts_from_the_setting_and_lasts_no_longer(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as record:
        assert record.started("early") == NOON
        clock.move(days=365)
        record.started("late")
        clock.now = NOON + timedelta(hours=1)
        record.set_clock()
        assert record.started("early") == NOON
        assert record.started("late") == NOON + timedelta(hours=1)
        assert verify(record.directory) == []


def test_a_time_that_goes_back_without_a_person_is_found(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as record:
        clock.move(days=1)
        record.step(request(), deny)
        clock.now = NOON
        record.set_clock()
    with raw(record.directory) as connection:  # the setting made to look like a note, all else as it was
        connection.execute(
            "UPDATE entries SET body=CAST(replace(CAST(body AS TEXT), 'clock_set', 'loaded') AS BLOB) "
            "WHERE CAST(body AS TEXT) LIKE '%clock_set%'"
        )
    assert any("is older" in text for text in verify(record.directory))


def test_a_guard_that_starts_says_how_far_the_record_is_ahead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    with open_record(tmp_path, clock) as record:
        say_clock(record)
        assert capsys.readouterr().err == ""
        clock.move(days=365)
        record.step(request(), deny)
        clock.now = NOON
        say_clock(record)
        assert "365 days, 0:00:00 ahead of the clock" in (said := capsys.readouterr().err)
        assert "mcp-guard log set-clock" in said
