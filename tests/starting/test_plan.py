"""What would be written: one guard for each table, secrets where they were, and nothing of a person's lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.config import read_config
from mcp_guard.errors import InputError
from mcp_guard.starting.places import Program, directory_for, project_of
from tests.starting.homes import PROGRAM, Home

NPX = {"command": "npx", "args": ["-y", "server"]}
FILES = {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem@2026.8.31", "."]}


def entries(file: Path, key: str = "mcpServers") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())[key]
    return found


def test_the_servers_give_way_to_one_entry_that_names_absolute_places(tmp_path: Path) -> None:
    home = Home(tmp_path)
    file = home.servers({"files": FILES, "other": NPX})
    home.apply()
    (entry,) = entries(file).values()
    config = home.guards / "cursor" / "guard.yaml"
    assert entry == {"command": PROGRAM.words[0], "args": ["run", "--config", str(config)]}
    loaded = read_config(config.read_bytes(), config)
    assert [spec.name for spec in loaded.servers] == ["files", "other"]
    assert {spec.name: spec.cwd for spec in loaded.servers} == {"files": str(home.project), "other": str(home.root)}
    assert loaded.variables == {"project": str(home.project)}
    assert loaded.policy == config.parent / "policy.yaml"


def test_a_persons_own_server_does_not_run_in_a_project_that_may_steer_its_launcher(tmp_path: Path) -> None:
    """`npx` obeys the `.npmrc` of where it runs, and `init` may be run in a cloned repository."""
    home = Home(tmp_path)
    home.servers({"a": NPX})
    ((_, line),) = home.change().moved
    assert line.cwd == str(home.root)


def test_a_secret_is_moved_within_its_file_and_written_nowhere_else(tmp_path: Path) -> None:
    home = Home(tmp_path)
    env = {"GITHUB_TOKEN": "s3cr3t-one", "PYTHONPATH": "./evil", "LOG": "s3cr3t-two"}
    file = home.servers({"a": {**NPX, "env": env}, "b": {**NPX, "env": {"GITHUB_TOKEN": "s3cr3t-three"}}})
    home.apply()
    assert entries(file)["mcp-guard"]["env"] == {
        "GITHUB_TOKEN": "s3cr3t-one",
        "GUARDED_A_PYTHONPATH": "./evil",
        "GUARDED_A_LOG": "s3cr3t-two",
        "GUARDED_B_GITHUB_TOKEN": "s3cr3t-three",
    }
    written = "".join(path.read_text() for path in home.guards.rglob("*") if path.is_file())
    assert "s3cr3t" not in written and "./evil" not in written
    assert "env: {GITHUB_TOKEN: GUARDED_B_GITHUB_TOKEN}" in written


def test_no_variable_of_a_server_reaches_the_guards_own_process_under_its_name(tmp_path: Path) -> None:
    home = Home(tmp_path, Program(PROGRAM.words, {"MCP_GUARD_STATE": "/state"}))
    file = home.servers({"a": {**NPX, "env": {"MCP_GUARD_STATE": "/evil", "LD_PRELOAD": "/evil.so"}}})
    home.apply()
    assert entries(file)["mcp-guard"]["env"] == {
        "MCP_GUARD_STATE": "/state",
        "GUARDED_A_MCP_GUARD_STATE": "/evil",
        "GUARDED_A_LD_PRELOAD": "/evil.so",
    }


def test_each_table_has_a_guard_of_its_own_under_a_name_that_hides_no_other(tmp_path: Path) -> None:
    home = Home(tmp_path)
    local = {str(home.project): {"mcpServers": {"a": NPX}}}
    home.write(".claude.json", {"mcpServers": {"a": NPX}, "projects": local})
    home.servers({"a": FILES}, "shop/.mcp.json")
    home.servers({"a": FILES})
    changes = [change for one in home.plan() for change in one.changes]
    assert len({change.config for change in changes}) == len(changes) == 4
    claude = [change.entry for change in changes if change.table.client.id == "claude-code"]
    assert claude == ["mcp-guard", "mcp-guard-local", "mcp-guard-project"]


def test_all_places_of_one_client_are_told_apart(tmp_path: Path) -> None:
    home = Home(tmp_path)
    code = ".config/Code/User"
    for path in ("mcp.json", "profiles/p1/mcp.json", "profiles/p2/mcp.json"):
        home.write(f"{code}/{path}", {"servers": {"a": NPX}})
    home.write(f"{code}/settings.json", {"mcp": {"servers": {"a": NPX}}, "mcp.servers": {"a": NPX}})
    home.write("shop/.vscode/mcp.json", {"servers": {"a": NPX}})
    home.write("shop/.vscode/settings.json", {"mcp": {"servers": {"a": NPX}}, "mcp.servers": {"a": NPX}})
    changes = [change for one in home.plan() for change in one.changes]
    assert len({change.config for change in changes}) == len(changes) == 8
    home.apply()
    assert not [server for table in home.survey().tables for server in table.movable]


def test_a_guard_for_a_project_lies_in_the_persons_directory_and_not_in_the_project(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.servers({"a": NPX}, "shop/.mcp.json")
    before = set(home.project.rglob("*"))
    change = home.change()
    home.apply()
    assert change.config.is_relative_to(home.guards / "claude-code" / "project")
    assert set(home.project.rglob("*")) == before


def test_a_second_run_finds_the_guard_and_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.servers({"a": NPX})
    home.apply()
    assert home.plan() == ()
    assert home.apply() == []


def test_a_server_that_was_added_since_joins_the_guard_and_edits_stay(tmp_path: Path) -> None:
    home = Home(tmp_path)
    file = home.servers({"a": {**NPX, "env": {"A_TOKEN": "1"}}})
    home.apply()
    config, policy = home.guards / "cursor" / "guard.yaml", home.guards / "cursor" / "policy.yaml"
    config.write_text(config.read_text().replace("servers:", "record: {durability: disk}\nservers:   # mine"))
    policy.write_text(policy.read_text().replace("deny:", "ask:\n  - {id: mine, tool: a/x}\ndeny:"))
    found = json.loads(file.read_text())
    found["mcpServers"]["mcp-guard"]["note"] = "mine"
    found["mcpServers"]["a"] = {**FILES, "env": {"A_TOKEN": "2"}}
    file.write_text(json.dumps(found))
    home.apply()
    (entry,) = entries(file).values()
    assert entry["note"] == "mine"
    assert entry["env"] == {"A_TOKEN": "1", "GUARDED_A_2_A_TOKEN": "2"}
    loaded = read_config(config.read_bytes(), config)
    assert [spec.name for spec in loaded.servers] == ["a", "a-2"]
    assert loaded.durability == "disk"
    assert "# mine" in config.read_text()
    text = policy.read_text()
    assert "{id: mine, tool: a/x}" in text
    added = text.partition("Added by `mcp-guard init`")[2]
    assert "a-2/read_text_file" in added
    assert all(line.lstrip().startswith("#") for line in added.splitlines()[1:]), "a policy is never widened by itself"


def test_after_undo_a_person_keeps_their_policy_and_the_old_guard_yaml_is_kept_aside(tmp_path: Path) -> None:
    home = Home(tmp_path)
    file = home.servers({"a": NPX})
    home.apply()
    policy = home.guards / "cursor" / "policy.yaml"
    policy.write_text("version: 1\ngrants: [{id: mine, tool: b/x, args: any}]\n")
    home.undo()
    home.servers({"b": NPX})
    (note,) = home.apply()
    assert "guard.1.yaml" in note
    assert policy.read_text() == "version: 1\ngrants: [{id: mine, tool: b/x, args: any}]\n"
    assert " a: " in (policy.parent / "guard.1.yaml").read_text()
    assert " b: " in (policy.parent / "guard.yaml").read_text()
    assert list(entries(file)) == ["mcp-guard"]


def test_a_policy_that_does_not_load_stops_everything_before_anything_is_written(tmp_path: Path) -> None:
    home = Home(tmp_path)
    file = home.servers({"a": NPX})
    home.apply()
    home.undo()
    before = file.read_bytes()
    policy = home.guards / "cursor" / "policy.yaml"
    policy.write_text("version: 1\ngrant: []\n")
    with pytest.raises(InputError, match=r"policy\.yaml:2:1"):
        home.apply()
    assert file.read_bytes() == before


def test_a_guard_yaml_that_a_project_brings_is_never_added_to(tmp_path: Path) -> None:
    """A cloned repository comes with a guard of its own, and a policy to its own liking."""
    home = Home(tmp_path)
    home.write("shop/.guard/guard.yaml", "version: 1\npolicy: p.yaml\nservers:\n  x: {command: [x]}\n")
    forged = {"command": PROGRAM.words[0], "args": ["run", "--config", str(home.project / ".guard" / "guard.yaml")]}
    home.servers({"mcp-guard-project": forged, "a": NPX}, "shop/.mcp.json")
    change = home.change()
    assert change.config.is_relative_to(home.guards)
    assert change.entry == "mcp-guard-project-2"


def test_a_project_cannot_put_its_servers_into_a_guard_that_runs_everywhere(tmp_path: Path) -> None:
    """A repository's file names the person's own guard.yaml, by a path that is easily guessed."""
    home = Home(tmp_path)
    home.servers({"a": NPX}, ".claude.json")
    home.apply()
    own = home.guards / "claude-code" / "guard.yaml"
    before = own.read_bytes()
    forged = {"command": PROGRAM.words[0], "args": ["run", "--config", str(own)]}
    home.servers({"mcp-guard-project": forged, "evil": {"command": "evil"}}, "shop/.mcp.json")
    change = home.change()
    assert change.config != own
    home.apply()
    assert own.read_bytes() == before


def test_a_policy_that_a_person_keeps_elsewhere_by_a_link_stays_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    file = home.servers({"a": NPX})
    home.apply()
    policy = home.guards / "cursor" / "policy.yaml"
    kept = home.write("dotfiles/policy.yaml", policy.read_text())
    policy.unlink()
    policy.symlink_to(kept)
    home.undo()
    file.write_text(json.dumps({"mcpServers": {"b": NPX}}))
    home.apply()
    assert policy.is_symlink()
    assert "\n  # b: not in the effects catalogue" in kept.read_text()


def test_a_guards_directory_inside_the_project_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.servers({"a": NPX})
    home.guards = home.project / "guards"
    with pytest.raises(InputError, match="where agents write"):
        home.plan()


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    """A repository whose `.mcp.json` is a link to the person's own file: changing the one would change the other."""
    home = Home(tmp_path)
    file = home.servers({"a": NPX}, ".claude-other.json")
    (home.project / ".mcp.json").symlink_to(file)
    found = home.survey()
    assert found.tables == ()
    assert "leads out of" in found.faults[0]


