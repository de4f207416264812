"""The written form of `result`: what a grant wants done to what its calls are answered.

`result: redact`, or a list: `redact`, `{redact: {NAME: EXPRESSION}}`, `{truncate: N}`, `strip_hidden`, `quarantine`,
`{max_size: N}`, `{types: [text, image]}`. Closed: an entry that isn't known is an error, as is one that is there twice.
"""

from __future__ import annotations

import re
from typing import Any

from mcp_guard.inspection.obligations import NOTHING, TYPES, Obligations
from mcp_guard.policy.constraint_pattern import why_not_pattern
from mcp_guard.policy.form_base import said
from mcp_guard.policy.yaml_source import quoted

PLAIN = {
    "redact": Obligations(redact=True),
    "strip_hidden": Obligations(strip_hidden=True),
    "quarantine": Obligations(quarantine=True),
}
WITH_VALUE = ("redact", "truncate", "max_size", "types")
MAX_PATTERNS = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9 _-]{0,39}")


def obligations(value: object) -> Obligations:
    """What is written under `result`; raises for what isn't known."""
    written = value if isinstance(value, list) else [value]
    if not written:
        raise said("an empty `result` asks for nothing", "name at least one, or leave the key out")
    found, seen = NOTHING, set()
    for entry in written:
        name, wish = _one(entry)
        if name in seen:
            raise said(f"`{name}` is there twice", "write it once")
        seen.add(name)
        found |= wish
    return found


def only_true(value: bool) -> bool:
    """What `deny_secrets` may be."""
    if not value:
        raise said("`deny_secrets: false` says nothing", "write `deny_secrets: true`, or leave the key out")
    return value


def _one(entry: object) -> tuple[str, Obligations]:
    if isinstance(entry, str) and entry in PLAIN:
        return entry, PLAIN[entry]
    if isinstance(entry, dict) and len(entry) == 1:
        (name, value), *_ = entry.items()
        match name:
            case "redact":
                return "redact with patterns", Obligations(redact=True, patterns=_patterns(value))
            case "truncate":
                return name, Obligations(truncate=_count(name, value, "characters"))
            case "max_size":
                return name, Obligations(max_size=_count(name, value, "bytes"))
            case "types":
                return name, Obligations(types=_types(value))
    known = ", ".join([*PLAIN, "{redact: {NAME: EXPRESSION}}", "{truncate: N}", "{max_size: N}", "{types: [...]}"])
    raise said(f"{quoted(_shown(entry))} can't be asked of a result", f"known are {known}")


def _shown(entry: object) -> str:
    return str(next(iter(entry), "")) if isinstance(entry, dict) else str(entry)


def _count(name: str, value: object, unit: str) -> int:
    if type(value) is not int or value < 1:
        raise said(f"{quoted(value)} isn't a number of {unit}", f"write {{{name}: 20000}}")
    return value


def _types(value: object) -> frozenset[str]:
    names = value if isinstance(value, list) else [value]
    for name in names:
        if name not in TYPES:
            raise said(f"{quoted(name)} isn't a type of content", f"types are {', '.join(TYPES)}")
    if not names:
        raise said("an empty list says nothing", "name at least one type")
    return frozenset(names)


def _patterns(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not value:
        raise said(
            "`redact` takes names and expressions", 'write {redact: {employee number: "E[0-9]{6}"}}, or `redact`'
        )
    if len(value) > MAX_PATTERNS:
        raise said(f"more than {MAX_PATTERNS} expressions", "join some with `|`")
    for name, pattern in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise said(f"{quoted(name)} can't be a name", "use up to 40 of a-z, 0-9, space, `_`, `-`: it is shown")
        if not isinstance(pattern, str) or (why := _why_not(pattern)):
            why = why if isinstance(pattern, str) else "isn't text"
            raise said(f"the expression of {quoted(name)} {why}", "it is found anywhere in a text, in linear time")
    return tuple(sorted(value.items()))


def _why_not(pattern: str) -> str | None:
    if (why := why_not_pattern(pattern)) is not None:
        return why
    from mcp_guard.inspection.secrets import expression  # its engine is loaded only where an expression is written

    try:
        found = expression(pattern)
    except ValueError:
        return "is not one that can be found in linear time"
    return "fits an empty text, which is everywhere" if found.search("") else None
