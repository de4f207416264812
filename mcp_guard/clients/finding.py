"""Which configuration files are there: by name, nothing is opened. What may be read is settled by `loading.py`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcp_guard.clients.faults import shown_path
from mcp_guard.clients.known import CLIENTS
from mcp_guard.clients.model import Client, ConfigFile, FilePlace, Places
from mcp_guard.errors import InputError

_MANY = 200  # profiles of one client; more is no real installation


def this_machine(project: Path | None = None) -> Places:
    """The places of whoever runs this; `project` is the directory of the project, if one is to be looked at."""
    return Places(Path.home(), project, sys.platform, dict(os.environ))


def find(places: Places, clients: Iterable[Client] = CLIENTS) -> tuple[ConfigFile, ...]:
    """The files that are there, in the clients' order; of links, those too that lead nowhere or out.

    Raises InputError where a variable that moves a client's files holds a relative path: the client would read it from
    its own directory, which isn't known here.
    """
    found: dict[tuple[str, Path], ConfigFile] = {}
    for client in clients:
        for place in client.places:
            for file in _at(client, place, places):
                found.setdefault((client.id, file.path), file)  # a home that is the project too: it is the user's
    return tuple(found.values())


def _at(client: Client, place: FilePlace, places: Places) -> Iterator[ConfigFile]:
    root_and_path = _resolved(place, places)
    if root_and_path is None:
        return
    root, path = root_and_path
    for found in _matching(path):
        if os.path.lexists(found) and not found.is_dir():
            yield ConfigFile(client, place, found, root)


def _resolved(place: FilePlace, places: Places) -> tuple[Path, Path] | None:
    """The directory that the file belongs to, and the file; None if this client has no such place here."""
    for template in place.where.get(places.platform, ()):
        start, _, rest = template.partition("/")
        if start == "~":
            return places.home, places.home / rest
        if start == "$project":
            return None if places.project is None else (places.project, places.project / rest)
        value = places.environment.get(start[1:], "")
        if not value:
            continue
        moved = Path(value)
        if not moved.is_absolute():
            message = f"`{start[1:]}` is the relative path `{shown_path(value)}`"
            raise InputError(f"{message}; set it to an absolute one, so that it means one place")
        within = places.home if moved.is_relative_to(places.home) else moved
        return within, moved / rest
    return None


def _matching(path: Path) -> list[Path]:
    """The path; or, where one of its parts is `*`, those that are there."""
    parts = path.parts
    if "*" not in parts:
        return [path]
    number = parts.index("*")
    directory, rest = Path(*parts[:number]), parts[number + 1 :]
    try:
        every = sorted(directory.iterdir())[:_MANY]
    except OSError:
        return []
    return [one.joinpath(*rest) for one in every]
