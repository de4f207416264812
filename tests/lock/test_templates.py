"""Addresses that a pinned template makes, and others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.lock.templates import fits

FITTING = [
    ("notes://{id}", "notes://7"),
    ("file:///{+path}", "file:///srv/a/b.txt"),
    ("repo://{owner}/{repo}/contents{/path*}", "repo://me/it/contents/src/a.py"),
    ("search://all{?q,page}", "search://all?q=x&page=2"),
    ("search://all{?q}", "search://all"),
    ("doc://{name}.{ext}{#part}", "doc://a.md#2"),
    ("a+b://{x}", "a+b://y"),
]
OTHERS = [
    ("notes://{id}", "notes://7/secret"),
    ("notes://{id}", "secrets://7"),
    ("notes://{id}", "notes://7?all=1"),
    ("notes://{id}", "x\nnotes://7"),
    ("a.b://{x}", "aXb://y"),
    ("repo://{owner}/contents", "repo://me/contents/x"),
    ("odd://{ }", "odd://{ }"),
    ("odd://{x", "odd://{x"),
    ("odd://{|x}", "odd://y"),
]


@pytest.mark.parametrize(("template", "uri"), FITTING)
def test_what_a_template_makes_fits_it(template: str, uri: str) -> None:
    assert fits(template, uri)


@pytest.mark.parametrize(("template", "uri"), OTHERS)
def test_what_it_does_not_make_or_what_cannot_be_read_fits_nothing(template: str, uri: str) -> None:
    assert not fits(template, uri)


@given(
    st.from_regex(r"\A[a-z]{1,5}://[a-z.+*()/-]{0,10}\Z"), st.text(st.characters(exclude_characters="/?#"), max_size=9)
)
def test_a_part_is_whatever_stands_between_the_slashes(fixed: str, part: str) -> None:
    assert fits(f"{fixed}/{{x}}", f"{fixed}/{part}")
    assert not fits(f"{fixed}/{{x}}", f"{fixed}/{part}/{part}")
    assert fits(fixed, fixed)
    assert fits(f"{fixed}{{+x}}", f"{fixed}{part}/{part}")
