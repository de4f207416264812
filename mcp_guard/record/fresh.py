"""The first moment of a record. Its file appears with its tables: guards that start together, and whoever reads, find
no record or a whole one, and a guard that is killed while it makes one leaves none.
"""

from __future__ import annotations

import os
from pathlib import Path

from mcp_guard.record import place, schema


def prepare(directory: Path) -> None:
    """Make the directory and a record in which nothing stands, if they aren't there; check what is.

    Raises InputError for a place that isn't private, RecordFailed where it can't be made.
    """
    place.prepare(directory)
    if place.is_there(directory):
        return
    try:
        _appear(directory / place.DATABASE)
    except OSError as error:
        raise place.not_made(directory, error) from error


def _appear(path: Path) -> None:
    aside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    place.publish(aside, b"")  # SQLite would make it with the umask's permissions
    try:
        schema.make(aside)
        # Invariant: no descriptor of it is open any more. Closing one later would drop the locks that SQLite holds.
        os.link(aside, path, follow_symlinks=False)
    except FileExistsError:
        pass  # another guard was first
    finally:
        aside.unlink()
