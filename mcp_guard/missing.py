"""What to say of a file that isn't there: was it misspelt, or meant from another directory?"""

from __future__ import annotations

import difflib
from pathlib import Path

from mcp_guard.errors import InputError

_MOST = 3  # places that are named


def check_there(path: Path) -> None:
    """A path that leads nowhere was most likely meant from another directory, or is misspelt."""
    if path.exists():
        return
    directory = path.absolute().parent
    try:
        names = [other.name for other in directory.iterdir()]
    except OSError:
        raise InputError(f"can't read {path}: there is no directory {directory}") from None
    tested = path.name.replace(".cases.", ".")  # a document is no slip for its own cases
    close = difflib.get_close_matches(path.name, [name for name in names if name != tested], 1, 0.6)
    raise InputError(f"there is no {path.name} in {directory}{f'; did you mean `{close[0]}`?' if close else ''}")


def config_elsewhere() -> str:
    """How to go on without a guard.yaml in sight: `init` writes them where nobody's working directory is."""
    from mcp_guard.starting.places import guards_home  # not for a start at which nothing is missing

    found = sorted(guards_home().glob("*/guard.yaml"))
    if not found:
        return (
            "name it with `--config FILE`; `mcp-guard init` makes one, and `mcp-guard wrap` guards one server without"
        )
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return f"name it with `--config FILE`; `init` wrote {', '.join(map(str, found[:_MOST]))}{more}"
