"""What an installed package carries: the demo, its servers and the ready-made policies travel inside the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a freshly built wheel."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = target.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("bundled", ["servers", "policies"])
def test_the_wheel_carries_every_file_of_servers_and_policies(wheel: set[str], bundled: str) -> None:
    files = {path.relative_to(ROOT) for path in (ROOT / bundled).rglob("*") if path.is_file()}
    wanted = {f"mcp_guard/_bundled/{path.as_posix()}" for path in files if "__pycache__" not in path.parts}
    assert wanted
    assert wanted <= wheel


def test_the_wheel_carries_every_module_and_the_typing_marker(wheel: set[str]) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mcp_guard").rglob("*.py")}
    assert modules | {"mcp_guard/py.typed"} <= wheel


def test_the_wheel_carries_the_whole_effects_catalogue(wheel: set[str]) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mcp_guard" / "catalogue" / "data").iterdir()}
    assert len(files) > 25
    assert files <= wheel


def test_the_wheel_carries_the_schemas(wheel: set[str]) -> None:
    assert {f"mcp_guard/schemas/{name}.json" for name in ("policy", "mandate", "cases", "guard")} <= wheel


def test_the_wheel_carries_neither_tests_nor_benchmarks(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel if ".dist-info/" not in name} == {"mcp_guard"}
