"""The connection to one OTLP collector: each body is one POST to the address that guard.yaml names, and nowhere else.

Plain `http.client`: it follows no redirect, reads no proxy variable, and sends no header but those given here. Called
from threads of its own; the guard's loop never waits for it.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass

from mcp_guard import log
from mcp_guard.errors import GuardError
from mcp_guard.telemetry.settings import Export
from mcp_guard.transports.http_link_remote import is_loopback

TIMEOUT = 2.0
"""Seconds that one step of an export may take: what isn't taken by then is dropped."""


@dataclass(slots=True)
class Collector:
    """Takes OTLP bodies. `lost` counts what couldn't be delivered, by the caller's own measure."""

    export: Export
    lost: int = 0
    _said: bool = False

    def post(self, signal: str, body: bytes, count: int) -> bool:
        """Deliver a body of so many items; False if it is lost. Never raises."""
        try:
            status = self._send(signal, body)
            if 200 <= status < 300:
                return True
            why = f"it answered {status}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = type(error).__name__
        except GuardError as error:  # a variable that holds a credential isn't set: it is named, and nothing is sent
            why = str(error)
        self.lost += count
        if not self._said:  # once: it would be said every few seconds
            self._said = True
            log.warning("telemetry could not be delivered", collector=self.export.collector.origin, why=why)
        return False

    def _send(self, signal: str, body: bytes) -> int:
        place = self.export.collector
        headers = {"Content-Type": "application/x-protobuf", "User-Agent": "mcp-guard"}
        headers |= dict(place.credentials())
        connection = self._connection()
        try:
            connection.connect()
            if place.local_only and not is_loopback(str(connection.sock.getpeername()[0])):
                raise ConnectionRefusedError("the address isn't on this machine")
            target = place.target.rstrip("/")
            connection.request("POST", f"{target}/v1/{signal}", body, headers)
            with connection.getresponse() as response:
                response.read(65536)
                return response.status
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        place = self.export.collector
        if not place.tls:
            return http.client.HTTPConnection(place.host, place.port, timeout=TIMEOUT)
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return http.client.HTTPSConnection(place.host, place.port, timeout=TIMEOUT, context=context)
