"""For maintainers: put a real server's listing into the benign part of the corpus.

    python -m benchmarks.scan.collect --package FILE < listing.json

`FILE` is the package as its client fetches it (`npm pack NAME@VERSION`, `pip download --no-deps NAME==VERSION`): its
licence has to permit to pass it on, and says whose it is. `listing.json` has what the server says:
`{"tools": [...], "prompts": [...], "instructions": ...}`. The first `MOST` tools are kept, so that no server outweighs
the others. Which part a server belongs to follows from its package's name, so nobody chooses. `benchmarks.scan.notice`
writes the NOTICE afterwards.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.scan.licences import Licensed, Unclear, licensed

BENIGN = Path(__file__).parent / "corpus" / "benign"
MOST = 40
_LEFT_OUT = ("_meta", "icons", "execution")
"""Members that no model reads."""


def part(package: str) -> str:
    """`development` or `held-out`."""
    return "held-out" if hashlib.sha256(package.encode()).digest()[0] % 2 else "development"


def write(listing: dict[str, Any], of: Licensed) -> None:
    """Write what the corpus keeps of one server."""
    tools = [{key: value for key, value in tool.items() if key not in _LEFT_OUT} for tool in listing["tools"][:MOST]]
    form = {
        "package": of.package,
        "version": of.version,
        "licence": of.licence,
        "licensed_by": of.by,
        "copyright": list(of.copyright),
        "part": part(of.package),
        "instructions": listing.get("instructions"),
        "prompts": listing.get("prompts", []),
        "listed": listing.get("listed", len(listing["tools"])),
    }
    name = of.package.partition(":")[2].replace("@", "").replace("/", "--")
    BENIGN.mkdir(exist_ok=True)
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in form.items()]
    kept = ",\n".join(f"  {json.dumps(tool)}" for tool in tools)
    lines.append(f' "tools": [\n{kept}\n ]')
    (BENIGN / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.scan.collect", description="Add a listing to the benign corpus.")
    parser.add_argument("--package", required=True, type=Path, help="the package's file: .tgz or .whl")
    try:
        write(json.load(sys.stdin), licensed(parser.parse_args().package))
    except Unclear as unclear:
        print(f"its licence is unclear: {unclear}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
