"""What each command may import: whoever asks for help, or starts a guard in front of a server, waits for it.

One process imports the command line, and a copy of it each command's module. What a command needs only while it works
(the SDK over HTTP, a table of a report) is imported there, and isn't seen here.
"""

from __future__ import annotations

import json
import subprocess
import sys

from mcp_guard.cli.app import COMMANDS

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

SCRIPT = """
import importlib, json, os, sys
import mcp_guard.cli.app as app
found = {"": sorted(sys.modules)}
for name in app.COMMANDS:
    read, write = os.pipe()
    if os.fork() == 0:
        importlib.import_module(f"mcp_guard.cli.{name}")
        with os.fdopen(write, "w") as pipe:
            json.dump(sorted({module.split(".")[0] for module in sys.modules}), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        found[name] = json.load(pipe)
print(json.dumps(found))
"""


def test_no_command_imports_more_than_it_may() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, list[str]] = json.loads(done.stdout)
    assert LOOKED_FOR & {module.split(".")[0] for module in found.pop("")} == set(), "for `mcp-guard --help`"
    assert found.keys() == COMMANDS.keys() and MAY.keys() <= found.keys()
    more = {name: (LOOKED_FOR & set(there)) - MAY.get(name, OTHERS) for name, there in found.items()}
    assert {name: extra for name, extra in more.items() if extra} == {}
