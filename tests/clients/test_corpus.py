"""Every file of the corpus is read, edited and put back byte for byte, or refused with its place and left alone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.clients import Backups, ConfigFile, Format, How, Loaded, Section, edited, load, load_bytes, rewired
from mcp_guard.clients.jsonc import members, value_end
from mcp_guard.clients.loading import json_source
from mcp_guard.errors import InputError
from tests.clients.files import (
    CORPUS,
    REFUSED,
    accepted,
    placed,
    reference,
    refused,
    table,
    with_table,
    without_empty,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NEW: dict[str, Any] = {"command": "mcp-guard", "args": ["run", "--config", 'a "b" \\ ü.yaml'], "env": {"K": "v"}}

# Which part of the message, and where, each refusal must have.
REASONS = {
    "claude-code/user--key-twice.json": ("stands here twice", "3:3"),
    "claude-code/user--server-twice.json": ("stands here twice", "3:3"),
    "claude-code/user--command-twice.json": ("stands here twice", "3:3"),
    "claude-code/user--comment.json": ("a comment", "2:22"),
    "claude-code/user--truncated.json": ("this isn't JSON", "3:25"),
    "claude-code/user--local-table-no-object.json": ("must be an object", "1:36"),
    "claude-code/project--table-is-a-list.json": ("must be an object", "2:17"),
    "claude-code/project--command-is-a-list.json": ("`command` of the server `a` must be text", "3:11"),
    "claude-code/project--lone-surrogate.json": ("lone surrogate", "1:17"),
    "claude-desktop/user--trailing-comma.json": ("a comma after the last one", "3:26"),
    "claude-desktop/user--utf16.json": ("UTF-8", "1:1"),
    "claude-desktop/user--latin1.json": ("UTF-8", "1:18"),
    "claude-desktop/user--null-table.json": ("is null", "2:17"),
    "claude-desktop/user--two-values.json": ("this isn't JSON", "2:1"),
    "claude-desktop/user--single-quotes.json": ("this isn't JSON", "1:2"),
    "claude-desktop/user--nan.json": ("`NaN`", "1:1"),
    "claude-desktop/user--control-character.json": ("this isn't JSON", "1:19"),
    "cursor/user--args-is-text.json": ("`args` of the server `a` must be a list of texts", "2:3"),
    "cursor/user--comma-alone.json": ("a comma with nothing before it", "1:48"),
    "cursor/user--open-comment.json": ("this isn't JSON", "1:19"),
    "cursor/user--carriage-return-in-comment.json": ("carriage return", "1:3"),
    "vscode/project--root-is-a-list.json": ("the file must be an object", "1:1"),
    "vscode/project--server-is-text.json": ("the server `a` must be an object", "1:14"),
    "gemini-cli/user--trailing-comma.json": ("a comma after the last one", "3:39"),
    "zed/user--env-is-a-list.json": ("`env` of the server `a` must be an object", "1:44"),
    "windsurf/user--disabled-is-text.json": ("`disabled` of the server `a` must be true or false", "1:39"),
    "codex/user--table-twice.toml": ("this isn't TOML", "4:"),
    "codex/user--key-twice.toml": ("this isn't TOML", "3:"),
    "codex/user--unquoted.toml": ("this isn't TOML", "2:11"),
    "codex/user--array-of-servers.toml": ("must be a table", "1:1"),
    "codex/user--newline-in-inline-table.toml": ("this isn't TOML", "2:"),
    "codex/user--args-of-numbers.toml": ("`args` of the server `a` must be a list of texts", "3:1"),
    "codex/user--open-string.toml": ("a value was expected here", "2:11"),
    "codex/user--two-on-a-line.toml": ("something stands behind", "1:16"),
}


def changes(file: ConfigFile, here: Section) -> list[tuple[list[str], dict[str, dict[str, Any]]]]:
    """Edits to try on a table: each server out, all out, one in, each guarded, and all of it at once."""
    names = list(here.entries)
    commands = {name: entry for name, entry in here.entries.items() if entry.command}
    guarded = {
        name: rewired(file.client, entry, ["mcp-guard", "wrap", "--name", name, "--", *(entry.command or ())])
        for name, entry in commands.items()
    }
    one_out: list[tuple[list[str], dict[str, Any]]] = [([name], {}) for name in names]
    each: list[tuple[list[str], dict[str, Any]]] = [([], {name: members}) for name, members in guarded.items()]
    rest = [name for name in names if name not in guarded]
    return [*one_out, (names, {}), ([], {"new server": NEW}), *each, (rest, {**guarded, "new server": NEW})]


def test_the_corpus_is_of_all_clients_and_large_enough() -> None:
    assert len(accepted()) >= 60
    assert len({name.partition("/")[0] for name in accepted()}) == 8
    assert set(refused()) == set(REASONS)


@pytest.mark.parametrize("name", accepted())
def test_a_file_says_what_a_second_reader_says(name: str, tmp_path: Path) -> None:
    data = (CORPUS / name).read_bytes()
    file = placed(tmp_path, name, data)
    loaded = load(file)
    assert loaded.data == data
    value = reference(file, data)
    for here in loaded.sections:
        assert {entry.name: entry.members for entry in here.entries.values()} == table(value, here.path)
        assert here.present == (table(value, here.path[:-1]).get(here.path[-1]) is not None)


@pytest.mark.parametrize("name", accepted())
def test_an_edit_changes_what_it_names_and_no_other_byte(name: str, tmp_path: Path) -> None:
    data = (CORPUS / name).read_bytes()
    file = placed(tmp_path, name, data)
    loaded = load(file)
    before = reference(file, data)
    tried = 0
    for here in loaded.sections:
        for gone, put in changes(file, here):
            new = edited(loaded, here, remove=gone, put=put)
            meant = {key: one for key, one in table(before, here.path).items() if key not in gone} | put
            expected = with_table(before, here.path, meant) if here.present or put else before
            if file.format is Format.TOML:
                assert without_empty(reference(file, new)) == without_empty(expected)
            else:
                assert reference(file, new) == expected
            assert_rest_is_kept(loaded, here, {*gone, *put}, new)
            tried += 1
    assert tried >= 2 or not loaded.sections


@pytest.mark.parametrize("name", accepted())
def test_an_edit_is_undone_byte_for_byte(name: str, tmp_path: Path) -> None:
    data = (CORPUS / name).read_bytes()
    file = placed(tmp_path, name, data)
    loaded = load(file)
    backups = Backups(tmp_path / "state" / "clients")
    for here in loaded.sections:
        for gone, put in changes(file, here):
            backups.change(file, data, edited(loaded, here, remove=gone, put=put), NOW)
            undone = [backups.undo(change) for change in backups.kept()]
            assert file.path.read_bytes() == data
            assert all(one.how is How.RESTORED for one in undone)
            assert backups.kept() == ()


@pytest.mark.parametrize("name", refused())
def test_what_is_refused_is_refused_with_its_place_and_untouched(name: str, tmp_path: Path) -> None:
    data = (REFUSED / name).read_bytes()
    file = placed(tmp_path, name, data)
    message, place = REASONS[name]
    with pytest.raises(InputError) as refusal:
        load(file)
    said = str(refusal.value)
    assert message in said and f"{file.path}:{place}" in said
    assert said.endswith("nothing was changed")
    assert file.path.read_bytes() == data


def assert_rest_is_kept(loaded: Loaded, here: Section, touched: set[str], new: bytes) -> None:
    """Everything outside of the table, and every other entry in it, stands in the new text as it did."""
    if loaded.file.format is Format.TOML:
        assert_lines_are_kept(loaded, here, touched, new)
    else:
        assert_json_is_kept(loaded, here, touched, new)


def assert_json_is_kept(loaded: Loaded, here: Section, touched: set[str], new: bytes) -> None:
    old_text, new_text = loaded.data.decode(), new.decode()
    old_table, new_table = span(loaded, here), span(load_bytes(loaded.file, new), here)
    if old_table is None:
        return
    assert new_table is not None
    assert old_text[: old_table[0]] == new_text[: new_table[0]]
    assert old_text[old_table[1] :] == new_text[new_table[1] :]
    source, after = json_source(loaded.file, loaded.data), json_source(loaded.file, new)
    kept = {one.key: old_text[one.start : one.end] for one in members(source, old_table[0]) if one.key not in touched}
    found = {one.key: new_text[one.start : one.end] for one in members(after, new_table[0])}
    assert kept.items() <= found.items()
    assert [key for key in found if key in kept] == list(kept)
    # A comment in a touched entry may go with it.
    inside = [(one.start, one.end) for one in members(source, old_table[0]) if one.key in touched]
    outside = [one for one in source.comments if not any(first < one[0] < last for first, last in inside)]
    comments = Counter(old_text[start:end] for start, end in outside)
    assert comments <= Counter(new_text[start:end] for start, end in after.comments)


def span(loaded: Loaded, here: Section) -> tuple[int, int] | None:
    source = json_source(loaded.file, loaded.data)
    at = source.root()
    for key in here.path:
        if at is None:
            return None
        at = next((one.value for one in members(source, at) if one.key == key), None)
    return None if at is None else (at, value_end(source.plain, at))


def assert_lines_are_kept(loaded: Loaded, here: Section, touched: set[str], new: bytes) -> None:
    """The lines that aren't about a touched server are all there, in order, with their line ends."""
    from mcp_guard.clients.toml_scan import read

    source = read(loaded.data, "x")
    text = source.text
    about: set[int] = set()
    for name in touched:
        lines: list[int] = []
        for one in source.statements:
            inline = not one.header and one.path == here.path[: len(one.path)]
            if one.path[: len(here.path) + 1] == (*here.path, name) or inline:
                lines += range(text.count("\n", 0, one.start), text.count("\n", 0, one.end) + 1)
        about |= set(lines)
        own = [one for one in source.statements if one.path[: len(here.path) + 1] == (*here.path, name)]
        for first, second in pairwise(own):  # comments within one server's own block
            if source.statements.index(second) == source.statements.index(first) + 1:
                about |= set(range(text.count("\n", 0, first.start), text.count("\n", 0, second.start)))
    kept = [line for number, line in enumerate(text.splitlines(keepends=True)) if number not in about and line.strip()]
    left = iter(new.decode().splitlines(keepends=True))
    for line in kept:
        ends = {line, line + "\n", line + "\r\n"}  # the last line may have had no end
        assert any(one in ends for one in left), line
