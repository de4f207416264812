"""For maintainers: put a real server's listing into the benign part of the corpus.

    python -m benchmarks.scan.collect --package npm:NAME@VERSION --licence MIT < listing.json

`listing.json` has what the server says: `{"tools": [...], "prompts": [...], "instructions": ...}`. Only with a
licence that permits to pass it on (`LICENCES`). The first `MOST` tools are kept, so that no server outweighs the
others. Which part a server belongs to follows from its package's name, so nobody chooses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

BENIGN = Path(__file__).parent / "corpus" / "benign"
LICENCES = ("MIT", "Apache-2.0", "ISC", "BSD-3-Clause", "MIT or Apache-2.0")
MOST = 40
_LEFT_OUT = ("_meta", "icons", "execution")
"""Members that no model reads."""


def part(package: str) -> str:
    """`development` or `held-out`."""
    return "held-out" if hashlib.sha256(package.encode()).digest()[0] % 2 else "development"


def kept(listing: dict[str, Any], package: str, version: str, licence: str) -> dict[str, Any]:
    """What the corpus keeps of one server."""
    tools = [{key: value for key, value in tool.items() if key not in _LEFT_OUT} for tool in listing["tools"][:MOST]]
    head = {"package": package, "version": version, "licence": licence, "part": part(package)}
    return {
        **head,
        "instructions": listing.get("instructions"),
        "prompts": listing.get("prompts", []),
        "listed": len(listing["tools"]),
        "tools": tools,
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.scan.collect", description="Add a listing to the benign corpus.")
    parser.add_argument("--package", required=True, help="npm:NAME@VERSION or pypi:NAME@VERSION")
    parser.add_argument("--licence", required=True, choices=LICENCES)
    given = parser.parse_args()
    package, _, version = given.package.rpartition("@")
    form = kept(json.load(sys.stdin), package, version, given.licence)
    name = package.partition(":")[2].replace("@", "").replace("/", "--")
    BENIGN.mkdir(exist_ok=True)
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in form.items() if key != "tools"]
    tools = ",\n".join(f"  {json.dumps(tool)}" for tool in form["tools"])
    lines.append(f' "tools": [\n{tools}\n ]')
    (BENIGN / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
