"""Runs a console on loopback until it is told to stop; its link goes to a terminal, and nowhere else.

A program that an agent starts has no terminal: it gets no link. What it writes to stdout or stderr an agent may read.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path

import anyio
import uvicorn

from mcp_guard.console.app import application
from mcp_guard.console.door import Door
from mcp_guard.console.room import Room
from mcp_guard.errors import GuardError, InputError
from mcp_guard.own_ports import announced
from mcp_guard.presence.terminal import TERMINAL
from mcp_guard.record import place
from mcp_guard.record.query import Filter
from mcp_guard.transports.http_listen import listen

GRACE_SECONDS = 2
CONNECTIONS = 64  # at once; a person has one browser
OPENING = "console-open.html"
NO_TERMINAL = (
    "the console's link is shown on a terminal, and this command has none in front: run it yourself in a terminal "
    "window; a program or an agent can't do it for you"
)


def serve(room: Room, port: int, *, open_browser: bool) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises GuardError where there is no terminal or the port is taken."""
    sockets = listen("127.0.0.1", port)
    try:
        _read_ahead(room)
        own = sockets[0].getsockname()[1]
        door = Door(own, time.monotonic)
        with announced(room.directory, own):  # before the link is: no call of a guard leads here
            _serve(room, door, sockets, open_browser=open_browser)
    finally:
        for bound in sockets:
            bound.close()


def _serve(room: Room, door: Door, sockets: list[socket.socket], *, open_browser: bool) -> None:
    """The link, and whoever follows it, until the end."""
    _end_in_good_order()
    with suppress(KeyboardInterrupt):
        show_on_terminal(f"mcp-guard console: open this once, within 10 minutes:\n  {door.link}\nCtrl-C ends it.\n")
        server = uvicorn.Server(_configuration(room, door))
        with _opening(room.directory, door.link, wanted=open_browser), _quiet("uvicorn"):
            anyio.run(server.serve, sockets)


def _read_ahead(room: Room) -> None:
    """Bring the index of a long record up to date now: the first page would take seconds for it."""
    with suppress(GuardError), room.record() as query:  # what is wrong with the record, a page says
        if query is not None and query.is_long():
            query.counts("kind", Filter(everything=True))


def _end_in_good_order() -> None:
    """uvicorn raises the signal that ended it once more; as an interrupt it leaves no file of `--open` behind."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)


def show_on_terminal(text: str) -> None:
    """Write to the terminal in whose foreground this runs. Raises GuardError if there is none."""
    try:
        terminal = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise GuardError(NO_TERMINAL) from error
    try:
        if not os.isatty(terminal) or os.tcgetpgrp(terminal) != os.getpgrp():
            raise GuardError(NO_TERMINAL)
        os.write(terminal, text.encode())
    except OSError as error:
        raise GuardError(NO_TERMINAL) from error
    finally:
        os.close(terminal)


def _configuration(room: Room, door: Door) -> uvicorn.Config:
    return uvicorn.Config(
        application(room, door),
        http="h11",
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


@contextmanager
def _opening(directory: Path, link: str, *, wanted: bool) -> Iterator[None]:
    """Have a browser open the link: by a private file, since what a command is given all users of a machine can see."""
    if not wanted:
        yield
        return
    place.prepare(directory)
    path = directory / OPENING
    path.unlink(missing_ok=True)
    page = (
        f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(link)}"><a href="{escape(link)}">console</a>'
    )
    if not place.publish(path, page.encode()):
        raise InputError(f"`{path}` is in the way; remove it")
    try:
        webbrowser.open(path.as_uri())
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger whose lines whoever reaches the port can cause."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
