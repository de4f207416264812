"""A guard is known by what runs and by what steers it, not by what somebody's file calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.starting.places import Program
from mcp_guard.starting.recognise import GuardEntry, guard_in
from tests.starting.homes import PROGRAM, Home, entry_of

MODULE = Program(("/opt/guard/bin/python", "-P", "-m", "mcp_guard"), {"PYTHONPATH": "/src"})
OWN = PROGRAM.words[0]
RUN = ["run", "--config", "/home/iris/.config/mcp-guard/cursor/guard.yaml"]


def seen(members: dict[str, Any], program: Program = PROGRAM) -> GuardEntry | None:
    return guard_in(entry_of(members), program, Path("/base"))


@pytest.mark.parametrize(
    ("members", "program"),
    [
        ({"command": OWN, "args": RUN}, PROGRAM),
        ({"command": "mcp-guard", "args": RUN}, PROGRAM),
        ({"command": "mcp-guard", "args": ["wrap", "--", "npx", "x"]}, PROGRAM),
        ({"command": OWN, "args": RUN, "env": {"GITHUB_TOKEN": "x"}}, PROGRAM),
        ({"command": MODULE.words[0], "args": [*MODULE.words[1:], *RUN], "env": dict(MODULE.env)}, MODULE),
    ],
)
def test_this_guard_is_recognised(members: dict[str, Any], program: Program) -> None:
    found = seen(members, program)
    assert found is not None and found.doubt == ""


@pytest.mark.parametrize(
    ("members", "doubt"),
    [
        ({"command": "./mcp-guard", "args": RUN}, "something else than this installation"),
        ({"command": "/srv/mcp-guard", "args": RUN}, "something else than this installation"),
        ({"command": "uvx", "args": ["mcp-guard", *RUN]}, "something else than this installation"),
        ({"command": "pipx", "args": ["run", "mcp-guard", *RUN]}, "something else than this installation"),
        ({"command": "/srv/python", "args": ["-m", "mcp_guard", *RUN]}, "something else than this installation"),
        ({"command": OWN, "args": RUN, "env": {"PYTHONPATH": "."}}, "`PYTHONPATH` in its `env`"),
        ({"command": "mcp-guard", "args": RUN, "env": {"PATH": "."}}, "`PATH` in its `env`"),
        ({"command": OWN, "args": RUN, "env": {"LD_PRELOAD": "x.so"}}, "`LD_PRELOAD` in its `env`"),
        ({"command": OWN, "args": RUN, "env": {"XDG_CONFIG_HOME": "."}}, "`XDG_CONFIG_HOME` in its `env`"),
        ({"command": OWN, "args": RUN, "env": {"OPENSSL_CONF": "x.cnf"}}, "`OPENSSL_CONF` in its `env`"),
        ({"command": OWN, "args": RUN, "envFile": ".env"}, "`envFile` can make it another program"),
        ({"command": OWN, "args": RUN, "dev": {"debug": {"type": "debugpy"}}}, "`dev` can make it another program"),
        ({"command": OWN, "args": [*RUN, "--config", "x.yaml"]}, "has `--config` twice"),
        ({"command": OWN, "args": ["wrap", "--policy=a", "--policy=b", "--", "x"]}, "has `--policy` twice"),
        ({"command": OWN, "args": ["run", "--config", "a\0b"]}, "can't be seen"),
        ({"command": "/a\0/mcp-guard", "args": RUN}, "can't be seen"),
        ({"command": OWN, "args": ["--version"]}, "isn't told to guard"),
        ({"command": OWN, "args": ["demo"]}, "isn't told to guard"),
        ({"command": OWN}, "isn't told to guard"),
    ],
)
def test_what_only_calls_itself_a_guard_is_doubted(members: dict[str, Any], doubt: str) -> None:
    found = seen(members)
    assert found is not None and doubt in found.doubt


@pytest.mark.parametrize(
    "members",
    [
        {"command": "npx", "args": ["mcp-guard"]},
        {"command": "x", "args": ["run", "mcp-guard"]},
        {"command": "mcp-guardian"},
        {"command": "python", "args": ["mcp_guard"]},
    ],
)
def test_another_server_is_no_guard(members: dict[str, Any]) -> None:
    assert seen(members) is None


@pytest.mark.parametrize(
    ("args", "documents"),
    [
        (RUN, [RUN[2]]),
        (["run"], ["/base/guard.yaml"]),
        (["run", "--config=x.yaml"], ["/base/x.yaml"]),
        (["run", "--config", "~/x.yaml"], ["/base/~/x.yaml"]),  # no shell stands between: a directory called `~`
        (["run", "--config", "~nobody-is-called-so/x"], ["/base/~nobody-is-called-so/x"]),
        (
            ["wrap", "--policy", "p.yaml", "--mandate", "/m.yaml", "--", "x", "--policy", "q"],
            ["/base/p.yaml", "/m.yaml"],
        ),
    ],
)
def test_the_documents_that_it_obeys_are_known(args: list[str], documents: list[str]) -> None:
    found = seen({"command": OWN, "args": args})
    assert found is not None
    assert [str(one) for one in found.documents] == documents


def test_a_guard_that_obeys_the_projects_own_documents_is_said_to(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.servers({"g": {"command": "mcp-guard", "args": ["run", "--config", "guard.yaml"]}}, "shop/.mcp.json")
    ((left,),) = (table.left for table in home.survey().tables)
    assert left.guarded
    assert "documents in the project" in left.why


def test_documents_start_from_the_entrys_own_directory() -> None:
    entry = entry_of({"command": OWN, "args": ["run", "--config", "../g.yaml"], "cwd": "sub"}, "vscode")
    found = guard_in(entry, PROGRAM, Path("/base"))
    assert found is not None
    assert [str(one) for one in found.documents] == ["/base/sub/../g.yaml"]


@pytest.mark.parametrize(
    ("path", "args", "said"),
    [
        ("shop/.mcp.json", ["run", "--config", "loop"], "documents in the project"),
        ("shop/.mcp.json", ["run", "--config", "~/guard.yaml"], "documents in the project"),
        ("shop/.mcp.json", [*RUN, "--set", "project=/home/iris"], "variables from the project"),
        ("shop/.mcp.json", [*RUN, "--set=project=/home/iris"], "variables from the project"),
        (".cursor/mcp.json", ["run"], "whatever directory the client starts it in"),
        (".cursor/mcp.json", ["wrap", "--policy", "p.yaml", "--", "x"], "whatever directory the client starts it in"),
    ],
)
def test_what_the_project_has_a_say_in_is_told(tmp_path: Path, path: str, args: list[str], said: str) -> None:
    home = Home(tmp_path)
    (home.project / "loop").symlink_to("loop")
    home.servers({"g": {"command": "mcp-guard", "args": args}}, path)
    ((left,),) = (table.left for table in home.survey().tables)
    assert left.guarded
    assert said in left.why


@pytest.mark.parametrize("more", [["--set", "project=/"], ["--mandate", "m.yaml"], ["--http", "0.0.0.0:80"]])
def test_no_server_joins_a_guard_that_a_project_starts_in_its_own_way(tmp_path: Path, more: list[str]) -> None:
    home = Home(tmp_path)
    home.servers({"one": {"command": "npx", "args": ["-y", "x"]}}, "shop/.mcp.json")
    home.apply()
    entries = json.loads((home.project / ".mcp.json").read_text())["mcpServers"]
    (name,) = entries
    entries[name]["args"] += more
    home.servers({**entries, "two": {"command": "npx", "args": ["-y", "y"]}}, "shop/.mcp.json")
    assert home.change().entry != name
    entries[name]["args"] = entries[name]["args"][: -len(more)]
    home.servers({**entries, "two": {"command": "npx", "args": ["-y", "y"]}}, "shop/.mcp.json")
    assert home.change().entry == name


def test_a_forged_guard_counts_as_reached_directly(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.servers({"mcp-guard": {"command": "./mcp-guard", "args": RUN}}, "shop/.mcp.json")
    ((left,),) = (table.left for table in home.survey().tables)
    assert left.direct
