"""What commands and the console call: is it the person? Set a PIN, once; then ask for it before each loosening."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mcp_guard.errors import GuardError
from mcp_guard.presence import secret
from mcp_guard.presence.terminal import typed
from mcp_guard.record.acting import acting
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.shown import escaped

SESSION = "person"
"""The session under which the record keeps that a PIN was set: it belongs to no client."""

is_set = secret.is_set


def _clock() -> datetime:
    return datetime.now(UTC)


def require(directory: Path, purpose: str, *, clock: Callable[[], datetime] = _clock) -> None:
    """Return if somebody at the terminal types the PIN of this state directory. Raises GuardError otherwise.

    `purpose` is shown before the question, as the end of "Your PIN, to …": `approve question 3f9a1c2e-17`. At first
    use the PIN is set, which the record keeps.
    """
    shown = escaped(purpose)
    if not secret.is_set(directory):
        set_new(directory, clock=clock, first=f"To {shown}, set a PIN first. ")
        return
    check(directory, typed(f"Your PIN, to {shown}: "), clock=clock)


def check(directory: Path, pin: str, *, clock: Callable[[], datetime] = _clock) -> None:
    """Return if `pin` is the PIN. Each wrong one counts, whoever asks. Raises GuardError otherwise.

    For the console, which takes the PIN in a page of its own; a command uses `require`.
    """
    secret.right(directory, pin, clock)


def set_new(directory: Path, *, clock: Callable[[], datetime] = _clock, first: str = "") -> None:
    """Set the PIN on a terminal, after the old one if there is one. Raises GuardError if it isn't done."""
    if secret.is_set(directory):
        check(directory, typed("The PIN that you have: "), clock=clock)
    new = typed(f"{first}A new PIN, {secret.SHORTEST} characters or more, which you give no program or agent: ")
    if why := secret.why_not_good(new):
        raise GuardError(f"{why}; nothing was changed")
    if typed("Once more: ") != new:
        raise GuardError("the two are not the same; nothing was changed")
    with acting(directory, SESSION, clock) as record:
        record.note(EntryKind.PIN_SET, {"again": secret.is_set(directory)})
        secret.keep(directory, new)
