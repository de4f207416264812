"""Ports for programs that have to be told one before they start."""

from __future__ import annotations

import random
import socket

_CHANCE = random.SystemRandom()


def free_port() -> int:
    """A loopback port that nobody has, and that nobody gets meanwhile by asking for any.

    Systems give every connection and every port 0 a number from 32768 on: one of those, though free at this look, may
    be another test's by the time that it is used.
    """
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port := _CHANCE.randrange(20_000, 32_000)))
            except OSError:
                continue
            return port
