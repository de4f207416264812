"""Settings of a client that stand in other files than its servers: read if they can be, inside of home or project."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from mcp_guard.clients import Client, ConfigFile, Places
from mcp_guard.clients.jsonc import read as read_jsonc
from mcp_guard.clients.loading import read_file
from mcp_guard.errors import InputError


def settings_in(client: Client, path: Path, places: Places) -> Any:
    """What the file says; None if it isn't there, can't be read, or is a link that leads out of where it belongs."""
    if not path.is_file():
        return None
    return parsed_settings(_read(client, path, places), toml=path.suffix == ".toml")


def parsed_settings(text: str, *, toml: bool) -> Any:
    """The value of a settings text; None if it has none."""
    try:
        if toml:
            return tomllib.loads(text)
        source = read_jsonc(text.encode(), "settings", comments=True, trailing_commas=True)
        return json.loads(source.plain.lstrip("\ufeff"))
    except (ValueError, InputError, RecursionError):
        return None


def _read(client: Client, path: Path, places: Places) -> str:
    within = places.home if path.is_relative_to(places.home) else places.project or path.parent
    try:
        return read_file(ConfigFile(client, client.places[0], path, within)).decode("utf-8", "replace")
    except InputError:
        return ""
