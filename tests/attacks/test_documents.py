"""Documents as hostile text: what a reviewer sees is what binds, and no text of theirs steers a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.config import load_config
from mcp_guard.errors import InputError
from mcp_guard.policy.document import load_text
from tests.cli.commands import guard

HIDDEN = """version: 1
grants:
  - {{id: one, tool: s/read, args: {{}}}}
  # reviewed{}  - {{id: all, tool: s/*, args: any}}
"""


@pytest.mark.parametrize("line_end", ["\u2028", "\u2029", "\x85", "\r"])
def test_no_rule_hides_in_a_comment_behind_a_line_end_that_editors_do_not_show(line_end: str) -> None:
    with pytest.raises(InputError, match="U\\+"):
        load_text(HIDDEN.format(line_end).encode(), file="policy.yaml", kind="policy")


def test_a_document_with_the_line_ends_of_windows_still_loads() -> None:
    document = load_text(HIDDEN.format("").replace("\n", "\r\n").encode(), file="policy.yaml", kind="policy")
    assert [rule.ref.id for rule in document.rules] == ["one"]


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200f", "\u061c"])
def test_no_document_is_shown_in_another_order_than_it_is_read_in(character: str) -> None:
    with pytest.raises(InputError, match="U\\+"):
        load_text(HIDDEN.format(character).encode(), file="policy.yaml", kind="policy")


@pytest.mark.parametrize(
    "name", ["b\u0430nk/transfer", "bank/tr\u0430nsfer", "bank/\uff54ransfer", "bank/transfer\u200b"]
)
def test_no_deny_names_a_tool_with_letters_that_only_look_like_it(name: str) -> None:
    text = f"version: 1\ndeny: [{{id: no, tool: {name}}}]\n"
    with pytest.raises(InputError, match="isn't a"):
        load_text(text.encode(), file="policy.yaml", kind="policy")


@pytest.mark.parametrize(
    "line",
    [
        'policy: "policy\\e]0;owned\\a\\nmcp-guard: all is well.yaml"',
        '"key\\e]0;owned\\a\\nmcp-guard: all is well": 1',
    ],
)
def test_a_guard_yaml_writes_nothing_of_its_own_to_the_terminal_of_who_checks_it(tmp_path: Path, line: str) -> None:
    file = tmp_path / "guard.yaml"
    file.write_text(f"version: 1\n{line}\nservers: {{one: {{command: [never-started]}}}}\n")
    done = guard(tmp_path / "state", "check", "--config", str(file))
    assert done.returncode == 2
    assert done.stderr.rstrip("\n").isprintable(), done.stderr  # no escape, and one line


@pytest.mark.parametrize(("one", "other"), [("files", "files__bank"), ("FILES", "files__bank"), ("a", "a_")])
def test_no_server_is_named_so_that_it_could_take_the_calls_of_another(tmp_path: Path, one: str, other: str) -> None:
    file = tmp_path / "guard.yaml"
    for first, second in ((one, other), (other, one)):
        file.write_text(f"version: 1\nservers: {{{first}: {{command: [x]}}, {second}: {{command: [x]}}}}\n")
        with pytest.raises(InputError, match="share one prefix"):
            load_config(file)
