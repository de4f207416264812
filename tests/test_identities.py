"""How much a server's command proves of what it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.identities import identity_of
from mcp_guard.lock.servers import Strength
from mcp_guard.server_spec import ServerSpec
from mcp_guard.transports.http_link_remote import Remote


def strength(*command: str, cwd: Path | None = None, given: tuple[str, ...] = ()) -> Strength:
    return identity_of(ServerSpec("s", command, cwd=str(cwd) if cwd else None, given=given)).strength


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["npx", "-y", "@scope/server@1.2.3", "."], Strength.VERSION),
        (["npx", "-y", "@scope/server"], Strength.NAME),
        (["npx", "-y", "@scope/server@latest"], Strength.NAME),
        (["uvx", "server==1.2"], Strength.VERSION),
        (["docker", "run", "-i", f"mcp/time@sha256:{'0' * 64}"], Strength.CONTENT),
        (["docker", "run", "-i", "mcp/time"], Strength.NAME),
        (["npx", "--unheard-of", "server"], Strength.NOTHING),  # and not a digest of `npx`
        (["env", "A=1", "server"], Strength.NOTHING),
        (["sudo", "server"], Strength.NOTHING),
        (["python", "-c", "print()"], Strength.NOTHING),
        (["no-such-program-anywhere"], Strength.NOTHING),
        ([], Strength.NOTHING),
    ],
)
def test_a_launcher_proves_no_more_than_what_it_names(command: list[str], expected: Strength) -> None:
    assert strength(*command) is expected


def test_a_script_is_known_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("print(1)")
    spec = ServerSpec("s", ("python3", "-u", "server.py"), cwd=str(tmp_path))
    before = identity_of(spec)
    assert before.strength is Strength.CONTENT and before.of.startswith("server.py sha256:")
    (tmp_path / "server.py").write_text("print(2)")
    assert identity_of(spec) != before
    (tmp_path / "server.py").chmod(0o755)
    assert strength("./server.py", cwd=tmp_path) is Strength.CONTENT


def test_variables_that_steer_a_launcher_leave_nothing_proved() -> None:
    assert strength("npx", "-y", "server@1.2.3", given=("NODE_OPTIONS",)) is Strength.NOTHING


def test_a_url_proves_who_answers_there() -> None:
    assert identity_of(ServerSpec("s", remote=Remote("https://a.example/mcp?key=x"))).of == "https://a.example"
