"""What is read of a file, and how much it may cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from mcp_guard.clients import Entry, Scope, edited, fresh, load, load_bytes, rewired
from mcp_guard.errors import InputError
from tests.clients.files import CORPUS, placed, put_in_place
from tests.growth import moderate


def entry_of(tmp_path: Path, client: str, members: Mapping[str, object], place: str = "user") -> Entry:
    key = {"vscode": "servers", "zed": "context_servers"}.get(client, "mcpServers")
    file = put_in_place(tmp_path, client, place, json.dumps({key: {"x": members}}).encode())
    return load(file).sections[0].entries["x"]


def many(start: bytes, each: bytes, between: bytes, end: bytes) -> bytes:
    return start + between.join(each % number for number in range(80_000)) + end


def test_the_three_scopes_of_claude_code_are_told_apart(tmp_path: Path) -> None:
    name = "claude-code/user--three-scopes.json"
    loaded = load(placed(tmp_path, name, (CORPUS / name).read_bytes()))
    user, shop, notes = loaded.sections
    assert (user.scope, list(user.entries), user.project) == (Scope.USER, ["github", "files"], None)
    assert (shop.scope, list(shop.entries), shop.project) == (Scope.LOCAL, ["db"], "/home/iris/shop")
    assert (notes.scope, notes.present, dict(notes.entries)) == (Scope.LOCAL, True, {})
    assert user.entries["files"].place == (37, 5)


def test_an_entry_is_understood_and_what_is_unknown_is_kept(tmp_path: Path) -> None:
    members: dict[str, object] = {
        "type": "stdio",
        "command": "npx",
        "args": ["-y", "x"],
        "env": {"A": "1", "N": None, "P": 8080, "T": True},
        "cwd": "/srv",
        "future": {"k": [1]},
    }
    entry = entry_of(tmp_path, "vscode", members)
    assert entry.command == ("npx", "-y", "x")
    assert entry.env == {"A": "1", "N": None, "P": "8080", "T": "true"}
    assert entry.cwd == "/srv" and entry.url is None and not entry.disabled
    assert entry.others == {"future": {"k": [1]}}
    assert entry.members == members


@pytest.mark.parametrize(
    ("client", "members", "url"),
    [
        ("claude-code", {"type": "http", "url": "https://a"}, "https://a"),
        ("windsurf", {"serverUrl": "https://b"}, "https://b"),
        ("windsurf", {"url": "https://c"}, "https://c"),
        ("gemini-cli", {"httpUrl": "https://d"}, "https://d"),
        ("gemini-cli", {"url": "https://e"}, "https://e"),
        ("zed", {"url": "https://f", "headers": {"A": "b"}}, "https://f"),
    ],
)
def test_a_server_at_an_address_has_no_command(
    tmp_path: Path, client: str, members: dict[str, object], url: str
) -> None:
    entry = entry_of(tmp_path, client, members)
    assert entry.command is None and entry.url == url
    assert entry.headers == members.get("headers", {})


@pytest.mark.parametrize(
    ("client", "members", "disabled"),
    [
        ("windsurf", {"disabled": True}, True),
        ("windsurf", {"disabled": False}, False),
        ("zed", {"enabled": False}, True),
        ("zed", {"enabled": True}, False),
        ("cursor", {"disabled": True}, False),  # which Cursor doesn't document
    ],
)
def test_a_server_that_is_turned_off_is_told_by_the_clients_own_flag(
    tmp_path: Path, client: str, members: dict[str, object], disabled: bool
) -> None:
    assert entry_of(tmp_path, client, {"command": "x", **members}).disabled is disabled


def test_zeds_older_form_is_understood_and_rewired_in_place(tmp_path: Path) -> None:
    name = "zed/user--nested-command.json"
    file = placed(tmp_path, name, (CORPUS / name).read_bytes())
    entry = load(file).sections[0].entries["old"]
    assert entry.command == ("/usr/bin/node", "server.js", "--stdio")
    assert entry.env == {"KEY": "value"}
    assert rewired(file.client, entry, ["mcp-guard", "wrap"])["command"] == {
        "path": "mcp-guard",
        "args": ["wrap"],
        "env": {"KEY": "value"},
    }


def test_a_server_at_an_address_becomes_a_command_without_what_only_an_address_has(tmp_path: Path) -> None:
    members = {"type": "http", "url": "https://a", "headers": {"K": "v"}, "timeout": 5}
    file = put_in_place(tmp_path, "claude-code", "user", json.dumps({"mcpServers": {"x": members}}).encode())
    entry = load(file).sections[0].entries["x"]
    new = {"type": "stdio", "command": "guard", "args": ["run"], "timeout": 5}
    assert rewired(file.client, entry, ["guard", "run"]) == new
    assert fresh(file.client, ["guard"], {"A": "b"}) == {
        "type": "stdio",
        "command": "guard",
        "args": [],
        "env": {"A": "b"},
    }


def test_a_user_file_of_ten_megabytes_is_read_and_edited_in_seconds(tmp_path: Path) -> None:
    history = [{"display": f'number {n}: "{{[', "pasted": {}} for n in range(160_000)]
    value = {"projects": {"/x": {"history": history}}, "mcpServers": {"a": {"command": "a"}}}
    data = json.dumps(value, indent=2).encode()
    assert 10_000_000 < len(data) < 16_000_000
    file = put_in_place(tmp_path, "claude-code", "user", data)
    new = b""

    def work(_: int) -> None:
        nonlocal new
        loaded = load(file)
        new = edited(loaded, loaded.sections[0], put={"a": {"command": "b"}})

    assert moderate(work)
    assert new == data.replace(b'"command": "a"', b'"command": "b"')


@pytest.mark.parametrize(
    ("client", "data", "message"),
    [
        ("claude-code", b" " * 16_000_001, "more than 16 million bytes"),
        ("codex", b"#" * 2_000_001, "more than 2 million bytes"),
        ("claude-code", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        ("cursor", b'{"a":' + b"[" * 2_000_000, "nested too deeply"),
        ("claude-code", b'{"a": ' + b"1" * 5000 + b"}", "thousands of digits"),
        ("cursor", b"{" + b"/*" * 2_000_000, "this isn't JSON"),
        ("cursor", b"{" + b"," * 2_000_000, "this isn't JSON"),
        ("cursor", b'{"' + b"\\" * 2_000_001, "this isn't JSON"),
        ("cursor", b"{" + b"/**/" * 1_000_000, "this isn't JSON"),
        ("cursor", b'{"a": 1' + b",/**/ \n" * 500_000, "this isn't JSON"),
        ("codex", b"a = " + b"[" * 1_900_000, "nested too deeply"),
        ("codex", b"a." * 900_000, "more than 32 parts"),
        ("codex", b'a = """' + b'"' * 1_900_000 + b"x", "something stands behind"),
        ("codex", b"[" * 1_900_000, "a key was expected"),
        ("cursor", b'{"a":' * 150 + b"1" + b"}" * 150, "nested too deeply"),
        ("cursor", many(b'{"mcpServers":{', b'"%d":{}', b",", b"}}"), "more than 500 servers"),
        ("codex", many(b"", b"[mcp_servers.%d]", b"\n", b""), "more than 500 servers"),
    ],
)
def test_a_hostile_file_is_refused_before_it_costs_much(tmp_path: Path, client: str, data: bytes, message: str) -> None:
    file = put_in_place(tmp_path, client, "user", data)

    def work(_: int) -> None:
        with pytest.raises(InputError, match=message):
            load(file)

    assert moderate(work)


