"""The probe server over streamable HTTP, as raw as on stdio: whatever it sends stands in an event as it is.

What is about a request goes on the stream of its POST, until it is answered; what is about none on the GET stream.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.fidelity.probe.server import Probe

Queue = asyncio.Queue[dict[str, Any]]
SESSION = "mcp-session-id"


class HttpProbe(Probe):
    """One session; in the modern era, which has none, all requests."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[Any, Queue] = {}  # by the id of the request that is answered there; None: the GET stream

    def send(self, message: dict[str, Any], about: Any = None) -> None:
        answers = message["id"] if "method" not in message else about
        if answers in self.streams:
            self.streams[answers].put_nowait({"jsonrpc": "2.0", **message})


SESSIONS: dict[str, HttpProbe] = {"": HttpProbe()}


async def post(request: Request) -> Response:
    """A message of the client: a request is answered on a stream of its own."""
    message, session = await request.json(), request.headers.get(SESSION, "")
    if message.get("method") == "initialize":
        session = f"session-{len(SESSIONS)}"
        SESSIONS[session] = HttpProbe()
    if session not in SESSIONS:
        return JSONResponse({"error": "no such session"}, 404)
    if "method" not in message or "id" not in message:
        SESSIONS[session].take(message)
        return Response(status_code=202)
    probe = SESSIONS[session]
    events = _events(probe, message["id"])
    probe.take(message)
    headers = {SESSION: session} if session else {}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


async def get(request: Request) -> Response:
    """The stream for what belongs to no request."""
    probe = SESSIONS.get(request.headers.get(SESSION, ""))
    if probe is None or probe is SESSIONS[""]:
        return Response(status_code=405)
    return StreamingResponse(_events(probe, None), media_type="text/event-stream")


async def delete(request: Request) -> Response:
    known = SESSIONS.pop(request.headers.get(SESSION, "-"), None)
    return Response(status_code=404 if known is None else 204)


def _events(probe: HttpProbe, answers: Any) -> AsyncIterator[str]:
    """A stream that is open from now on, until its request is answered."""
    queue = probe.streams[answers] = Queue()

    async def events() -> AsyncIterator[str]:
        while True:
            message = await queue.get()
            yield f"data: {json.dumps(message)}\n\n"
            if answers is not None and message.get("id") == answers and "method" not in message:
                return

    return events()


def main() -> None:
    """Serve on a port of loopback until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    port = parser.parse_args().port
    routes = [Route("/mcp", post, methods=["POST"]), Route("/mcp", get), Route("/mcp", delete, methods=["DELETE"])]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
