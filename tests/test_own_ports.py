"""The ports of a record's processes: known to every guard from before they answer to their end, and refused."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mcp_guard.errors import InputError
from mcp_guard.own_ports import FOLDER, announced, listening
from mcp_guard.protection import Protection
from tests.end_to_end.clients import served
from tests.end_to_end.test_server_requests import _Place
from tests.guards import Stand, decision_in


def test_a_port_counts_while_its_process_listens(tmp_path: Path) -> None:
    state = tmp_path / "state"
    guard = Protection([], [str(tmp_path)], state=str(state)).with_more([], [])
    urls = [{"deep": [f"http://guard-1f.localhost:{port}/now"]} for port in (8711, 8712)]
    assert [guard.named_by(url) for url in urls] == [False, False]
    with announced(state, 8711):
        with announced(state, 8712):
            assert [guard.named_by(url) for url in urls] == [True, True]
        assert [guard.named_by(url) for url in urls] == [True, False]
        (file,) = (state / FOLDER).iterdir()
        assert [stat.S_IMODE(one.stat().st_mode) for one in (state, file.parent, file)] == [0o700, 0o700, 0o600]
    assert not any(guard.named_by(url) for url in urls)


def test_what_a_killed_process_left_counts_until_the_next_one_listens(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(mode=0o700)
    tmp_path.chmod(0o700)
    (tmp_path / FOLDER / "8711-0123").touch(0o600)
    assert listening(str(tmp_path)) == frozenset({8711})
    with announced(tmp_path, 8712):
        assert listening(str(tmp_path)) == frozenset({8712})


def test_where_it_cannot_be_told_every_address_is_refused_and_no_path_is(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no directory")
    guard = Protection([], [str(tmp_path / "project")], state=str(tmp_path))
    assert guard.named_by("https://example.com/")
    assert not guard.named_by("src/main.py")


def test_nothing_is_served_from_a_directory_that_is_open_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(InputError, match="open to other users"), announced(tmp_path, 8711):
        pass


async def test_a_guard_over_http_is_refused_by_another_guard_of_its_record(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    file = tmp_path / "guard.yaml"
    servers = json.dumps({"raw": {"command": stand.server("other")}})
    file.write_text(f"version: 1\npolicy: {stand.policy_file}\nservers: {servers}\n")
    place: Any = _Place(stand)
    command = [sys.executable, "-m", "mcp_guard", "run", "--config", str(file), "--http", "127.0.0.1:0"]
    async with stand.wrap() as client:
        await client.initialize()
        async with served(place, command) as http:
            port = urlsplit(http.url).port
            refused = await client.call("echo", {"url": f"http://127.0.0.1:{port}/mcp"})
            assert decision_in(refused)["reason"] == "protected"
    assert stand.ledger() == []
    assert listening(str(stand.state)) == frozenset()