def test_an_error_shows_nothing_that_a_terminal_would_act_on(tmp_path: Path) -> None:
    file = put_in_place(tmp_path, "cursor", "user", b'{"mcpServers": {"\\u001b[2J": 1}}')
    with pytest.raises(InputError) as refusal:
        load(file)
    assert "\x1b" not in str(refusal.value) and "\\u001b[2J" in str(refusal.value)


@pytest.mark.parametrize("client", ["cursor", "codex"])
def test_members_may_be_given_as_any_mapping_and_sequence(tmp_path: Path, client: str) -> None:
    loaded = load(put_in_place(tmp_path, client, "user", b""))
    members = MappingProxyType({"command": "c", "args": ("a", "b"), "env": MappingProxyType({"K": "v"})})
    new = load_bytes(loaded.file, edited(loaded, loaded.sections[0], put={"x": members}))
    assert new.sections[0].entries["x"].members == {"command": "c", "args": ["a", "b"], "env": {"K": "v"}}


def test_a_server_that_is_not_there_cannot_be_taken_out(tmp_path: Path) -> None:
    loaded = load(put_in_place(tmp_path, "cursor", "user", b"{}"))
    with pytest.raises(InputError, match="can't be taken out"):
        edited(loaded, loaded.sections[0], remove=["x"])
