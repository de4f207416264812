"""`real_path` is `os.path.realpath`, faster: held against it over trees of links."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.real_path import real_path

NAMES = ["a", "b", "c"]
steps = st.lists(st.sampled_from([*NAMES, "..", "."]), min_size=1, max_size=4).map("/".join)
things = st.lists(st.tuples(st.sampled_from(["file", "directory", "link", "absolute"]), steps, steps), max_size=8)


def build(root: Path, made: list[tuple[str, str, str]]) -> None:
    """Make what can be made; what can't, because something else is there, is left out."""
    for kind, name, target in made:
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                path.touch()
            elif kind == "directory":
                path.mkdir()
            else:
                path.symlink_to(root / target if kind == "absolute" else target)
        except OSError:
            continue


@given(things, st.lists(steps, min_size=1, max_size=6))
@settings(max_examples=150)
def test_it_agrees_with_the_standard_library(made: list[tuple[str, str, str]], asked: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        build(root, made)
        for path in (f"{root}/{name}" for name in asked):
            assert real_path(path) == os.path.realpath(path), path


@pytest.mark.parametrize(
    "path", ["/", "//", "/etc/", "/nonexistent", "/nonexistent/x", "/dev/null", "/proc/self/cwd", "/etc/passwd/x"]
)
def test_it_agrees_at_the_edges(path: str) -> None:
    assert real_path(path) == os.path.realpath(path)


def test_a_name_that_looks_like_that_of_a_removed_file_is_no_doubt(tmp_path: Path) -> None:
    odd = tmp_path / "x (deleted)"
    odd.touch()
    assert real_path(str(odd)) == str(odd.resolve())


def test_it_leaves_no_handle_open(tmp_path: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    for name in ("there", "absent"):
        for _ in range(50):
            real_path(str(tmp_path / name))
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_path_with_nul_is_an_error_as_in_the_standard_library() -> None:
    with pytest.raises(ValueError, match="null"):
        real_path("/a\0b")
