"""A drafted mandate as the text of a file, every line explained, and held to the format before anybody sees it.

Core.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_guard.drafting.draft import Draft, visible
from mcp_guard.escaping import escaped
from mcp_guard.policy.document import Document, load_text
from mcp_guard.policy.suggest import scalar

SHOWN = 12
"""Tools that are left out, by name; of more than that, how many."""


def mandate_text(drafted: Draft) -> str:
    """The file. What others chose (a task, names of tools, arguments) can't end a comment or a scalar."""
    lines = [
        "# Drafted by fixed rules, from the task and the tools that there are. Read it, and change what is wrong.",
        "version: 1",
        f"task: {_quoted(drafted.task)}",
        f"expires: {drafted.expires}",
    ]
    if drafted.lines:
        lines.append("grants:")
    for line in drafted.lines:
        lines += [f"  # {escaped(line.why)}", f"  - {line.yaml}"]
    if not drafted.lines:
        lines += ["grants: []"]
    if drafted.left_out:
        more = len(drafted.left_out) - SHOWN
        names = ", ".join(drafted.left_out[:SHOWN])
        lines.append(f"# Not granted: {escaped(names)}{f' and {more} more' if more > 0 else ''}.")
    return "\n".join(lines) + "\n"


def as_mandate(text: str, file: str, home: str = "", variables: Mapping[str, str] | None = None) -> Document:
    """The text as the mandate that it is. Raises `InputError` if it is none."""
    return load_text(text.encode(), file=file, kind="mandate", home=home, variables=variables)


def _quoted(task: str) -> str:
    written = scalar(task)
    return "".join(map(visible, written))
