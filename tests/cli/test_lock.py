"""`mcp-guard lock` as a person or CI runs it, and what `wrap`, `run`, `check` and `log` make of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_guard.lock.text import read_lock
from tests.cli.commands import guard
from tests.guards import REPOSITORY, Stand

SHIFTY = REPOSITORY / "servers" / "shifty.py"
POLICY = "version: 1\ngrants: [{id: all, tool: [raw/weather, raw/note, raw/forecast], args: any}]\n"
BY_PATTERN = 'version: 1\ngrants: [{id: all, tool: "raw/weat*", args: any}]\n'


class Place:
    """A directory with a server that turns, and a guard.yaml for it."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        files = ["--turn", str(home / "turned"), "--ledger", str(home / "ledger.jsonl")]
        self.command = [sys.executable, "-S", str(SHIFTY), *files, *options]
        self.lock = home / "guard.lock"
        (home / "policy.yaml").write_text(POLICY)
        server = json.dumps({"command": self.command})
        (home / "guard.yaml").write_text(f"version: 1\npolicy: policy.yaml\nservers:\n  raw: {server}\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return guard(self.home / "state", *arguments, cwd=self.home)

    def turn(self) -> None:
        (self.home / "turned").touch()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_lock_is_written_checked_and_says_what_changed(place: Place) -> None:
    missing = place.run("lock", "--check")
    assert missing.returncode == 2 and "write it with `mcp-guard lock`" in missing.stderr
    first = place.run("lock")
    assert first.returncode == 0 and "+ tool weather: new" in first.stdout
    assert "go by it from their next start on" in first.stdout
    text = place.lock.read_bytes()
    assert set(read_lock(text, "guard.lock").servers) == {"raw"}
    assert place.run("lock", "--check").returncode == 0
    place.turn()
    checked = place.run("lock", "--check")
    assert checked.returncode == 1 and place.lock.read_bytes() == text
    assert "~ tool weather: changed in description, inputSchema" in checked.stdout
    assert "looser: takes `notes`, which it did not" in checked.stdout
    assert "read ~/.ssh/id_rsa" in checked.stdout
    data = json.loads(place.run("lock", "--check", "--json").stdout)
    assert {change["name"] for change in data["changes"] if change["withholds"]} == {"weather", "brief"}
    again = place.run("lock")
    assert again.returncode == 0 and "waits for `mcp-guard accept`" in again.stdout
    assert place.run("lock", "--check").returncode == 0


def test_what_drifted_is_named_by_check_and_by_log(place: Place) -> None:
    place.run("lock")
    place.turn()
    checked = place.run("check")
    assert "withheld weather: it changed since it was locked" in checked.stdout
    assert "weather (it changed since it was locked" in place.run("log").stdout


def test_check_says_what_a_pattern_does_not_reach_until_it_is_locked(place: Place) -> None:
    (place.home / "policy.yaml").write_text(BY_PATTERN)
    assert "it doesn't reach `raw/weather`, which may destroy" in place.run("check").stdout
    explained = place.run("explain", "raw/weather", '{"city": "x"}').stdout
    assert "a pattern doesn't reach a tool that may destroy, send or spend" in explained
    place.run("lock")
    assert "it doesn't reach" not in place.run("check").stdout
    assert place.run("explain", "raw/weather", '{"city": "x"}').returncode == 0


def test_first_sight_is_accepted_anew_by_a_person(place: Place) -> None:
    assert "it changed" not in place.run("check").stdout  # the scan has its own say
    place.turn()
    assert "withheld weather: it changed since it was first seen" in place.run("check").stdout
    accepted = place.run("lock", "--accept-first-sight")
    assert accepted.returncode == 0 and "counts as first seen: 2 tools, 1 prompt" in accepted.stdout
    assert not place.lock.exists()
    assert "it changed" not in place.run("check").stdout  # the scan has its own say
    assert place.run("log").stdout.count("accepted by a person") == 1


async def test_wrap_shows_under_a_lock_what_is_in_it_and_patterns_reach_that(place: Place) -> None:
    stand = Stand(place.home, BY_PATTERN)
    words = ["wrap", "--name", "raw", "--policy", str(stand.policy_file)]
    async with stand.client([*words, "--", *place.command]) as client:
        await client.initialize()
        assert (await client.request("tools/list"))["tools"] == []  # it sends, and nobody has locked it
    assert place.run("lock", "--name", "raw", "--", *place.command).returncode == 0
    locked = [*words, "--lock", str(place.lock), "--", *place.command]
    async with stand.client(locked) as client:
        await client.initialize()
        assert [tool["name"] for tool in (await client.request("tools/list"))["tools"]] == ["weather"]
        refused = await client.call("weather", {"city": str(place.lock)})
        assert refused["_meta"]["mcp-guard/decision"]["reason"] == "protected"  # law 7
    place.turn()
    async with stand.client(locked) as client:
        await client.initialize()
        assert (await client.request("tools/list"))["tools"] == []
    assert "way" in client.stderr and client.stderr.count("mcp-guard lock") == 2  # tools, and instructions


def test_a_lock_that_is_named_and_not_there_is_an_error(place: Place) -> None:
    for words in (
        ["wrap", "--lock", "no.lock", "--", "true"],
        ["check", "--lock", "no.lock", "--policy", "policy.yaml"],
    ):
        result = place.run(*words)
        assert result.returncode == 2 and "there is no no.lock" in result.stderr
    config = place.home / "guard.yaml"
    config.write_text(config.read_text().replace("servers:", "lock: no.lock\nservers:"))
    result = place.run("check")
    assert result.returncode == 2 and "which guard.yaml names" in result.stderr
    assert place.run("lock").returncode == 0 and (place.home / "no.lock").exists()


def test_a_broken_lock_stops_the_guard_with_its_place(place: Place) -> None:
    place.run("lock")
    place.lock.write_text(place.lock.read_text().replace("digest:", "digset:", 1))
    result = place.run("check")
    assert result.returncode == 2 and "guard.lock:" in result.stderr and "digset" in result.stderr


def test_one_server_is_locked_anew_and_the_others_stay(place: Place) -> None:
    config = place.home / "guard.yaml"
    config.write_text(config.read_text() + f"  two: {json.dumps({'command': place.command})}\n")
    place.run("lock")
    before = read_lock(place.lock.read_bytes(), "x").servers
    place.turn()
    assert place.run("lock", "--server", "two").returncode == 0
    after = read_lock(place.lock.read_bytes(), "x").servers
    assert after["raw"] == before["raw"] and after["two"] != before["two"]
    assert place.run("lock", "--server", "three").returncode == 2


def test_a_server_that_does_not_answer_leaves_the_lock_as_it_was(place: Place) -> None:
    place.run("lock")
    text = place.lock.read_bytes()
    config = place.home / "guard.yaml"
    config.write_text(config.read_text() + "  dead: {command: [false]}\n".replace("[false]", '["false"]'))
    result = place.run("lock")
    assert result.returncode == 1 and "dead doesn't answer" in result.stderr
    assert place.lock.read_bytes() == text


def test_a_program_that_is_another_one_is_not_the_locked_server(place: Place, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        f"import sys; sys.path.insert(0, {str(SHIFTY.parent)!r})\n"
        + SHIFTY.read_text().replace("from __future__ import annotations\n", "")
    )
    config = place.home / "guard.yaml"
    config.write_text(config.read_text().replace(str(SHIFTY), str(mine)))
    place.run("lock")
    assert "it changed" not in place.run("check").stdout  # the scan has its own say
    mine.write_text(mine.read_text() + "# changed\n")
    assert "program isn't the one that was locked" in place.run("check").stdout
    assert "~ identity: was content: mine.py" in place.run("lock", "--check").stdout


def test_secrets_of_a_command_do_not_reach_the_lock(place: Place) -> None:
    secret = "sk-0123456789abcdef0123456789"
    config = place.home / "guard.yaml"
    words = [*place.command[:3], *place.command[3:], "--as", "rewrite"]
    config.write_text(f"version: 1\nservers:\n  raw: {json.dumps({'command': ['env', f'API_KEY={secret}', *words]})}\n")
    assert place.run("lock").returncode == 0
    assert secret not in place.lock.read_text() and "API_KEY=****" in place.lock.read_text()
