"""What differs between two versions of guard.yaml, in sentences; and whether the new one is narrower for certain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Plain = Mapping[str, Any]


def is_narrower(old: Plain, new: Plain) -> bool:
    """Is it the same but for servers that are gone? Anything else may start or reach what nobody accepted."""
    before, after = _servers(old), _servers(new)
    same = {name: value for name, value in old.items() if name != "servers"} == {
        name: value for name, value in new.items() if name != "servers"
    }
    return same and all(name in before and before[name] == server for name, server in after.items())


def differences(old: Plain, new: Plain) -> Iterator[str]:
    """One sentence for each key, or each key of a server, that isn't as it was."""
    for name in dict.fromkeys([*old, *new]):
        if name != "servers" and old.get(name) != new.get(name):
            yield f"`{name}`: {_shown(new, name)} (before: {_shown(old, name)})"
    before, after = _servers(old), _servers(new)
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        if was is None:
            yield f"server `{name}` is new: {json.dumps(now)}"
        elif now is None:
            yield f"server `{name}` is gone"
        elif was != now:
            for key in dict.fromkeys([*was, *now]):
                if was.get(key) != now.get(key):
                    yield f"server `{name}`, `{key}`: {_shown(now, key)} (before: {_shown(was, key)})"


def _servers(plain: Plain) -> Mapping[str, Any]:
    found = plain.get("servers")
    return found if isinstance(found, Mapping) else {}


def _shown(plain: Plain, key: str) -> str:
    return json.dumps(plain[key]) if key in plain else "nothing"
