"""Contained servers behind real guards: what they got, what `check` and the record say, and what isn't started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.config import load_config
from mcp_guard.containment.possible import Mechanism
from mcp_guard.containment.settings import Bounds, Containment
from mcp_guard.errors import GuardError, InputError
from mcp_guard.server_spec import ServerSpec
from tests.cli.commands import guard
from tests.containment.rooms import NOSY, Room, sandbox
from tests.guards import Stand

POLICY = """
version: 1
tools: {nosy/look: {effect: [read, write]}}
grants:
  - {id: a, tool: nosy/look, args: {}, optional: {path: {under: $project/notes}}}
"""


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    sandbox(Mechanism.BUBBLEWRAP)
    stand = Stand(tmp_path.resolve() / "project", policy=POLICY)
    (stand.home / "notes").mkdir()
    (stand.home.parent / "secret").write_text("a secret")
    stand.environment["A_TOKEN"] = "t"
    return stand


def nosy(stand: Stand, *options: str) -> list[str]:
    own = (stand.home.parent / "secret", stand.policy_file, stand.state / "guard.db")
    reads = [f"--read={path}" for path in own]
    return [sys.executable, str(NOSY), "--ledger", str(stand.home / "notes" / "ledger"), *reads, *options]


def got(stand: Stand) -> dict[str, Any]:
    lines = [json.loads(line) for line in (stand.home / "notes" / "ledger").read_text().splitlines()]
    return {line["attempt"]: line["got"] for line in lines if "got" in line}


def started(stand: Stand) -> list[str]:
    return [str(row.body) for row in stand.rows() if row.kind == "server_started"]


@pytest.mark.parametrize("contain", [False, True])
async def test_a_server_in_guard_yaml_is_contained_where_it_says_so(stand: Stand, contain: bool) -> None:
    async with stand.run({"nosy": nosy(stand)}, contain=contain) as client:
        await client.initialize()
        await client.call("nosy__look", {})
    assert bool([name for name in got(stand) if name.startswith("read ")]) is not contain
    assert "A_TOKEN" not in got(stand)["environment"]
    assert ["contained by bubblewrap, network off" in note for note in started(stand)] == [contain]


NEEDY = """
import json, sys
open(sys.argv[1])
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    made = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "n", "version": "1"}}
    tools = {"tools": [{"name": "look", "inputSchema": {"type": "object"}}]}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": made | tools}), flush=True)
