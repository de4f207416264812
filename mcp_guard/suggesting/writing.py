"""A suggested document as text: each line that says something else than before is explained above it.

Comments of the document it comes from aren't in it, since only its values are read. Names in comments may be an
attacker's, so they are escaped: nothing ends a comment's line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mcp_guard.starting.yaml_text import comment, text
from mcp_guard.suggesting.edits import Edit
from mcp_guard.suggesting.proving import Made

_BLOCKS = ("args", "optional")  # written one argument a line


def document_text(heading: Iterable[str], plain: Mapping[str, Any], made: Sequence[Made]) -> str:
    """The whole document. Raises ValueError for a value that YAML can't say."""
    lines = [comment(line) for line in heading]
    for key, value in plain.items():
        if key in ("grants", "ask", "deny") and value:
            lines.append(f"{key}:")
            for rule in value:
                lines += _rule(rule, [one for one in made if key == "grants" and one.edit.rule == str(rule["id"])])
        elif isinstance(value, Mapping) and value:
            lines.append(f"{text(key)}:")
            lines += [f"  {text(str(name))}: {flow(inner)}" for name, inner in value.items()]
        else:
            lines.append(f"{text(key)}: {flow(value)}")
    return "\n".join(lines) + "\n"


def explained(edit: Edit, name: str) -> str:
    """Why a line is as it is: `a directory; 12 calls: 3f9a1c2e-17, 3f9a1c2e-40`."""
    if not edit.calls:
        return name
    calls = "1 call" if edit.calls == 1 else f"{edit.calls} calls"
    return f"{name}; {calls}: {', '.join(edit.entries)}"


def _rule(rule: Mapping[str, Any], made: Sequence[Made]) -> Iterator[str]:
    begin = "  - "
    for key, value in rule.items():
        whole = [one for one in made if one.edit.at in ((key,), *([("others",)] if key == "optional" else []))]
        yield from (_why(one, "    ") for one in whole if begin == "    ")
        if key in _BLOCKS and isinstance(value, Mapping) and value:
            yield f"{begin}{key}:"
            for name, limit in value.items():
                yield from (_why(one, "      ") for one in made if one.edit.at == (key, name))
                yield f"      {text(name)}: {flow(limit)}"
        else:
            yield f"{begin}{text(key)}: {flow(value)}"
        begin = "    "
    gone = [one for one in made if one.edit.at[:1] == ("optional",) and not _stands(rule, one.edit.at)]
    for one in gone:
        yield comment(f"`{one.edit.at[-1]}` is left out: {explained(one.edit, one.alternative.name)}", "    ")


def _stands(rule: Mapping[str, Any], at: tuple[str, ...]) -> bool:
    return at[1] in rule.get(at[0], {}) if len(at) > 1 else True


def _why(made: Made, indent: str) -> str:
    return comment(explained(made.edit, made.alternative.name), indent)


def flow(value: Any) -> str:
    """A value on one line, which reads back as exactly this value."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{text(str(key))}: {flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value)
    if value is None:
        return "null"
    return repr(value)
