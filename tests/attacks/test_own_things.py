"""Law 7: calls that would change the guard, its documents or its record, in front of a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.cli.setting_up import protection_of
from mcp_guard.server_spec import ServerSpec
from tests.fixtures.ledger import executed
from tests.guards import REPOSITORY, Stand, decision_in

GUARD = REPOSITORY / "mcp_guard"


async def test_the_guard_lets_nobody_at_its_own_program_documents_and_record(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(stand.state)
    (tmp_path / "hard.yaml").hardlink_to(stand.policy_file)
    home = str(tmp_path)
    named = [
        str(GUARD / "guard.py"),
        f"{GUARD}/../mcp_guard/gateway.py",
        "policy.yaml",
        "sub/../POLICY.yaml",
        "hard.yaml",
        "link/guard.db",
        f"file://{home}/policy.yaml",
        f"file:{home}/%70olicy.yaml",
        f"//{home}/policy.yaml",
        f"{home}/policy.yaml/",
        f" {home}/policy.yaml\n",
        f"{home}/policy.yaml\0.txt",
        "/proc/self/cwd/policy.yaml",
        f"/proc/self/root{home}/state/digest.key",
    ]
    async with stand.wrap() as client:
        await client.initialize()
        results = [await client.call("echo", {"text": name}) for name in named]
        results.append(await client.call("echo", {"text": "x", "deep": [{"er": ["policy.yaml"]}]}))
        results.append(await client.call("echo", {"text": "x", "policy.yaml": 1}))
        results.append(await client.call("echo", {"text": "x"}, _meta={"x": "policy.yaml"}))
    for name, result in zip([*named, "deep", "key", "_meta"], results, strict=True):
        assert decision_in(result)["reason"] == "protected", name
    assert executed(stand.ledger_file()) == []


@pytest.mark.parametrize("path", ["/dev/fd/../cwd/guard.yaml", "/proc/net/../cwd/guard.yaml"])
def test_a_way_through_the_reading_process_is_found_where_guard_and_server_stand_in_different_directories(
    tmp_path: Path, path: str
) -> None:
    spec = ServerSpec("files", ("files",), cwd=str(tmp_path))
    assert protection_of([spec], (), [tmp_path / "guard.yaml"], tmp_path / "state").named_by({"x": path})


@pytest.mark.parametrize(
    "spelling",
    [
        "sqlite:///{}",
        "git+file://{}",
        "jar:file:{}!/x",
        "--output={}",
        "-o{}",
        "@{}",
        "x,{}",
        '"{}"',
        "x?path={}",
        "a=1&b=%2F{}",
    ],
)
def test_a_protected_path_inside_of_another_spelling_is_found(tmp_path: Path, spelling: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    assert protection_of((), (), (), state).named_by({"x": spelling.format(state / "guard.db")})
    assert not protection_of((), (), (), state).named_by({"x": spelling.format(tmp_path / "other" / "guard.db")})