@pytest.mark.parametrize("above", ["/", "home", "home/.."])
def test_the_home_directory_and_what_is_above_it_is_no_project(tmp_path: Path, above: str) -> None:
    home = tmp_path / "home"
    (home / ".config" / "mcp-guard").mkdir(parents=True)
    place = Path("/") if above == "/" else tmp_path / above
    assert project_of(place, home, home / ".config" / "mcp-guard") is None
    assert project_of(home / ".config", home, home / ".config" / "mcp-guard") is None
    assert project_of(home / "shop", home, home / ".config" / "mcp-guard") == (home / "shop").resolve()


def test_directories_of_guards_are_told_apart_by_their_whole_key() -> None:
    one = directory_for(Path("/g"), "cursor", "project", "shop", ("project", "/a/shop"))
    other = directory_for(Path("/g"), "cursor", "project", "shop", ("project", "/b/shop"))
    assert one != other
    assert one.parent == other.parent == Path("/g/cursor/project")
    assert directory_for(Path("/g"), "cursor", "project", "../..", ("x",)).parent == Path("/g/cursor/project")


def test_a_known_name_with_another_registry_is_granted_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    command = {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem@2026.8.31", "."]}
    home.servers({"files": {**command, "env": {"NPM_CONFIG_REGISTRY": "https://evil.example"}}}, "shop/.mcp.json")
    guard, policy = home.change().files
    assert "\ngrants:" not in policy.new.decode()
    (spec,) = read_config(guard.new, guard.path).servers
    assert spec.given == ("NPM_CONFIG_REGISTRY",), "nor by the guard that reads what was written"
