"""What a guard is told of its documents while it runs: words that `guard.py` shares with those who know their files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Protocol

from mcp_guard.policy.document import Authority, Document


class Local(Protocol):
    """Where local denies come from (`accepting/local.py`): a list of one place."""

    @property
    def place(self) -> str:
        """Which list it is."""

    def changed(self, connection: sqlite3.Connection) -> bool:
        """Are they others than those that `load` gave last?"""

    def load(self, connection: sqlite3.Connection) -> Document | None:
        """Those that count now. Raises GuardError if what counts isn't there any more."""


Stack = Callable[[Document | None], Authority]
"""What binds a view's sessions, beside the policy of this moment."""


Rebound = Callable[[bool], None]
"""Tells a conversation that what is granted is another by now: documents and lock (True), or what is taken away."""


def nothing_bound(policy: Document | None) -> Authority:
    """No document: everything is denied."""
    return Authority(())
