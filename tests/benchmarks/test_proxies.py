"""Other people's proxies are installed from their locks, once, and what can't be had is said."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import proxies
from benchmarks.proxies import FROM_NPM, FROM_PYPI, NotInstalled, install, pinned

REPOSITORY = Path(__file__).parents[2]


class Ran(list[str]):
    """Stands for pip and npm: keeps the commands, and fails where a word is in one."""

    def __init__(self, fails: str = " nothing ") -> None:
        super().__init__()
        self.fails = fails

    def __call__(self, command: Sequence[str], **_: object) -> None:
        line = " ".join(command)
        if self.fails in line:
            raise OSError("no such program")
        self.append(line)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    ran = Ran()
    monkeypatch.setattr("subprocess.run", ran)
    return ran


def test_each_proxy_is_installed_from_its_lock_into_an_environment_of_its_own(tmp_path: Path, ran: Ran) -> None:
    install(tmp_path, lambda _: None)
    for name in FROM_PYPI:
        [line] = [one for one in ran if one.startswith(f"{tmp_path}/{name}/bin/python -m pip install")]
        assert "--require-hashes --only-binary :all:" in line and line.endswith(f"requirements/peers/{name}.txt")
    assert [line for line in ran if line.startswith("npm")] == [
        "npm ci --ignore-scripts --no-audit --no-fund --loglevel=error"
    ]
    assert (tmp_path / "npm" / "package-lock.json").read_bytes() == (proxies.LOCKS / "package-lock.json").read_bytes()


def test_what_is_there_as_locked_is_left_alone_and_another_lock_installs_anew(
    tmp_path: Path, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = shutil.copytree(proxies.LOCKS, tmp_path / "locks")
    monkeypatch.setattr(proxies, "LOCKS", locks)
    install(tmp_path, lambda _: None)
    ran.clear()
    said: list[str] = []
    install(tmp_path, said.append)
    assert ran == [] and len(said) == 5 and all(one.endswith(": there") for one in said)
    (locks / "fastmcp.txt").write_text("another\n")
    install(tmp_path, lambda _: None)
    assert [line for line in ran if "venv" in line or "npm" in line] == [
        line for line in ran if line.endswith(f"{tmp_path}/fastmcp")
    ]
    assert len(ran) == 2


def test_what_cannot_be_installed_is_said_after_the_rest_and_tried_again_next_time(tmp_path: Path, ran: Ran) -> None:
    ran.fails = "mcp-firewall"
    said: list[str] = []
    with pytest.raises(NotInstalled, match=r"mcp-firewall"):
        install(tmp_path, said.append)
    assert sum("installed in" in one for one in said) == 4
    ran.clear()
    ran.fails = " nothing "
    install(tmp_path, lambda _: None)
    assert ran and all("mcp-firewall" in line for line in ran)


def test_without_npm_the_others_are_installed_and_it_is_said(
    tmp_path: Path, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    said: list[str] = []
    with pytest.raises(NotInstalled, match="supergateway"):
        install(tmp_path, said.append)
    assert any("npm (with Node 20 or later) was not found" in one for one in said)
    assert sum("installed in" in one for one in said) == len(FROM_PYPI)


def test_every_proxy_has_one_version_and_a_lock_that_has_it() -> None:
    assert set(pinned()) == {*FROM_PYPI, *(f"{name} (npm)" for name in FROM_NPM)}
    for name in FROM_PYPI:
        assert f"{name}=={pinned()[name]}" in (proxies.LOCKS / f"{name}.txt").read_text("utf-8")
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    assert f"PYPI_PEERS := {' '.join(FROM_PYPI)}\n" in makefile  # what `make lock` resolves
