"""What a person is shown of somebody's configuration: enough to judge the change, and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.clients import CLIENTS, edited, load, masked, masked_diff, masked_text, rewired
from mcp_guard.clients.known import ZED
from mcp_guard.clients.masking import MASK, masked_address, masked_arguments, masked_members
from tests.clients.files import CORPUS, accepted, placed, put_in_place

SHAPE = ZED.shape


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (["-y", "@scope/server@1.2.3", "/home/ada/x"], ["-y", "@scope/server@1.2.3", "/home/ada/x"]),
        (["--token", "abc"], ["--token", MASK]),
        (["--api-key", "abc", "--port", "80"], ["--api-key", MASK, "--port", "80"]),
        (["--api_key=abc"], ["--api_key=****"]),
        (["--password", "--verbose"], ["--password", "--verbose"]),
        (["--header", "Authorization: Bearer abc"], ["--header", MASK]),
        (["--db-path", "/srv/db"], ["--db-path", "/srv/db"]),
        (["-e", "TOKEN=abc"], ["-e", "TOKEN=****"]),
        (["-e", "TOKEN"], ["-e", "TOKEN"]),
        (["TOKEN=abc", "cmd"], ["TOKEN=****", "cmd"]),
        (["--token", "${TOKEN}"], ["--token", "${TOKEN}"]),
        (["--token=${input:key}"], ["--token=${input:key}"]),
        (["--token", "$API_TOKEN"], ["--token", "$API_TOKEN"]),
        (["--token", "$ecret"], ["--token", MASK]),
        (["--token", "${TOKEN:-s3cret}"], ["--token", MASK]),
        (["-u", "server.py"], ["-u", "server.py"]),
        (["ghp_0123456789abcdefghijABCDEFGHIJ012345"], [MASK]),
        (["sk-proj-abc"], [MASK]),
        (["postgresql://u:p@localhost/db"], ["postgresql://****@localhost/db"]),
        (["--url=https://u:p@h/x?k=v"], ["--url=https://****@h/x?k=****"]),
        (["Server=h;Password=abc;"], ["Server=****"]),
        (["run", "-i", "--rm", "ghcr.io/o/i:1.0"], ["run", "-i", "--rm", "ghcr.io/o/i:1.0"]),
        (["--local-timezone=Europe/Berlin"], ["--local-timezone=Europe/Berlin"]),
        ([1, None, ["a"]], [1, None, [MASK]]),
    ],
)
def test_arguments_are_shown_without_what_is_secret_in_them(args: list[Any], shown: list[Any]) -> None:
    assert masked_arguments(args) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://example.com/mcp", "https://example.com/mcp"),
        ("http://localhost:8080/sse", "http://localhost:8080/sse"),
        ("https://u:p@example.com:1/mcp", "https://****@example.com:1/mcp"),
        ("https://example.com/mcp?key=abc&x", "https://example.com/mcp?key=****&****"),
        ("https://example.com/mcp#abc", "https://example.com/mcp#****"),
        ("https://example.com/mcp/0123456789abcdef01234567/sse", "https://example.com/mcp/****/sse"),
        ("https://[::1", MASK),
        ("not an address", MASK),
        ("${URL}", "${URL}"),
    ],
)
def test_addresses_are_shown_without_what_is_secret_in_them(address: str, shown: str) -> None:
    assert masked_address(address) == shown


def test_values_of_variables_and_headers_are_never_shown_and_unknown_texts_neither() -> None:
    members = {
        "type": "stdio",
        "command": "npx",
        "env": {"A": "1", "B": "", "C": "${C}", "D": None, "E": 8080},
        "headers": {"Authorization": "Bearer abc", "X": "Bearer ${T}"},
        "settings": {"token": "abc", "deep": [{"k": "abc"}], "on": True},
        "timeout": 5,
    }
    assert masked_members(members, SHAPE) == {
        "type": "stdio",
        "command": "npx",
        "env": {"A": MASK, "B": "", "C": "${C}", "D": None, "E": 8080},
        "headers": {"Authorization": MASK, "X": "Bearer ${T}"},
        "settings": {"token": MASK, "deep": [{"k": MASK}], "on": True},
        "timeout": 5,
    }


secrets = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789-_"), min_size=12, max_size=50)
flags = st.sampled_from(["--token", "--api-key", "--access-token", "--password", "--client-secret", "--header"])


@given(secrets.map(lambda text: f"Q{text}Q"), flags, st.sampled_from(CLIENTS))
def test_no_secret_is_shown_wherever_an_entry_has_it(secret: str, flag: str, client: Any) -> None:
    members = {
        "command": f"TOKEN={secret}",
        "args": [flag, secret, f"{flag}={secret}", f"NAME={secret}", f"https://u:{secret}@h/?q={secret}#{secret}"],
        "env": {"K": secret},
        **{name: {"K": secret} for name in (*client.shape.headers, "other")},
        **dict.fromkeys(client.shape.url, f"https://{secret}@h/x?k={secret}"),
    }
    assert secret not in repr(masked_members(members, client.shape))


@pytest.mark.parametrize("name", accepted())
def test_no_value_of_a_variable_or_header_of_the_corpus_is_in_a_difference(name: str, tmp_path: Path) -> None:
    data = (CORPUS / name).read_bytes()
    file = placed(tmp_path, name, data)
    loaded = load(file)
    hidden = {
        value
        for here in loaded.sections
        for entry in here.entries.values()
        for value in (*entry.env.values(), *entry.headers.values())
        if value and len(value) > 4 and "$" not in value
    }
    for here in loaded.sections:
        put = {
            one: rewired(file.client, entry, ["mcp-guard", *(entry.command or ())])
            for one, entry in here.entries.items()
        }
        diff = masked_diff(file, data, edited(loaded, here, put=put)).split("\n", 2)
        shown = diff[-1] + masked_text(file, data)  # without the file's name
        assert [value for value in hidden if value in shown] == []
        assert not put or "mcp-guard" in shown


def test_a_difference_shows_the_change_and_hides_what_stands_around_it(tmp_path: Path) -> None:
    data = b"""{
  "primaryApiKey": "sk-ant-secret", // and a comment: hunter2
  "mcpServers": {
    "files": {
      "command": "npx",
      "env": {"TOKEN": "s3cret-value"} // old: s3cret-older
    }
  },
  "oauth": {"refresh": "another-secret"}
}
"""
    file = put_in_place(tmp_path, "cursor", "user", data)
    loaded = load(file)
    here = loaded.sections[0]
    assert masked(here.entries["files"], file.client.shape) == {"command": "npx", "env": {"TOKEN": MASK}}
    new = edited(loaded, here, put={"files": rewired(file.client, here.entries["files"], ["guard", "wrap"])})
    diff = masked_diff(file, data, new)
    assert '-      "command": "npx",' in diff and '+      "command": "guard",' in diff
    assert '   "primaryApiKey": "****", // …' in diff
    assert [word for word in ("sk-ant", "hunter2", "s3cret", "another") if word in diff] == []
    assert diff.startswith(f"--- {file.path}\n+++ {file.path}\n@@ -2,")


def test_a_difference_in_toml_hides_values_and_comments_too(tmp_path: Path) -> None:
    data = b'api_key = "sk-secret"\n[mcp_servers.a] # hunter2\ncommand = "npx"\nenv = { T = "s3cret-1" }\n\
http_headers = { A = "s3cret-2" }\nargs = ["--token", "s3cret-3", # s3cret-4\n]\n[mcp_servers.a.x]\nk = "s3cret-5"\n'
    file = put_in_place(tmp_path, "codex", "user", data)
    loaded = load(file)
    here = loaded.sections[0]
    new = edited(loaded, here, put={"a": {**here.entries["a"].members, "command": "guard"}})
    diff = masked_diff(file, data, new)
    assert '-command = "npx"\n+command = "guard"\n' in diff
    assert all(word not in diff for word in ("sk-secret", "hunter2", "s3cret"))


def test_a_difference_in_masked_values_alone_is_said(tmp_path: Path) -> None:
    old = b'{"mcpServers": {"a": {"command": "a", "env": {"K": "one-secret"}}}}'
    file = put_in_place(tmp_path, "cursor", "user", old)
    assert "only what is masked differs" in masked_diff(file, old, old.replace(b"one", b"two"))
    assert masked_diff(file, old, old) == ""


def test_what_cannot_be_read_is_not_shown(tmp_path: Path) -> None:
    file = put_in_place(tmp_path, "cursor", "user", b"{}")
    diff = masked_diff(file, b'{"token": "s3cret"', b"{}")
    assert "s3cret" not in diff and "not shown" in diff


def test_a_difference_has_nothing_that_a_terminal_would_act_on(tmp_path: Path) -> None:
    file = put_in_place(tmp_path, "cursor", "user", b"{}")
    new = '{"mcpServers": {"\u202e\u009b2J": {"command": "\u001b]0;x\u0007"}}}'.replace("\x1b", "\\u001b").replace(
        "\x07", "\\u0007"
    )
    assert masked_diff(file, b"{}", new.encode()).isprintable() is False  # line ends
    assert all(line.isprintable() for line in masked_diff(file, b"{}", new.encode()).split("\n"))


def test_a_small_change_in_a_large_file_is_shown_small_and_with_its_line(tmp_path: Path) -> None:
    lines = "".join(f'  "setting{n}": {n},\n' for n in range(50_000))
    data = ("{\n" + lines + '  "mcpServers": {\n    "a": {"command": "a"}\n  }\n}\n').encode()
    file = put_in_place(tmp_path, "cursor", "user", data)
    diff = masked_diff(file, data, data.replace(b'"command": "a"', b'"command": "b"'))
    assert len(diff.splitlines()) < 15
    assert "@@ -50000,6 +50000,6 @@" in diff
