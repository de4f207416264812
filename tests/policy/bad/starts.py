"""How the documents of the corpus begin. A rule in flow style that follows stands at 3:5."""

from __future__ import annotations

G = "version: 1\ngrants:\n  - "
D = "version: 1\ndeny:\n  - "
A = "version: 1\nask:\n  - "
M = "version: 1\ntask: t\nexpires: 30m\n"
Row = tuple[str | bytes, str, str]
"""A document; `line:column`, or nothing where it is of no matter; a piece of the message."""
