"""`init` and `init --undo` over every file of the corpus: byte for byte there and back, or nothing touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.clients import How, Places, Scope, find, load_bytes
from mcp_guard.config import load_config
from mcp_guard.policy.document import load_policy
from mcp_guard.starting.applying import apply, backups_in
from mcp_guard.starting.plan import FileChange, Setting, plan
from mcp_guard.starting.survey import Survey, survey
from mcp_guard.starting.views import view
from tests.clients.files import CORPUS, REFUSED, accepted, placed, refused
from tests.starting.homes import NOW, PROGRAM

MOVING = 40  # of the corpus, at least so many have a server that can go behind a guard


def surveyed(home: Path) -> Survey:
    return survey(Places(home, home / "work", "linux", {}), PROGRAM, home / "work")


def planned(home: Path, found: Survey) -> tuple[FileChange, ...]:
    setting = Setting(home, home / "guards", home / "work", home / "work", PROGRAM, "2026-11-21")
    return plan(found.tables, setting, lambda line, server, config: view(line.name, line.command, config))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path.resolve()


@pytest.mark.parametrize("name", accepted())
def test_a_file_is_guarded_and_given_back_byte_for_byte(name: str, home: Path) -> None:
    data = (CORPUS / name).read_bytes()
    file = placed(home, name, data)
    found = surveyed(home)
    assert found.faults == ()
    changes = planned(home, found)
    apply(changes, home / "guards", home / "state", NOW)
    new = load_bytes(file, file.path.read_bytes())
    for change in (one for made in changes for one in made.changes):
        entries = new.section(change.table.section.path).entries
        assert not set(change.names) & set(entries)
        assert entries[change.entry].command == (*PROGRAM.words, "run", "--config", str(change.config))
        staying = {left.entry.name: left.entry.members for left in change.table.left}
        assert {one: entry.members for one, entry in entries.items() if one != change.entry} == staying
        config = load_config(change.config)
        moved = {line.name: line for _, line in change.moved}
        assert {spec.name: spec.command for spec in config.servers} == {
            one: line.command for one, line in moved.items()
        }
        assert config.policy is not None
        assert load_policy(config.policy, variables=dict(config.variables)).rules
    assert planned(home, surveyed(home)) == (), "a second run finds nothing to do"
    undone = [backups_in(home / "state").undo(change) for change in backups_in(home / "state").kept()]
    assert file.path.read_bytes() == data
    assert all(one.how is How.RESTORED for one in undone)


@pytest.mark.parametrize("name", accepted())
def test_no_value_of_a_variable_or_header_is_in_what_the_guard_keeps(name: str, home: Path) -> None:
    placed(home, name, (CORPUS / name).read_bytes())
    found = surveyed(home)
    values = {
        value
        for table in found.tables
        for server in table.movable
        for value in (*server.env.values(), *server.entry.headers.values())
        if value and len(value) > 5
    }
    written = [own for made in planned(home, found) for change in made.changes for own in change.files]
    lines = [line for own in written for line in own.new.decode().splitlines() if not line.startswith("# ")]
    assert not {value for value in values if any(value in line for line in lines)}


@pytest.mark.parametrize("name", refused())
def test_a_file_that_is_refused_is_named_and_nothing_is_touched(name: str, home: Path) -> None:
    data = (REFUSED / name).read_bytes()
    file = placed(home, name, data)
    found = surveyed(home)
    (fault,) = found.faults
    assert str(file.path) in fault
    assert planned(home, found) == ()
    assert file.path.read_bytes() == data


def test_most_of_the_corpus_has_something_to_guard(tmp_path_factory: pytest.TempPathFactory) -> None:
    moved = 0
    for name in accepted():
        home = tmp_path_factory.mktemp("home")
        placed(home, name, (CORPUS / name).read_bytes())
        moved += any(table.movable for table in surveyed(home).tables)
    assert moved >= MOVING


def test_all_clients_at_once_are_guarded_and_given_back(home: Path) -> None:
    """One file of each client and scope, all in one home."""
    files: dict[Path, bytes] = {}
    for name in accepted():
        data = (CORPUS / name).read_bytes()
        file = placed(home, name, data)
        files[file.path] = data  # a later one takes the place of an earlier one
    found = surveyed(home)
    changes = planned(home, found)
    assert {change.file.scope for change in changes} == {Scope.USER, Scope.PROJECT}
    configs = [one.config for change in changes for one in change.changes]
    assert len(set(configs)) == len(configs)
    apply(changes, home / "guards", home / "state", NOW)
    backups = backups_in(home / "state")
    assert len(backups.kept()) == len(changes)
    for change in backups.kept():
        backups.undo(change)
    assert {path: path.read_bytes() for path in files} == files
    assert {file.path for file in find(Places(home, home / "work", "linux", {}))} == set(files)
