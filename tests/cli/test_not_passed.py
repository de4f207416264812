"""A server that misses a proxy or a certificate is told apart from one that is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.cli.not_passed import in_words, not_passed
from mcp_guard.server_spec import ServerSpec
from tests.cli.commands import guard

HERE = {"PATH": "/bin", "https_proxy": "http://p", "SSL_CERT_FILE": "/c", "MY_TOKEN": "t"}


def test_what_a_network_needs_and_a_server_does_not_get_is_named() -> None:
    assert not_passed(ServerSpec("s", ("x",), {"PATH": "/bin"}), HERE) == ["SSL_CERT_FILE", "https_proxy"]
    assert not_passed(ServerSpec("s", ("x",), {"SSL_CERT_FILE": "/c", "https_proxy": "p"}), HERE) == []


def test_a_server_that_gets_the_whole_environment_misses_nothing() -> None:
    assert not_passed(ServerSpec("s", ("x",)), HERE) == []
    assert in_words([]) == ""


def test_check_says_it_of_a_server_that_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/somewhere/secret.pem")
    (tmp_path / "guard.yaml").write_text("version: 1\nservers:\n  bad: {command: [/nonexistent/server]}\n")
    result = guard(tmp_path / "s", "check", cwd=tmp_path)
    (line,) = [line for line in result.stdout.splitlines() if "in guard.yaml: env: [" in line]
    assert "NODE_EXTRA_CA_CERTS" in line
    assert "secret.pem" not in result.stdout


def test_check_does_not_say_it_of_a_server_that_gets_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/somewhere/secret.pem")
    (tmp_path / "guard.yaml").write_text(
        "version: 1\nservers:\n  bad: {command: [/nonexistent/server], env: [NODE_EXTRA_CA_CERTS]}\n"
    )
    assert "NODE_EXTRA_CA_CERTS" not in guard(tmp_path / "s", "check", cwd=tmp_path).stdout
