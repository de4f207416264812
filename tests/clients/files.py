"""The corpus, put where each client would have it, and a second opinion on what a file says."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcp_guard.clients import CLIENTS, ConfigFile, FilePlace, Format, Loaded, Places, Section, find

CORPUS = Path(__file__).parent / "corpus"
REFUSED = CORPUS / "refused"


def accepted() -> list[str]:
    """Names like `codex/user--usual.toml`: client, place and story."""
    return [name for name in _names(CORPUS) if not name.startswith("refused/")]


def refused() -> list[str]:
    return _names(REFUSED)


def _names(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*--*"))


def placed(home: Path, name: str, data: bytes) -> ConfigFile:
    """A file of the corpus where its client has it on Linux, found there."""
    client_id, _, rest = name.removeprefix("refused/").partition("/")
    return put_in_place(home, client_id, rest.partition("--")[0], data)


def put_in_place(home: Path, client_id: str, place_id: str, data: bytes) -> ConfigFile:
    """`data` as the file that this client has at this place, under a home and a project of its own."""
    client = next(one for one in CLIENTS if one.id == client_id)
    place = next(one for one in client.places if one.id == place_id)
    project = home / "work"
    path = path_of(place, home, project)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    found = find(Places(home, project, "linux", {}), [client])
    return next(file for file in found if file.place == place)


def path_of(place: FilePlace, home: Path, project: Path) -> Path:
    template = place.where["linux"][-1].replace("*", "one")
    return (project if template.startswith("$project") else home) / template.partition("/")[2]


def reference(file: ConfigFile, data: bytes) -> Any:
    """What the bytes say, by other means than the package's: a comment stripper that goes letter by letter."""
    text = data.decode("utf-8-sig")
    if file.format is Format.TOML:
        return tomllib.loads(text)
    bare = "".join(_without_comments(text))
    return json.loads("".join(_without_trailing_commas(bare))) if bare.strip() else {}


def _without_comments(text: str) -> Iterator[str]:
    at, quoted = 0, False
    while at < len(text):
        if quoted:
            step = 2 if text[at] == "\\" else 1
            quoted = text[at] != '"'
            yield text[at : at + step]
            at += step
        elif text.startswith("//", at):
            at = text.find("\n", at) if "\n" in text[at:] else len(text)
        elif text.startswith("/*", at):
            at = text.index("*/", at + 2) + 2
        else:
            quoted = text[at] == '"'
            yield text[at]
            at += 1


def _without_trailing_commas(text: str) -> Iterator[str]:
    quoted = escaped = False
    for at, char in enumerate(text):
        if quoted:
            quoted, escaped = escaped or char != '"', not escaped and char == "\\"
        elif char == '"':
            quoted = True
        elif char == "," and text[at + 1 :].lstrip()[:1] in ("}", "]"):
            continue
        yield char


def table(value: Any, path: tuple[str, ...]) -> Any:
    """The part of a parsed file at `path`; an empty table if it isn't there."""
    for key in path:
        value = value.get(key, {})
    return value


def with_table(value: Any, path: tuple[str, ...], new: dict[str, Any]) -> Any:
    """The parsed file with the table at `path` replaced; left out where it would be empty and wasn't there."""
    if not path:
        return new
    inner = with_table(value.get(path[0], {}), path[1:], new)
    return {**value, path[0]: inner}


def without_empty(value: Any) -> Any:
    """Nested empty tables left out: in TOML a table without keys can't be told from none."""
    if not isinstance(value, dict):
        return value
    kept = {key: without_empty(one) for key, one in value.items()}
    return {key: one for key, one in kept.items() if one != {}}


def section(loaded: Loaded, *path: str) -> Section:
    return loaded.section(path) if path else loaded.sections[0]
