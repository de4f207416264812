"""guard.yaml as it is written: what it is read as again, whatever somebody called things."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.config import read_config
from mcp_guard.errors import InputError
from mcp_guard.starting.guard_text import ANY_VERSION, ServerLine, added_text, checked, new_text

FILE = Path("/guards/guard.yaml")
WORDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30)
LINE = ServerLine("files", ("npx", "-y", "server", "."), "/home/iris/shop", {"TOKEN": "TOKEN"})


@given(st.lists(WORDS, min_size=1, max_size=6), WORDS)
def test_a_command_is_read_back_word_for_word(words: list[str], heading: str) -> None:
    line = ServerLine("files", tuple(words), "/home/iris/shop", {})
    text = new_text([heading], "policy.yaml", Path("/home/iris/shop"), [line])
    (spec,) = read_config(text.encode(), FILE).servers
    assert spec.command == tuple(words)


def test_the_lines_are_those_that_a_person_would_write() -> None:
    other = ServerLine("web", ("uvx", "web"), "/p", {"PATH": "GUARDED_WEB_PATH"})
    remote = ServerLine("docs", (), "", {}, "https://docs.example.com/mcp", "DOCS_TOKEN", {"X-Team": "DOCS_SECRET"})
    text = new_text(["Hello."], "policy.yaml", Path("/p"), [LINE, other, remote])
    assert text == (
        "# Hello.\nversion: 1\npolicy: policy.yaml\n"
        'set: {project: "/p"}   # the only directory that the policy opens\n'
        "servers:\n"
        '  files: {command: [npx, "-y", server, "."], cwd: "/home/iris/shop", env: [TOKEN]}'
        f"{ANY_VERSION}\n"
        '  web: {command: [uvx, web], cwd: "/p", env: {PATH: GUARDED_WEB_PATH}}'
        f"{ANY_VERSION}\n"
        '  docs: {url: "https://docs.example.com/mcp", token_env: DOCS_TOKEN, headers_env: {X-Team: DOCS_SECRET}}\n'
    )
    assert [spec.name for spec in read_config(text.encode(), FILE).servers] == ["files", "web", "docs"]


EDITED = """\
# Mine.
version: 1
servers:   # three of them

  # the first
  files: {command: [x]}   # why

  web:
    command:
    - y
# and that was it

policy: mine.yaml   # last
"""


@pytest.mark.parametrize("old", [EDITED, EDITED.replace("\n\npolicy: mine.yaml   # last\n", "")])
def test_a_server_is_added_to_an_edited_file_and_every_other_line_stays(old: str) -> None:
    new = added_text(old, FILE, [ServerLine("more", ("z",), "/p", {})])
    assert [spec.name for spec in read_config(new.encode(), FILE).servers] == ["files", "web", "more"]
    assert [line for line in new.splitlines() if "more" not in line] == old.splitlines()


@pytest.mark.parametrize(
    "old",
    [
        "version: 1\nservers: {files: {command: [x]}}\n",
        "version: 1\nservers:\n    files: {command: [x]}\n",
        "{version: 1, servers: {files: {command: [x]}}}\n",
    ],
)
def test_where_a_line_cannot_be_added_for_certain_the_person_is_told_what_to_write(old: str) -> None:
    with pytest.raises(InputError, match=r"(?s)by hand.*more: |guard\.yaml:\d+:\d+"):
        added_text(old, FILE, [ServerLine("more", ("z",), "/p", {})])


def test_what_would_be_read_as_something_else_is_not_written() -> None:
    text = new_text([], "policy.yaml", None, [LINE])
    checked(text, FILE, [LINE])
    for other in (
        ServerLine("files", ("npx",), LINE.cwd, {}),
        ServerLine("files", LINE.command, "/elsewhere", {}),
        ServerLine("gone", LINE.command, LINE.cwd, {}),
        ServerLine("files", (), "", {}, "https://x.example/"),
    ):
        with pytest.raises(InputError, match="can't be written"):
            checked(text, FILE, [other])
