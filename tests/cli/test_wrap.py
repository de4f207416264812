"""`mcp-guard wrap` and `run` from the outside: what they refuse to start with, and what they say."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import SERVER, guard
from tests.fixtures.client import RawClient, RpcError


async def test_without_a_policy_nothing_is_listed_and_the_person_is_told_how_to_grant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_GUARD_STATE", str(tmp_path / "s"))
    async with RawClient([sys.executable, "-m", "mcp_guard", "wrap", "--", *SERVER]) as client:
        await client.initialize()
        assert await client.list_all() == []
        with pytest.raises(RpcError, match="Unknown tool: echo"):
            await client.call("echo", {"text": "x"})
    assert "nothing is granted" in client.stderr
    assert "mcp-guard check --" in client.stderr
    log = guard(tmp_path / "s", "log", "--denied")
    assert "nothing grants it" in log.stdout


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--policy", "p.yaml"], "`--name` is missing"),
        (["--name", "raw", "--policy", "absent.yaml"], "absent.yaml"),
        (["--name", "raw", "--policy", "absent.yaml"], "there is no absent.yaml in "),
        (["--name", "raw", "--policy", "pp.yaml"], "did you mean `p.yaml`?"),
        (["--name", "raw", "--policy", "nowhere/p.yaml"], "there is no directory "),
        (["--name", "raw", "--mandate", "p.yaml"], "p.yaml:1:1); a mandate has both"),
        (["--name", "a/b", "--policy", "p.yaml"], "can't be a server's name"),
        (["--name", "raw", "--policy", "p.yaml", "--set", "project"], "isn't NAME=VALUE"),
        (["--name", "raw", "--policy", "p.yaml", "--set", "a=1", "--set", "a=2"], "given twice"),
    ],
)
def test_wrong_options_start_nothing_and_say_the_way_out(tmp_path: Path, options: list[str], hint: str) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\ngrants: []\n")
    result = guard(tmp_path / "s", "wrap", *options, "--", *SERVER, cwd=tmp_path)
    assert result.returncode == 2
    assert hint in result.stderr
    assert "Traceback" not in result.stderr


def test_two_servers_with_one_prefix_are_an_error_at_start(tmp_path: Path) -> None:
    (tmp_path / "guard.yaml").write_text("version: 1\nservers:\n  a: {command: [x]}\n  A: {command: [x]}\n")
    result = guard(tmp_path / "s", "run", cwd=tmp_path)
    assert result.returncode == 2
    assert "guard.yaml:4:3" in result.stderr


@pytest.mark.parametrize(
    "address", [":8400", "0.0.0.0:8400", "192.168.1.5:8400", "example.com:8400", "localhost", "127.0.0.1:x"]
)
def test_an_address_that_is_not_safe_is_an_error_at_start(tmp_path: Path, address: str) -> None:
    (tmp_path / "guard.yaml").write_text("version: 1\nservers:\n  a: {command: [x]}\n")
    result = guard(tmp_path / "s", "run", "--http", address, cwd=tmp_path)
    assert result.returncode == 2
    assert "mcp-guard: " in result.stderr


def test_output_into_a_file_is_said_instead_of_served(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mcp_guard", "wrap", "--", *SERVER]
    with (tmp_path / "out").open("w") as out:
        result = subprocess.run(
            command, stdout=out, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.returncode == 2
    assert "stdout is a file" in result.stderr


def test_a_server_without_a_client_is_said_instead_of_waited_for(tmp_path: Path) -> None:
    result = guard(tmp_path / "s", "wrap", "--", *SERVER)  # its stdin is /dev/null
    assert result.returncode == 2
    assert "stdin is a file" in result.stderr


def test_a_person_who_starts_it_in_a_terminal_is_told_what_it_waits_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mcp_guard", "wrap", "--", *SERVER]
    environment = {**os.environ, "MCP_GUARD_STATE": str(tmp_path / "s")}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        told = next(line for line in process.stderr if "waiting" in line)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert "mcp-guard check" in told
    assert "Ctrl-C" in told


def test_a_forgotten_separator_is_said(tmp_path: Path) -> None:
    result = guard(tmp_path / "s", "wrap", "npx", "-y", "server")
    assert result.returncode == 2
    assert "put `--` before the server's command" in result.stderr
    other = guard(tmp_path / "s", "wrap", "-y", "--", "npx")
    assert "No such option" in other.stderr
    assert "put `--`" not in other.stderr


def test_a_url_in_place_of_a_command_is_told_where_it_belongs(tmp_path: Path) -> None:
    result = guard(tmp_path / "s", "wrap", "--", "https://docs.example.com/mcp?key=hidden")
    assert result.returncode == 2
    assert "guard.yaml, for `mcp-guard run`: `docs: {url: " in result.stderr
    assert "hidden" not in result.stderr


def test_an_address_without_a_host_is_completed_in_the_message(tmp_path: Path) -> None:
    result = guard(tmp_path / "s", "run", "--http", ":8403", cwd=tmp_path)
    assert result.returncode == 2
    assert "write `--http 127.0.0.1:8403`" in result.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_what_a_script_started_before_it_became_the_guard_is_left_alone(tmp_path: Path) -> None:
    words = shlex.join([sys.executable, "-m", "mcp_guard", "wrap", "--", *SERVER])
    script = f"sleep 600 >/dev/null 2>&1 & echo $! > {shlex.quote(str(tmp_path / 'pid'))}; exec {words}"
    ended = subprocess.run(["sh", "-c", script], input=b"", capture_output=True, timeout=60, check=False)
    assert ended.returncode == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        assert b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
    finally:
        os.kill(pid, signal.SIGKILL)
