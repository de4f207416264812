"""A client of the one guard that serves HTTP, in either era; it hangs up, comes back, sends bodies that are none."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx2

from tests.faults.soak.lanes import GIVEN_UP_AFTER, Lane
from tests.faults.soak.observed import ask
from tests.faults.soak.world import World
from tests.transports.http_support import LEGACY, events, message, modern


class HttpLane(Lane):
    """Speaks raw HTTP, so that what is counted is what came over the wire."""

    def __init__(self, world: World, number: int, seed: int, *, url: str, token: str, pid: int, modern: bool) -> None:
        super().__init__(world, number, seed)
        self._url = url
        self._token = token
        self._pid = pid
        self._modern = modern
        self.kind = f"http, {'modern' if modern else 'legacy'}"
        self._waiting: dict[str, str] = {}  # by request: how far its response has come
        self._headers: dict[str, str] = {}
        self._http: httpx2.AsyncClient | None = None

    @property
    def http(self) -> httpx2.AsyncClient:
        assert self._http is not None
        return self._http

    async def arrive(self) -> None:
        headers = {
            "authorization": f"Bearer {self._token}",
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
        }
        # Shorter than the guard keeps an idle connection: else one may end under a request that is just being sent.
        limits = httpx2.Limits(keepalive_expiry=2.0)
        self._http = httpx2.AsyncClient(headers=headers, timeout=None, limits=limits)
        if self._modern:
            return
        info = {"name": "soak", "version": "1"}
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": info}
        response = await self.http.post(self._url, json=message("initialize", params))
        session = response.headers["mcp-session-id"]
        self._headers = {"mcp-session-id": session, "mcp-protocol-version": LEGACY}
        await self.http.post(self._url, json=message("notifications/initialized", id=None), headers=self._headers)

    async def leave(self) -> None:
        """End the session: one that is left without a word would last until it is idle."""
        if not self._modern:
            await self.http.delete(self._url, headers=self._headers)
        await self.http.aclose()

    def _request(self, method: str, params: dict[str, Any], number: str) -> tuple[bytes, dict[str, str]]:
        if self._modern:
            body, headers = modern(method, params, number)
            return json.dumps(body).encode(), headers
        return json.dumps(message(method, params, number)).encode(), self._headers

    async def answer_to(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        number = f"r{self.nonce()}"
        body, headers = self._request(method, params, number)
        text, response = await self._response(number, body, headers)
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        said = events(text) if streamed else [json.loads(text)]
        answers = [one for one in said if one.get("id") == number and "method" not in one]
        if not answers:
            self.ledger.broken.append(f"client {self.number}: {method} {response.status_code} {text[:300]}")
        if len(answers) > 1:
            self.ledger.twice.append(f"client {self.number}: {str(answers)[:200]}")
        return answers[0] if answers else {"error": "none"}

    async def _response(self, number: str, body: bytes, headers: dict[str, str]) -> tuple[str, httpx2.Response]:
        """The response, and on the way a note of how far it has come: it stays if nobody waits any more."""
        began, self._waiting[number] = time.monotonic(), "no response"
        async with self.http.stream("POST", self._url, content=body, headers=headers) as response:
            text, port = "", response.extensions["network_stream"].get_extra_info("client_addr")
            self._waiting[number] = f"{response.status_code} from {port} after {time.monotonic() - began:.3f} s"
            async for part in response.aiter_text():
                text += part
                self._waiting[number] = f"{response.status_code} from {port}, {len(text)} characters: {text[-200:]!r}"
        del self._waiting[number]
        return text, response

    async def seen(self) -> str:
        lost, self._waiting = self._waiting, {}
        return "\n".join(
            [f"client: {number}: {state}" for number, state in lost.items()] + [await ask(self.world.home, self._pid)]
        )

    async def give_up(self, name: str) -> None:
        """On a connection of its own: a client library that is given up while it connects leaves the socket to the
        garbage collector, and what is counted at the end would be that.
        """
        self.ledger.asked += 1
        body, headers = self._request("tools/call", {"name": name, "arguments": {}}, f"g{self.nonce()}")
        address = httpx2.URL(self._url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        lines = {**self.http.headers, **headers, "connection": "close", "content-length": str(len(body))}
        head = [f"POST {address.path} HTTP/1.1", f"host: {address.host}:{address.port}"]
        head += [f"{key}: {value}" for key, value in lines.items()]
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        try:
            async with asyncio.timeout(GIVEN_UP_AFTER):
                await reader.read()
            self.ledger.ends["result"] += 1  # refused, since the server was down
        except TimeoutError:
            self.ledger.ends["given up"] += 1
        except ConnectionError as error:
            self.ledger.broken.append(f"client {self.number}: {error!r}")
        finally:
            writer.transport.abort()

    async def garbage(self) -> None:
        self.ledger.asked += 1
        response = await self.http.post(self._url, content=b'{"jsonrpc": "2.0", "id": 1.5', headers=self._headers)
        if response.status_code != 400:
            self.ledger.broken.append(f"client {self.number}: garbage got {response.status_code}")
        self.ledger.ends["error"] += 1
