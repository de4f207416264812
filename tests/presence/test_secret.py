"""Right and wrong PINs, how fast they can be tried, and what the file says of them."""

from __future__ import annotations

import contextlib
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from mcp_guard import presence
from mcp_guard.errors import GuardError, InputError
from mcp_guard.presence import secret
from mcp_guard.record import place

PIN = "hush-4711"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "COST", 1 << 4)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    secret.keep(tmp_path / "state", PIN)
    return tmp_path / "state"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def wrong(state: Path, clock: Clock, times: int = 1) -> str:
    said = ""
    for _ in range(times):
        with pytest.raises(GuardError) as raised:
            presence.check(state, "wrong-pin", clock=clock)
        said = str(raised.value)
    return said


def test_the_right_pin_is_right_and_any_other_is_not(state: Path) -> None:
    presence.check(state, PIN)
    for other in (PIN.upper(), PIN[:-1], f"{PIN} ", ""):
        with pytest.raises(GuardError, match="wrong PIN"):
            secret.right(state, other, Clock())
        presence.check(state, PIN)


def test_the_file_is_private_and_holds_no_pin(state: Path) -> None:
    file = state / secret.FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PIN.encode() not in file.read_bytes()


def test_one_pin_has_another_hash_each_time_it_is_set(state: Path) -> None:
    before = (state / secret.FILE).read_bytes()
    secret.keep(state, PIN)
    assert (state / secret.FILE).read_bytes() != before


def test_after_three_wrong_tries_not_even_the_right_one_is_looked_at(state: Path) -> None:
    clock = Clock()
    assert "next try is in 30 s" in wrong(state, clock, 3)
    with pytest.raises(GuardError, match="too many wrong PINs"):
        presence.check(state, PIN, clock=clock)
    clock.now += secret.FIRST_WAIT
    presence.check(state, PIN, clock=clock)


def test_the_wait_doubles_up_to_a_day_and_a_right_pin_ends_it(state: Path) -> None:
    waits = [secret.wait_after(tries) for tries in range(3, 18)]
    assert all(later == min(2 * sooner, secret.LONGEST_WAIT) for sooner, later in pairwise(waits))
    assert waits[-1] == timedelta(days=1)
    clock = Clock()
    wrong(state, clock, 2)
    presence.check(state, PIN, clock=clock)
    assert "2 more" in wrong(state, clock)


def test_in_a_first_day_of_trying_without_end_fewer_than_twenty_guesses_are_looked_at(state: Path) -> None:
    clock, looked_at = Clock(), 0
    while clock.now < NOON + timedelta(days=1):
        said = wrong(state, clock)
        looked_at += said.startswith("wrong PIN")
        clock.now += timedelta(seconds=15)
        if "h" in said.rpartition("in ")[2]:
            clock.now += timedelta(hours=1)
    assert 5 < looked_at < 20


def test_a_clock_that_goes_back_gives_no_try(state: Path) -> None:
    clock = Clock()
    wrong(state, clock, 3)
    clock.now -= timedelta(days=400)
    with pytest.raises(GuardError, match="too many"):
        presence.check(state, PIN, clock=clock)


def test_a_try_counts_from_before_it_is_looked_at(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(pin: str, salt: bytes) -> bytes:
        raise Killed

    clock = Clock()
    with monkeypatch.context() as patched:
        patched.setattr(secret, "_hash", killed)
        for _ in range(3):
            with contextlib.suppress(Killed):
                presence.check(state, "guess-1", clock=clock)
    with pytest.raises(GuardError, match="too many"):
        presence.check(state, PIN, clock=clock)


def test_guesses_of_many_processes_at_once_all_count(state: Path) -> None:
    # The hash is made quick, so that all five come within the same moment on a busy machine.
    made_quick = "import sys; from pathlib import Path; from mcp_guard.presence import check, secret; secret.COST = 16"
    guess = f"{made_quick}; check(Path(sys.argv[1]), 'x')"
    running = [
        subprocess.Popen([sys.executable, "-c", guess, str(state)], stderr=subprocess.PIPE, text=True) for _ in range(5)
    ]
    said = [process.communicate(timeout=60)[1] for process in running]
    assert sum(": wrong PIN" in one for one in said) == secret.FREE
    assert sum("too many wrong PINs" in one for one in said) == 2


@pytest.mark.parametrize("pin", ["12345", "111111", "123456", "987654", "tab\there", "x" * 65, ""])
def test_a_pin_that_is_guessed_first_is_none(tmp_path: Path, pin: str) -> None:
    with pytest.raises(InputError):
        secret.keep(tmp_path / "state", pin)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"salt":"","hash":"","wrong":0,"until":0}', b"null"])
def test_a_file_that_somebody_changed_opens_nothing(state: Path, text: bytes) -> None:
    (state / secret.FILE).write_bytes(text)
    with pytest.raises(GuardError, match="somebody changed it"):
        presence.check(state, PIN)


def test_a_file_that_others_can_read_or_that_is_a_link_opens_nothing(state: Path) -> None:
    (state / secret.FILE).chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        presence.check(state, PIN)
    (state / secret.FILE).rename(state / "elsewhere")
    (state / secret.FILE).symlink_to(state / "elsewhere")
    with pytest.raises(InputError, match="symbolic link"):
        presence.check(state, PIN)


def test_without_a_pin_nothing_is_right(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mcp-guard pin"):
        presence.check(tmp_path / "state", PIN)


def test_a_try_that_cannot_be_counted_is_not_made(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> bool:
        raise OSError("no room")

    monkeypatch.setattr(place, "publish", full)
    with pytest.raises(GuardError, match="can't be counted"):
        presence.check(state, PIN)
