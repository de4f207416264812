"""The shape of the package: what may import what. Walks the source, so a new module is covered from its first line.

`core` judges: no waiting, no clock, no files, no MCP types, and nothing from the edge. The stdio path stays free of
`mcp`, whose import costs half a second and 65 MB; only the HTTP side may pay for it.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mcp_guard"
CORE = {"model", "errors", "wire", "policy", "history", "catalog", "lock", "inspection", "drafting", "monitor"}
CORE |= {"written_once"}
"""Modules and whole packages."""

FORBIDDEN_IN_CORE = {
    *("asyncio", "anyio", "threading", "multiprocessing", "concurrent", "signal", "select"),  # waiting
    *("time", "random", "secrets", "uuid"),  # what the edge passes in
    *("os", "io", "shutil", "tempfile", "socket", "subprocess", "sqlite3", "fcntl", "glob", "mmap"),  # the outside
    *("mcp", "mcp_types", "httpx2", "starlette", "uvicorn", "structlog", "click", "rich", "platformdirs"),
}
LOADER = "mcp_guard.policy.document"  # may open the file that it is asked to load, and nothing else
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}
HEAVY = {
    "mcp",
    "mcp_types",
    "starlette",
    "uvicorn",
    "httpx2",
    "h11",
    "truststore",
    "structlog",
    "rich",
    "opentelemetry",
}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name."""
    return {dotted(path): ast.parse(path.read_bytes()) for path in sorted(PACKAGE.rglob("*.py"))}


def is_core(name: str) -> bool:
    """By its place, or because its docstring says so."""
    parts = name.split(".")
    says_so = "\nCore." in (ast.get_docstring(modules()[name]) or "")
    return says_so or (len(parts) > 1 and parts[1] in CORE)


CORE_MODULES = [name for name in modules() if is_core(name)]


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes except those that only a type checker sees."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from nodes(child)


def imports(name: str) -> set[str]:
    """What a module imports, anywhere in it; a name that is a module of ours is given in full."""
    found: set[str] = set()
    for node in nodes(modules()[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                is_package = (ROOT / Path(*name.split("."))).is_dir()
                parents = name.split(".")[: len(name.split(".")) - node.level + is_package]
                base = ".".join([*parents, *([base] if base else [])])
            full = {f"{base}.{alias.name}" for alias in node.names}
            found |= full & modules().keys() or {base}
    return found


def test_the_walk_sees_the_package() -> None:
    assert {"mcp_guard.model", "mcp_guard.errors"} <= set(CORE_MODULES)
    assert "mcp_guard.model" not in imports("mcp_guard.errors")
    assert "decimal" in imports("mcp_guard.model")


@pytest.mark.parametrize("name", CORE_MODULES)
def test_a_core_module_imports_nothing_that_waits_or_touches_the_world(name: str) -> None:
    allowed = {"os"} if name == LOADER else set()  # for `os.path`, which is lexical where pathlib isn't
    assert {module.split(".")[0] for module in imports(name)} & FORBIDDEN_IN_CORE <= allowed
    assert "urllib.request" not in imports(name)


@pytest.mark.parametrize("name", CORE_MODULES)
def test_a_core_module_imports_no_edge_module(name: str) -> None:
    ours = {module for module in imports(name) if module.startswith("mcp_guard.")}
    assert {module for module in ours if module not in CORE_MODULES} == set()


@pytest.mark.parametrize("name", CORE_MODULES)
def test_a_core_module_has_no_async_no_clock_and_opens_no_file(name: str) -> None:
    for node in nodes(modules()[name]):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith), node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "input", "print", "exec", "eval"}, node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in CLOCKS, node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "pathlib" and name != LOADER:
            assert {alias.name for alias in node.names} <= {"PurePath", "PurePosixPath"}, node.lineno


def test_the_loader_uses_os_for_paths_alone() -> None:
    uses = {ast.unparse(node) for node in nodes(modules()[LOADER]) if isinstance(node, ast.Attribute)}
    assert {use for use in uses if re.match(r"os\.(?!path\b)", use)} == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: imports(name) & modules().keys() - {"mcp_guard"} for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_importing_the_stdio_path_loads_no_sdk_and_nothing_heavy() -> None:
    """In a fresh process, with every module at once that a guarded stdio server needs."""
    scripts = {"mcp_guard.transports.warden"}  # run by path, never imported
    extra = {f"mcp_guard.telemetry.{name}" for name in ("spans", "outbox", "instruments")}  # by guard.yaml alone
    assert extra <= modules().keys()
    elsewhere = (".http", ".cli", ".console")
    path = [name for name in modules() if not any(part in name for part in elsewhere) and name not in scripts | extra]
    path += [name for name in modules() if name == "mcp_guard.cli.wrap"]
    assert {"mcp_guard.model", "mcp_guard.transports", "mcp_guard.record"} <= set(path)
    script = f"import sys, {', '.join(path)}; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
