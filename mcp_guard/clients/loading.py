"""A configuration file into its tables of servers: read once, bounded, checked, never repaired."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from mcp_guard.clients import entries, jsonc, toml_scan
from mcp_guard.clients.faults import Lines, shown_path
from mcp_guard.clients.model import ConfigFile, Format, Loaded, Section
from mcp_guard.clients.tables import Keys, RawTable, in_json, in_toml
from mcp_guard.errors import InputError


def load(file: ConfigFile) -> Loaded:
    """Read a file. Raises InputError, with file, line and column where there is one, and changes nothing."""
    return load_bytes(file, read_file(file))


def load_bytes(file: ConfigFile, data: bytes) -> Loaded:
    """What a file would say if these were its bytes."""
    if file.format is Format.TOML:
        toml = toml_scan.read(data, file.path)
        lines = Lines(toml.text)
        return Loaded(file, data, tuple(_section(file, toml, raw, lines) for raw in in_toml(toml, file.place.tables)))
    source = json_source(file, data)
    lines = Lines(source.text)
    return Loaded(file, data, tuple(_section(file, source, raw, lines) for raw in in_json(source, file.place.tables)))


def json_source(file: ConfigFile, data: bytes) -> jsonc.Source:
    """The checked text of a JSON file, with what its client allows beyond JSON."""
    comments = file.format is Format.JSONC
    return jsonc.read(data, file.path, comments=comments, trailing_commas=file.place.trailing_commas)


def _section(file: ConfigFile, source: jsonc.Source | toml_scan.Source, raw: RawTable, lines: Lines) -> Section:
    def wrong(path: Keys, message: str, hint: str) -> InputError:
        return source.error(raw.position(path), message, hint)

    at = lines.place(raw.position(()))
    found = {
        name: entries.entry(name, value, file.client.shape, wrong, lines.place(raw.starts[name]))
        for name, value in (raw.value or {}).items()
    }
    return Section(raw.path, raw.table.scope, found, raw.value is not None, at)


def real_path(file: ConfigFile) -> Path:
    """The file that `file` leads to. Raises InputError if that is outside the directory that it belongs to."""
    try:
        real = Path(os.path.realpath(file.path, strict=True))
        within = Path(os.path.realpath(file.within, strict=True))
    except OSError as error:
        raise unreadable(file.path, error) from None
    if not real.is_relative_to(within):
        message = f"`{shown_path(file.path)}` is a link that leads out of `{shown_path(file.within)}`"
        raise InputError(f"{message}, to `{shown_path(real)}`; put the file itself there; nothing was read")
    return real


def read_file(file: ConfigFile) -> bytes:
    """The bytes of a file, at most a little more than any format's limit."""
    return read_bytes(real_path(file), file.path)


def read_bytes(real: Path, path: Path) -> bytes:
    """The bytes of the plain file `real`, which errors call `path`."""
    try:
        # Not blocking: opening a pipe would wait for a writer. Not following: `real` has no link in it any more.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(f"`{shown_path(path)}` is no plain file; move it away; nothing was read")
            return opened.read(jsonc.MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> InputError:
    """What the system said, with what to do about it."""
    hints = {
        errno.EACCES: "make it readable to you",
        errno.ENOENT: "look where it leads",
        errno.ELOOP: "mend the links",
    }
    why = (error.strerror or "it failed").lower()
    hint = hints.get(error.errno or 0, "look at it by hand")
    return InputError(f"can't read `{shown_path(path)}`: {why}; {hint}; nothing was changed")
