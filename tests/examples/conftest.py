"""A directory with a short name: one of pytest's looks like a secret to what masks them, and a reader has none such."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

TEMPORARY = Path("/tmp").resolve()  # noqa: S108 - the stories' own place; each run makes a directory that wasn't there


@pytest.fixture
def root() -> Iterator[Path]:
    """New, for this test alone, and gone after it."""
    directory = _new()
    yield directory
    shutil.rmtree(directory, ignore_errors=True)  # what was told to end may still be writing


def _new() -> Path:
    for number in count(1):
        directory = TEMPORARY / f"s{number}"
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return directory
    raise AssertionError("there is always a next number")
