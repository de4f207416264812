"""A guard is known by what runs and by what steers it, not by what somebody's file calls it."""

from __future__ import annotations

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


def test_a_forged_guard_counts_as_reached_directly(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.servers({"mcp-guard": {"command": "./mcp-guard", "args": RUN}}, "shop/.mcp.json")
    ((left,),) = (table.left for table in home.survey().tables)
    assert left.direct
