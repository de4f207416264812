"""The entry point. `wrap` starts its server before anything else is imported, so that both start at once."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the result is the exit code."""
    ahead = _start_ahead(sys.argv[1:])
    from mcp_guard.cli.app import run

    return run(ahead)


def _start_ahead(arguments: list[str]) -> object:
    """The server of `wrap … -- COMMAND`, already starting; None for all else. Nothing reaches it until it is judged."""
    if arguments[:1] != ["wrap"] or "--" not in arguments or arguments[-1] == "--":
        return None
    split = arguments.index("--")
    contained = "--contain" in arguments[:split]  # what by, the policy says
    if contained or {"--help", "-h"} & set(arguments[:split]) or "://" in arguments[split + 1]:
        return None
    from mcp_guard.transports.spawn import spawn

    return spawn(arguments[split + 1 :])


if __name__ == "__main__":
    sys.exit(main())
