"""Takes a secret from whoever sits at the terminal: `/dev/tty`, never stdin, an argument or the environment.

A command that an agent's shell tool starts has no terminal, or isn't in its foreground; both are refused. What was
typed before the question is thrown away.
"""

from __future__ import annotations

import os
import select
import termios
from collections.abc import Iterator
from contextlib import contextmanager

from mcp_guard.errors import GuardError

TERMINAL = "/dev/tty"
PATIENCE = 120.0
"""Seconds for typing. Then the answer is none."""
_MOST = 1024
NO_TERMINAL = (
    "this needs your PIN, typed on a terminal, and this command has none: run it yourself in a terminal window; "
    "a program or an agent can't do it for you"
)


def typed(question: str) -> str:
    """One line, typed without an echo. Raises GuardError where nobody can type, or nobody does."""
    with _terminal() as terminal:
        return _asked(terminal, question)


@contextmanager
def _terminal() -> Iterator[int]:
    try:
        terminal = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise GuardError(NO_TERMINAL) from error
    try:
        try:
            in_front = os.isatty(terminal) and os.tcgetpgrp(terminal) == os.getpgrp()
        except OSError:
            in_front = False
        if not in_front:  # reading would stop the process, or take what is typed for another program
            raise GuardError(NO_TERMINAL)
        yield terminal
    finally:
        os.close(terminal)


def _asked(terminal: int, question: str) -> str:
    before = termios.tcgetattr(terminal)
    silent = termios.tcgetattr(terminal)
    silent[3] &= ~(termios.ECHO | termios.ECHONL)
    silent[3] |= termios.ICANON | termios.ISIG
    try:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)  # flushes what was typed ahead
        os.write(terminal, question.encode("utf-8", "replace"))
        return _line(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        os.write(terminal, b"\n")


def _line(terminal: int) -> str:
    ready, _, _ = select.select([terminal], [], [], PATIENCE)
    if not ready:
        raise GuardError(f"nobody typed a PIN within {PATIENCE:.0f} seconds; nothing was changed")
    said = os.read(terminal, _MOST)
    if not said.endswith(b"\n"):
        raise GuardError("no PIN was typed; nothing was changed")
    try:
        return said.decode().strip()
    except UnicodeDecodeError:
        raise GuardError("what was typed is no text in UTF-8; nothing was changed") from None
