"""Are the settings that close a client's own tools set? Looked for in the files where they belong, and only as written.

Advice: a file that can't be read counts as not set, and a client may have further settings that open what these close.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_guard.clients import BuiltIn, Client, Places
from mcp_guard.starting.settings_files import parsed_settings, settings_in


@dataclass(frozen=True, slots=True)
class Closing:
    """One group of a client's own tools. `set_in` is the file that has the setting; None: none has it whole."""

    client: Client
    tools: BuiltIn
    set_in: Path | None


def closings(client: Client, places: Places) -> tuple[Closing, ...]:
    """What a client can do by itself, and whether its files have the settings against it."""
    return tuple(Closing(client, one, _set_in(client, one, places)) for one in client.built_in)


def _set_in(client: Client, tools: BuiltIn, places: Places) -> Path | None:
    wanted = parsed_settings(tools.setting, toml=_is_toml(tools.setting))
    if not isinstance(wanted, Mapping) or not wanted:
        return None
    return next((file for file in _files(tools, places) if _says(client, file, wanted, places)), None)


def _files(tools: BuiltIn, places: Places) -> Iterator[Path]:
    """The paths that `where` names: of the home directory, then of the project."""
    for word in re.findall(r"[~.\w/-]*\.(?:json|toml)\b", tools.where):
        if word.startswith("~/"):
            yield places.home / word[2:]
        elif places.project is not None and "/" in word and not word.startswith("/"):
            yield places.project / word


def _says(client: Client, path: Path, wanted: Mapping[str, Any], places: Places) -> bool:
    return _holds(settings_in(client, path, places), wanted)


def _is_toml(setting: str) -> bool:
    return not setting.lstrip().startswith("{")


def _holds(there: Any, wanted: Any) -> bool:
    """Does what is there say all that is wanted? A list has to have its items, and may have more."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            name in there and _holds(there[name], one) for name, one in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(there, list) and (there == wanted if not wanted else all(one in there for one in wanted))
    return type(there) is type(wanted) and there == wanted