"""


@pytest.mark.parametrize("named", [False, True], ids=["first", "again"])
def test_lock_starts_a_contained_server_with_the_files_that_its_grants_name(stand: Stand, named: bool) -> None:
    program = stand.home.parent / "program" / "server.py"
    program.parent.mkdir()
    program.write_text(NEEDY)
    (stand.home / "notes" / "needed").write_text("x")
    servers = {
        "nosy": {"command": [sys.executable, str(program), str(stand.home / "notes" / "needed")], "contain": True}
    }
    lines = ["version: 1", "policy: policy.yaml", *(["lock: guard.lock"] if named else [])]
    (stand.home / "guard.yaml").write_text("\n".join([*lines, f"servers: {json.dumps(servers)}"]))
    done = guard(stand.state, "lock", cwd=stand.home)
    assert (done.returncode, "wrote" in done.stdout) == (0, True), done.stderr
    assert "look" in (stand.home / "guard.lock").read_text()


async def test_wrap_contains_a_server_by_the_policys_grants(stand: Stand) -> None:
    words = ["wrap", "--contain", "--name", "nosy", "--policy", str(stand.policy_file), "--", *nosy(stand)]
    async with stand.client(words) as client:
        await client.initialize()
        await client.call("look", {})
    assert not [name for name in got(stand) if name.startswith("read ")]
    assert "A_TOKEN" not in got(stand)["environment"]


async def test_a_server_that_cannot_be_contained_is_not_started_and_the_others_go_on(stand: Stand) -> None:
    file = stand.home / "guard.yaml"
    command = nosy(stand)
    servers = {
        "nosy": {"command": command, "contain": True},
        "bad": {"command": ["npx", "-y", "x"], "contain": True},
    }
    file.write_text(json.dumps({"version": 1, "policy": str(stand.policy_file), "servers": servers}))
    async with stand.client(["run", "--config", str(file)]) as client:
        await client.initialize()
        await client.call("nosy__look", {})
    assert "`bad` isn't started: `npx` fetches" in client.stderr
    assert not [row for row in stand.rows() if row.server == "bad" and row.kind == "server_started"]
    checked = check(stand, "--config", str(file), "--json")
    by_name = {server["name"]: server for server in json.loads(checked.stdout)["servers"]}
    assert not by_name["bad"]["answered"]
    assert "npm install" in by_name["bad"]["contained"]["refused"]


def check(stand: Stand, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mcp_guard", "check", *words],
        cwd=stand.home, env=stand.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_check_says_what_is_contained_and_how(stand: Stand) -> None:
    policy = ["--policy", str(stand.policy_file), "--name", "nosy"]
    said = check(stand, *policy, "--contain", "--", *nosy(stand)).stdout
    assert "contained by bubblewrap, network off" in said
    assert f"writes: {stand.home / 'notes'}\n" in said
    answer = check(stand, *policy, "--contain", "--json", "--", *nosy(stand))
    cell = json.loads(answer.stdout)["servers"][0]["contained"]
    assert cell["by"] == "bubblewrap"
    assert (cell["writes"], cell["reads"], cell["network"]) == ([str(stand.home / "notes")], [], False)
    assert cell["limits"]["memory"] == 4 * 10**9
    plain = json.loads(check(stand, *policy, "--json", "--", *nosy(stand)).stdout)["servers"][0]
    assert plain["contained"] is None
    assert check(stand, *policy, "--contain").returncode == 2


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("true", Containment()),
        ("false", None),
        ("{}", Containment()),
        ("{files: none, read: [a], write: [/b, ~/c]}", "paths"),
        ("{network: on, memory: 300MB, cpu: 2m, processes: 64, open_files: 100}",
         Containment(network=True, bounds=Bounds(300_000_000, 120, 64, 100))),
    ],
)  # fmt: skip
def test_guard_yaml_says_how_a_server_is_contained(tmp_path: Path, written: str, expected: object) -> None:
    if expected == "paths":
        expected = Containment("none", (str(tmp_path / "a"),), ("/b", str(Path("~/c").expanduser())))
    file = tmp_path / "guard.yaml"
    file.write_text(f"version: 1\nservers:\n  s: {{command: [x], contain: {written}}}\n")
    assert load_config(file).servers[0].contain == expected


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("{file: any}", "did you mean `files`"),
        ("{memory: 2}", "servers.s.contain.memory"),
        ("{memory: lots}", "servers.s.contain.memory"),
        ("{files: some}", "servers.s.contain.files"),
        ("{network: true}", "servers.s.contain.network"),
        ("{read: [1]}", "servers.s.contain.read.0"),
        ("yes", "servers.s.contain"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, written: str, hint: str) -> None:
    file = tmp_path / "guard.yaml"
    file.write_text(f"version: 1\nservers:\n  s: {{command: [x], contain: {written}}}\n")
    with pytest.raises(InputError, match=r"guard\.yaml:3:") as raised:
        load_config(file)
    assert hint in str(raised.value)
    file.write_text("version: 1\nservers:\n  s: {url: 'https://x.example/mcp', contain: true}\n")
    with pytest.raises(InputError, match="doesn't go with `url`"):
        load_config(file)


def test_a_server_whose_cell_was_never_bound_is_not_started() -> None:
    """Whoever builds a guard without binding must not get an uncontained server."""
    from mcp_guard.downstream import Downstream

    with pytest.raises(GuardError, match="nothing says how"):
        Downstream(ServerSpec("s", ("true",), contain=Containment()), None)._new_child()  # type: ignore[arg-type]


def test_a_server_that_was_started_ahead_is_not_taken_for_a_contained_one(tmp_path: Path) -> None:
    from mcp_guard.downstream import Downstream

    room = Room(tmp_path / "m")
    cell = room.cell(Containment(), sandbox(Mechanism.BUBBLEWRAP), room.command())
    spec = ServerSpec("s", room.command(), contain=Containment(), cell=cell)
    with pytest.raises(GuardError, match="nothing says how"):
        Downstream(spec, None, child=object())._new_child()  # type: ignore[arg-type]
