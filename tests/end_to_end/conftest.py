"""The world in which each test runs its servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.website import website
from tests.end_to_end.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A place of its own for each test, with a web site that runs as long as the test."""
    with website() as site:
        yield World.at(tmp_path, site)
