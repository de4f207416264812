"""What isn't where a command looks for it: the message says how to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.config import load_config
from mcp_guard.errors import InputError


def test_a_missing_guard_yaml_is_told_with_those_that_init_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_guard.starting.places.guards_home", lambda: tmp_path / "guards")
    with pytest.raises(InputError, match="`mcp-guard init` makes one"):
        load_config(tmp_path / "guard.yaml")
    for client in "abcde":
        (tmp_path / "guards" / client).mkdir(parents=True)
        (tmp_path / "guards" / client / "guard.yaml").touch()
    with pytest.raises(
        InputError, match=r"`init` wrote \S+/a/guard.yaml, \S+/b/guard.yaml, \S+/c/guard.yaml and 2 more"
    ):
        load_config(tmp_path / "guard.yaml")
