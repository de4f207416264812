"""The HTTP front: streamable HTTP in both protocol eras, by the SDK, behind a token.

Puts the parts together and runs them: `http_listen` (where), `http_access` (who), `http_intake` (what is let in),
`http_relay` (to whom it goes), `http_resume` (what is kept for a connection that broke). Importing this module costs
half a second: only `run --http` does.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings

from mcp_guard import __version__
from mcp_guard.transports.front import Conversations, Holder
from mcp_guard.transports.http_access import PATH, Access
from mcp_guard.transports.http_intake import Bounds, Intake
from mcp_guard.transports.http_listen import bracketed, host_headers, listen
from mcp_guard.transports.http_relay import InputSchema, Relay
from mcp_guard.transports.http_resume import RETRY_MILLISECONDS, Events
from mcp_guard.transports.http_together import TogetherProtocol

GRACE_SECONDS = 3
"""How long open connections may take to end when the front stops."""

_LONGER = 4
"""How much longer than the bytes that came in their re-serialised form can be: `1e15` becomes `1000000000000000.0`."""


def _no_schema(name: str, holder: Holder) -> Mapping[str, Any] | None:
    return None


async def serve(
    conversations: Conversations,
    *,
    host: str,
    port: int,
    access: Access,
    on_ready: Callable[[str], None],
    bounds: Bounds | None = None,
    input_schema: InputSchema = _no_schema,
) -> None:
    """Serve until SIGINT, SIGTERM or cancellation; then answer what is under way, and close every conversation.

    `on_ready` gets the URL once connections are accepted; port 0 takes a free port. `input_schema` is asked for the
    schemas that bind `Mcp-Param-*` headers. Raises InputError when `host` isn't loopback or the port is taken.
    """
    bounds = bounds or Bounds()
    sockets = listen(host, port)
    try:
        real_port = sockets[0].getsockname()[1]
        relay = Relay(conversations, input_schema)
        intake = _application(relay, access, host_headers(host, real_port), bounds)
        url = f"http://{bracketed(host)}:{real_port}{PATH}"
        server = _Uvicorn(_configuration(intake))
        with _quiet("uvicorn", "mcp", "sse_starlette"):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_to_the_end, server, sockets)
                try:
                    async with _asked_to_stop() as asked:
                        await server.accepting.wait()
                        on_ready(url)
                        await asked()
                finally:
                    intake.stop()
                    relay.stop()
                    server.should_exit = True
    finally:
        for bound in sockets:
            bound.close()


def _application(relay: Relay, access: Access, hosts: frozenset[str], bounds: Bounds) -> Intake:
    sdk = relay.server("mcp-guard", __version__).streamable_http_app(
        streamable_http_path=PATH,
        event_store=Events(),
        retry_interval=RETRY_MILLISECONDS,
        max_request_body_size=bounds.body * _LONGER,
        session_idle_timeout=bounds.idle,
        max_sessions=bounds.sessions,
        # Host and Origin are the intake's to judge; its list has exact ports, the SDK's own default has not.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return Intake(sdk, access, hosts, bounds, relay)


def _configuration(application: Intake) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        # h11, said outright: `auto` takes whatever parser happens to be installed. httptools sets a head no bound.
        http=TogetherProtocol,
        loop="none",  # the one that runs
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nobody stands before us whose word about a client would count
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


class _Uvicorn(uvicorn.Server):
    """uvicorn, less its signal handling: it raises the signal again, which would kill us before our cleaning up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()


async def _to_the_end(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
    # A cancelled uvicorn leaves connections and sessions behind. It ends by `should_exit`, within GRACE_SECONDS.
    with anyio.CancelScope(shield=True):
        await server.serve(sockets)


@asynccontextmanager
async def _asked_to_stop() -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """Catch SIGINT and SIGTERM inside the block; what it gives waits for one."""
    if threading.current_thread() is not threading.main_thread():  # signals arrive in the main thread only
        yield anyio.sleep_forever
        return
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        yield signals.__anext__


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Silence loggers whose lines anybody who reaches the port can cause, and fill with text of theirs."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
