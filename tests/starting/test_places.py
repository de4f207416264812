"""How a client is told to start the guard: this very program, from anywhere, and one that lasts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mcp_guard.cli.setting_up import protection_of
from mcp_guard.errors import InputError
from mcp_guard.starting.places import guards_home, program


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that Python runs from, without the guard's own script."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    return tmp_path / "venv"


def test_the_installed_script_is_named_by_its_whole_path(prefix: Path) -> None:
    script = prefix / "bin" / "mcp-guard"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert program().words == (str(script),)


def test_without_a_script_python_does_not_look_for_the_guard_where_a_client_starts_it(prefix: Path) -> None:
    assert program().words == (str(prefix / "bin" / "python"), "-P", "-m", "mcp_guard")


def test_a_checkout_that_only_a_variable_makes_known_takes_the_variable_along(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = str(Path(__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/somewhere", checkout]))
    assert program().env["PYTHONPATH"] == checkout


def test_the_clients_guards_write_into_the_record_that_log_reads(
    prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCP_GUARD_STATE", "state")
    assert program().env["MCP_GUARD_STATE"] == str(tmp_path / "state")
    monkeypatch.delenv("MCP_GUARD_STATE")
    assert program().env == {}


@pytest.mark.parametrize(
    "cache",
    ["cache/uv/archive-v0/x1", "uv/cache/environments-v2/mcp-guard-1", ".local/pipx/.cache/5c", ".cache/pipx/5c"],
)
def test_a_cache_that_may_be_emptied_is_no_place_for_a_guard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / cache))
    with pytest.raises(InputError, match="install it"):
        program()
    assert program(lasting=False).words, "looking around needs no lasting installation"


def test_no_guard_lets_a_call_name_the_files_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    protection = protection_of((), (), (), tmp_path / "state")
    assert protection.named_by({"path": str(guards_home() / "cursor" / "policy.yaml")})
    assert protection.named_by({"path": str(guards_home())})
    assert not protection.named_by({"path": str(tmp_path / "config" / "other" / "policy.yaml")})
