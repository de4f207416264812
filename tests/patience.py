"""How long a test waits for what has to happen. No test's meaning: only what hangs waits so long, on any machine."""

from __future__ import annotations

PATIENCE = 60.0
"""Seconds. On a machine that others keep busy, a second's work was seen to need many."""
