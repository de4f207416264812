"""What this process read or wrote last, so that it isn't read again: right for as long as nobody else has written.

SQLite says whether somebody has (`PRAGMA data_version`): a guard, a person's command, or an editor of the file. It is
asked inside of each transaction, under the lock, so nothing can come between the answer and what goes by it (law 2).
Only decisions that allow and their outcomes say what they leave behind; after any other transaction, and after one that
failed, all is read again.
"""

from __future__ import annotations

from datetime import datetime

from mcp_guard.model import Usage

MOST = 4096
"""Accounts and sessions that are remembered; then it begins anew. One guard process serves few of them at once."""


class Recent:
    """The record's end and some of its rows, as this process knows them."""

    __slots__ = ("end", "epoch", "labels", "usage", "version")

    def __init__(self) -> None:
        self.version = -1  # SQLite's, of when it was last asked
        self.epoch = 0  # another one: what was read of any other table may have changed since
        self.end: tuple[int, datetime] | None = None  # position and time of the latest entry
        self.usage: dict[tuple[str, str], Usage] = {}  # by account and rule
        self.labels: dict[str, frozenset[str]] = {}  # by session: labels that it has for certain

    def forget(self) -> None:
        """Read everything again."""
        self.end = None
        self.forget_tables()

    def forget_tables(self) -> None:
        """Read all again but where the record ends."""
        self.epoch += 1
        self.usage.clear()
        self.labels.clear()

    def bound(self) -> None:
        """Never more than `MOST`: the names of sessions and accounts come from whoever connects."""
        if len(self.usage) > MOST:
            self.usage.clear()
        if len(self.labels) > MOST:
            self.labels.clear()
