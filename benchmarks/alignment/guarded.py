"""`mcp-guard run` with a scripted person: `python -m benchmarks.alignment.guarded CONFIG MANDATE NEEDED`.

Puts the same parts together as the command does, on stdio, and differs in the approver alone. NEEDED is a JSON file: a
list of `[tool, arguments]`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.alignment.approver import Scripted
from mcp_guard.cli.serving import serve_stdio
from mcp_guard.cli.setting_up import build_guard, load_documents
from mcp_guard.config import load_config


def main(config: Path, mandate: Path, needed: Path) -> int:
    loaded = load_config(config)
    first, second = load_documents(loaded.policy, mandate, loaded.variables)
    guard = build_guard(
        loaded.servers,
        policy=first,
        mandate=second,
        prefixed=True,
        own_files=(config,),
        durability=loaded.durability,
        lock=loaded.lock,
    )
    guard.approver = Scripted((tool, arguments) for tool, arguments in json.loads(needed.read_text()))
    return serve_stdio(guard)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:4])))
