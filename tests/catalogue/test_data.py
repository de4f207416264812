"""The files of the catalogue: each is read strictly, none contradicts another, and the documentation shows all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mcp_guard.catalogue import Registry, find
from mcp_guard.catalogue.refresh import entries, index_of, table, written
from mcp_guard.catalogue.store import DATA, INDEX
from mcp_guard.model import EffectClass

ENTRIES = entries()
ROOT = Path(__file__).parents[2]

COMMANDS = {
    Registry.NPM: ["npx", "-y"],
    Registry.PYPI: ["uvx"],
    Registry.DOCKER: ["docker", "run", "-i", "--rm"],
    Registry.MODULE: ["python", "-m"],
}


def test_there_are_at_least_twenty_five_servers_each_in_its_own_file() -> None:
    assert len(ENTRIES) >= 25
    assert {name: one.server for name, one in ENTRIES.items()} == {name: name for name in ENTRIES}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_file_stands_as_it_would_be_written(name: str) -> None:
    """So that a change of one judgement is one line, and nothing stands in it that isn't read."""
    assert (DATA / f"{name}.json").read_text("utf-8") == written(ENTRIES[name])


def test_the_index_is_the_one_that_the_files_make() -> None:
    assert json.loads(INDEX.read_bytes()) == index_of(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_package_is_found_by_a_command_that_starts_it(name: str) -> None:
    for package in ENTRIES[name].packages:
        found = find([*COMMANDS[package.registry], package.name])
        assert found is not None and found.server == name and found.tools == ENTRIES[name].tools
        for program in package.programs:
            option = {Registry.NPM: "--package", Registry.PYPI: "--from"}[package.registry]
            assert find([*COMMANDS[package.registry], option, package.name, program]) is not None


@pytest.mark.parametrize("name", ENTRIES)
def test_some_package_of_each_entry_was_looked_at_in_a_version(name: str) -> None:
    assert any(package.versions for package in ENTRIES[name].packages)


def test_no_descriptor_is_judged_twice_within_a_file() -> None:
    for entry in ENTRIES.values():
        digests = [digest for tool in entry.tools.values() for digest in tool.digests]
        assert len(digests) == len(set(digests)), entry.server


def test_the_same_descriptor_is_judged_alike_in_every_file() -> None:
    judged: dict[str, object] = {}
    for entry in ENTRIES.values():
        for tool in entry.tools.values():
            for digest in tool.digests:
                assert judged.setdefault(digest, tool.described.effects) == tool.described.effects, entry.server


def test_what_executes_reads_and_gives_what_others_wrote() -> None:
    """Code can answer with anything, so no judgement of `execute` is without these."""
    for entry in ENTRIES.values():
        for name, tool in entry.tools.items():
            if EffectClass.EXECUTE in tool.described.effects and EffectClass.READ in tool.described.effects:
                assert tool.described.gives == ("untrusted",), f"{entry.server}/{name}"


WRITES = re.compile(r"(?:^|[-_/.])(?:create|update|delete|remove|write|send|post|insert|drop|push)(?:[-_A-Z]|$)")
ONLY_READ_THOUGH = {
    "notion/API-post-search",  # a search that is a POST
    "atlassian/jira_get_create_fields",
    "discord/discord_get_forum_post",
}


def test_a_tool_whose_name_says_that_it_changes_something_is_not_judged_to_read_only() -> None:
    found = {
        f"{entry.server}/{name}"
        for entry in ENTRIES.values()
        for name, tool in entry.tools.items()
        if WRITES.search(name) and not tool.described.effects & {EffectClass.WRITE, EffectClass.DESTRUCTIVE}
    }
    assert found <= ONLY_READ_THOUGH


SHELLS = re.compile(r"(?:evaluate|exec_|run_code|_repl$|run_sql|execute_sql|run_script)")


def test_a_tool_whose_name_says_that_it_runs_something_executes() -> None:
    found = {
        f"{entry.server}/{name}": tool.described.effects
        for entry in ENTRIES.values()
        for name, tool in entry.tools.items()
        if SHELLS.search(name)
    }
    assert len(found) > 5
    assert {name for name, effects in found.items() if EffectClass.EXECUTE not in effects} == set()


def test_the_documentation_has_the_table_that_the_files_make() -> None:
    document = (ROOT / "docs" / "catalogue.md").read_text("utf-8")
    assert document.endswith(f"{table(ENTRIES)}\n")
