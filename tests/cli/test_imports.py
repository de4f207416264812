"""What each command may import: whoever asks for help, or starts a guard in front of a server, waits for it.

Read from the source: what a module imports when it is loaded, and what those import in turn. What a command needs only
while it works (the SDK over HTTP, the table of a report) is imported inside a function, and isn't counted. That is seen
in a `wrap` that runs, by the modules that it has loaded when its first listing is there.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.callers import StdioCaller
from benchmarks.speed.chains import Place
from mcp_guard.cli.app import COMMANDS
from tests.test_layout import modules

SDK = frozenset({"mcp", "mcp_types", "starlette", "uvicorn", "httpx2", "opentelemetry", "anyio", "h11", "truststore"})
SLOW = SDK | {"cryptography", "structlog", "jinja2", "detect_secrets", "platformdirs"}
TABLES = frozenset({"rich"})
DOCUMENTS = frozenset({"pydantic", "yaml", "jsonschema_rs", "asyncio", "ssl", "email"})
LOOKED_FOR = SLOW | TABLES | DOCUMENTS

MAY: dict[str, frozenset[str]] = {
    "demo": LOOKED_FOR,  # it plays an agent, with the SDK's client
    "wrap": DOCUMENTS,
    "run": DOCUMENTS,
    "lock": DOCUMENTS,
    "mandate": DOCUMENTS,
    "approvals": DOCUMENTS,
    "stop": DOCUMENTS,
    "quarantine": DOCUMENTS,
    "session": DOCUMENTS,
    "log": TABLES,
    "pin": frozenset(),
}
OTHERS = DOCUMENTS | TABLES
"""What a command may import that isn't named: it reads documents and shows tables."""


def on_loading(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that are made when a module is loaded."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from on_loading(node)


def named(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The modules that one import may load, with the packages above them."""
    if isinstance(node, ast.Import):
        whole = {alias.name for alias in node.names}
    else:
        assert node.module is not None and not node.level, "the house imports by full names"
        whole = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {".".join(parts[:end]) for name in whole for parts in [name.split(".")] for end in range(1, len(parts) + 1)}


def reached(start: str) -> set[str]:
    """The packages of others that are loaded with a module of ours."""
    found: set[str] = set()
    left = named(ast.Import([ast.alias(start)]))
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        if name in modules():
            for node in on_loading(modules()[name]):
                left |= named(node)
    return {name.split(".")[0] for name in found - modules().keys()}


def test_the_command_line_alone_imports_nothing_slow() -> None:
    assert reached("mcp_guard.cli.app") & LOOKED_FOR == set(), "for `mcp-guard --help`"
    assert "click" in reached("mcp_guard.cli.app")


def test_no_command_imports_more_than_it_may() -> None:
    assert MAY.keys() <= COMMANDS.keys()
    found = {name: reached(f"mcp_guard.cli.{name.replace('-', '_')}") for name in COMMANDS}
    assert found["demo"] & SDK and found["wrap"] & DOCUMENTS and found["log"] & TABLES  # it sees what is there
    more = {name: (LOOKED_FOR & there) - MAY.get(name, OTHERS) for name, there in found.items()}
    assert {name: extra for name, extra in more.items() if extra} == {}


BEFORE_THE_SERVER = 48
"""Modules that `wrap` may load before its server is started; the interpreter has some anyway, which don't count."""
OURS, OTHERS_OF_WRAP = 260, 400
"""Modules that `wrap` may load until the first listing. They are nearly all that one waits for, half of what is held:
before raising a number, see whether something could be imported where it is needed.
"""
COUNTED = "import sys; before = set(sys.modules); {}; print(*sorted(set(sys.modules) - before))"


def test_a_server_waits_for_few_modules() -> None:
    loads = COUNTED.format("import mcp_guard.__main__, mcp_guard.transports.spawn")
    done = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert "mcp_guard.transports.spawn" in found
    assert found & {"dataclasses", "inspect", "pathlib", "asyncio", "click"} == set()
    assert len(found) <= BEFORE_THE_SERVER, sorted(found)


def test_a_guard_loads_no_more_until_its_first_listing_than_it_is_known_to(tmp_path: Path) -> None:
    place = Place(tmp_path)
    python, *rest = place.wrap("raw")
    with StdioCaller([python, "-X", "importtime", *rest], place.environment()) as caller:
        assert caller.open()
        caller.errors.seek(0)
        lines = caller.errors.read().decode(errors="replace").splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    # A record that is a second old is signed: that may be so on a machine that is slow enough.
    loaded = {name for name in loaded if not name.lstrip("_").startswith(("cryptography", "cffi"))}
    ours = {name for name in loaded if name.split(".")[0] == "mcp_guard"}
    assert {"mcp_guard.gateway", "mcp_guard.policy.decide"} <= ours
    assert {name.split(".")[0] for name in loaded} & (SLOW - {"platformdirs"} | {"rich"}) == set()
    assert len(ours) <= OURS, sorted(ours)
    assert len(loaded - ours) <= OTHERS_OF_WRAP, sorted(loaded - ours)
