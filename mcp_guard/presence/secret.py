"""The PIN as it is kept: a slow hash and the count of wrong tries, in one 0600 file of the state directory.

Every try is counted before it is looked at, under a lock that all processes share: guesses at the same time, and those
of a process that is killed while it waits, count like any others.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import orjson

from mcp_guard.errors import GuardError, InputError
from mcp_guard.record import place

FILE, LOCK = "presence.pin", "presence.lock"
# 128 MiB and about 0.25 s a guess on one core: a million guesses with the file in hand take more than two days.
COST, BLOCK, LANES, MEMORY = 1 << 17, 8, 1, 256 << 20
FREE = 3
"""Wrong tries before the first wait: a person who mistypes isn't made to wait."""
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(days=1)
"""The wait doubles with each wrong try, up to this: about 14 tries on the first day, one a day from then on."""
SHORTEST, LONGEST = 6, 64
_LOCK_TRIES, _LOCK_PAUSE = 600, 0.05  # seconds: at most 30 s for those who are ahead
_SALT = 16


@dataclass(frozen=True, slots=True)
class Kept:
    """What the file holds. `until` is a time in seconds since 1970: no try is looked at before it."""

    salt: bytes
    hash: bytes
    wrong: int = 0
    until: float = 0.0


def is_set(directory: Path) -> bool:
    """Was a PIN set in this state directory?"""
    return os.path.lexists(directory / FILE)


def why_not_good(pin: str) -> str:
    """Why this can't be a PIN; empty if it can."""
    if not SHORTEST <= len(pin) <= LONGEST:
        return f"a PIN has {SHORTEST} to {LONGEST} characters"
    if not pin.isprintable():
        return "a PIN has visible characters only"
    steps = {ord(after) - ord(before) for before, after in pairwise(pin)}
    return "a PIN is no row like 111111 or 123456" if len(steps) == 1 and abs(steps.pop()) <= 1 else ""


def keep(directory: Path, pin: str) -> None:
    """Store a new PIN in place of the old one. Whoever calls has seen the old one, if there was any."""
    if why := why_not_good(pin):
        raise InputError(why)
    salt = os.urandom(_SALT)
    with _locked(directory):
        _write(directory, Kept(salt, _hash(pin, salt)))


def right(directory: Path, pin: str, clock: Callable[[], datetime]) -> None:
    """Return if it is the PIN. Raises GuardError, with when to try again, if it isn't or if it is too early.

    Raises InputError where none is set.
    """
    with _locked(directory):
        kept = _read(directory)
        now = clock().timestamp()
        if now < kept.until:
            raise GuardError(f"too many wrong PINs: the next try is in {in_words(kept.until - now)}")
        wrong = kept.wrong + 1
        tried = replace(kept, wrong=wrong, until=now + wait_after(wrong).total_seconds())
        _write(directory, tried)  # before it is looked at: a killed guess has been made
        if hmac.compare_digest(_hash(pin, kept.salt), kept.hash):
            _write(directory, Kept(kept.salt, kept.hash))
            return
    left = FREE - wrong
    raise GuardError(
        f"wrong PIN; {left} more before there is a wait"
        if left > 0
        else f"wrong PIN; the next try is in {in_words(wait_after(wrong).total_seconds())}"
    )


def wait_after(wrong: int) -> timedelta:
    """How long nothing is looked at after so many wrong tries in a row."""
    if wrong < FREE:
        return timedelta()
    doubled = min(wrong - FREE, 30)
    return min(FIRST_WAIT * (1 << doubled), LONGEST_WAIT)


def in_words(seconds: float) -> str:
    """A wait, rounded up."""
    for length, name in ((3600, "h"), (60, "min")):
        if seconds > length:
            return f"{-int(-seconds // length)} {name}"
    return f"{max(1, -int(-seconds // 1))} s"


def _hash(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=COST, r=BLOCK, p=LANES, maxmem=MEMORY, dklen=32)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    place.prepare(directory)
    path = directory / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)
        else:
            raise GuardError("other programs are trying PINs at this moment; try again, and see who they are")
        yield
    finally:
        os.close(descriptor)


def _read(directory: Path) -> Kept:
    path = directory / FILE
    place.check_file(path)
    try:
        said = orjson.loads(path.read_bytes())
        kept = Kept(bytes.fromhex(said["salt"]), bytes.fromhex(said["hash"]), int(said["wrong"]), float(said["until"]))
    except FileNotFoundError:
        raise InputError("no PIN is set; set one on a terminal with `mcp-guard pin`") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise GuardError(
            f"`{path}` can't be read as what the guard wrote: somebody changed it; without it, set a PIN anew"
        ) from error
    if len(kept.salt) != _SALT or len(kept.hash) != 32 or kept.wrong < 0:
        raise GuardError(f"`{path}` isn't what the guard wrote: somebody changed it; without it, set a PIN anew")
    return kept


def _write(directory: Path, kept: Kept) -> None:
    said = {"salt": kept.salt.hex(), "hash": kept.hash.hex(), "wrong": kept.wrong, "until": kept.until}
    aside = directory / f".{FILE}.{os.urandom(8).hex()}"
    try:
        if not place.publish(aside, orjson.dumps(said)):
            raise FileExistsError
        aside.replace(directory / FILE)  # whole or not at all
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise GuardError(f"a try can't be counted in `{directory}`, so there is none; make room there") from error
