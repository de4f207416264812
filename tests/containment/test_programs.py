"""What a command needs to start, by the ways in which servers are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.containment.programs import as_launched, is_home, needed, why_not


def made(path: Path, text: str = "", *, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def linked(path: Path, target: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path.resolve() / "home"
    (home / ".ssh").mkdir(parents=True)
    return home


def needs(home: Path, *command: str | Path, cwd: Path | None = None) -> set[str]:
    path = f"{home}/.local/bin:{home}/node/bin"
    return set(needed([str(word) for word in command], path, str(cwd or home), str(home)))


def test_a_tool_that_uv_installed_needs_its_environment_and_the_python_below_it(home: Path) -> None:
    share = home / ".local" / "share" / "uv"
    python = made(share / "python" / "cpython-3.12" / "bin" / "python3.12")
    (python.parents[1] / "lib").mkdir()
    venv = share / "tools" / "mcp-server-git"
    linked(venv / "bin" / "python", python)
    made(venv / "pyvenv.cfg")
    script = made(venv / "bin" / "mcp-server-git", f"#!{venv}/bin/python\n")
    linked(home / ".local" / "bin" / "mcp-server-git", script)
    found = needs(home, "mcp-server-git")
    assert {str(venv), str(python.parents[1]), str(home / ".local" / "bin" / "mcp-server-git")} <= found
    assert str(home / ".local") not in found
    assert not any(is_home(path, str(home)) for path in found)


def test_a_script_with_a_long_first_line_is_followed_too(home: Path) -> None:
    venv = home / "a b" / "venv"
    made(venv / "pyvenv.cfg")
    made(venv / "bin" / "python")
    made(home / ".local" / "bin" / "tool", f"#!/bin/sh\n'''exec' \"{venv}/bin/python\" \"$0\" \"$@\"\n' '''\n")
    assert str(venv) in needs(home, "tool")


def test_a_node_server_needs_node_and_the_outermost_node_modules(home: Path) -> None:
    made(home / "node" / "bin" / "node")
    (home / "node" / "lib").mkdir()
    modules = home / "project" / "node_modules"
    script = made(modules / "@x" / "server" / "dist" / "index.js", "#!/usr/bin/env node\n")
    linked(modules / ".bin" / "server", script)
    for command in ([modules / ".bin" / "server"], ["node", script]):
        found = needs(home, *command)
        assert {str(modules), str(home / "node")} <= found
        assert str(home / "project") not in found


def test_a_script_needs_the_package_that_it_lies_in(home: Path) -> None:
    made(home / "node" / "bin" / "node")
    made(home / "work" / "server" / "package.json")
    script = made(home / "work" / "server" / "dist" / "index.js")
    assert str(home / "work" / "server") in needs(home, "node", "--no-warnings", script)
    made(home / ".local" / "bin" / "python3.12")
    plain = made(home / "work" / "plain" / "server.py")
    assert str(plain.parent) in needs(home, "python3.12", "server.py", cwd=plain.parent)
    assert str(plain.parent) not in needs(home, "python3.12", "-m", "server", cwd=plain.parent)


def test_a_script_in_the_home_directory_brings_nothing_else_of_it(home: Path) -> None:
    made(home / ".local" / "bin" / "python3")
    made(home / "package.json")
    script = made(home / "server.py")
    found = needs(home, "python3", script)
    assert str(script) in found
    assert not any(is_home(path, str(home)) for path in found)
    made(home / "bin" / "tool")
    assert needs(home, home / "bin" / "tool") == {str(home / "bin" / "tool"), str(home / "lib")}


def test_a_loop_of_links_and_a_program_that_is_not_there_need_nothing_more(home: Path) -> None:
    linked(home / "a", home / "b")
    linked(home / "b", home / "a")
    assert needs(home, home / "a") <= {str(home / "a"), str(home / "b")}
    assert needs(home, "no-such-program") == set()


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        (["npx", "-y", "x"], "fetches"),
        (["/usr/bin/npx", "x"], "fetches"),
        (["uvx", "x"], "fetches"),
        (["uv", "tool", "run", "x"], "fetches"),
        (["pipx", "run", "x"], "fetches"),
        (["npm", "exec", "x"], "fetches"),
        (["docker", "run", "x"], "another program"),
        (["npm", "start"], ""),
        (["node", "npx"], ""),
    ],
)
def test_what_fetches_its_program_or_has_another_start_it_is_not_contained(command: list[str], refused: str) -> None:
    why = why_not(command)
    assert refused in why
    assert bool(why) is bool(refused)


def test_an_installed_server_is_known_by_its_package(home: Path) -> None:
    script = made(home / "node_modules" / "@x" / "server" / "dist" / "index.js")
    linked(home / "node_modules" / ".bin" / "server", script)
    for command in ([str(home / "node_modules" / ".bin" / "server")], ["node", str(script)]):
        assert as_launched(command) == ("npx", "-y", "@x/server")
    assert as_launched(["node", str(made(home / "node_modules" / "y" / "i.js"))]) == ("npx", "-y", "y")
    assert as_launched(["/opt/venv/bin/mcp-server-git"]) == ("uvx", "mcp-server-git")
