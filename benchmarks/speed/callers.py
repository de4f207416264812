"""Two clients that measure and do nothing else: blocking reads and writes, no event loop, no thread.

A `Caller` speaks the handshake era over one connection and gives the time of each call in nanoseconds.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

VERSION = "2025-11-25"
PAYLOAD = "twenty bytes of text"
PATIENCE = 30.0  # seconds for any one answer
Message = dict[str, Any]

assert len(PAYLOAD) == 20


class Broken(Exception):
    """A chain didn't answer as it should; its standard error is in the text."""


class Caller(ABC):
    """One connected client."""

    def __init__(self) -> None:
        self.last_id = 0

    @abstractmethod
    def exchange(self, data: bytes, request: int | None) -> Message:
        """Send one message, and wait for the answer to `request` if there is one."""

    @abstractmethod
    def close(self) -> None: ...

    def wake(self, tool: str) -> None:
        """One call that isn't counted, after others had their turn."""
        self.echo(tool)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, method: str, params: Message) -> Message:
        self.last_id += 1
        message = {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}
        answer = self.exchange(json.dumps(message).encode(), self.last_id)
        if "result" not in answer or answer["result"].get("isError"):
            raise Broken(f"{method} was refused: {json.dumps(answer)[:500]}")
        result: Message = answer["result"]
        return result

    def open(self) -> list[str]:
        """Shake hands and list; the names of the tools."""
        info = {"name": "benchmark", "version": "1"}
        self.request("initialize", {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": info})
        self.exchange(b'{"jsonrpc":"2.0","method":"notifications/initialized"}', None)
        return [tool["name"] for tool in self.request("tools/list", {})["tools"]]

    def echo(self, tool: str) -> int:
        """One call with a payload of 20 bytes: nanoseconds from the first byte out to the answer understood."""
        self.last_id += 1
        params = {"name": tool, "arguments": {"text": PAYLOAD}}
        data = json.dumps({"jsonrpc": "2.0", "id": self.last_id, "method": "tools/call", "params": params}).encode()
        before = time.perf_counter_ns()
        answer = self.exchange(data, self.last_id)
        took = time.perf_counter_ns() - before
        if answer.get("result", {}).get("content", [{}])[0].get("text") != PAYLOAD:
            raise Broken(f"not an echo: {json.dumps(answer)[:500]}")
        return took


class StdioCaller(Caller):
    """A child process, and lines on its pipes."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the caller
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=0, env=env
        )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.buffer = b""

    def exchange(self, data: bytes, request: int | None) -> Message:
        os.write(self.stdin, data + b"\n")
        while request is not None:
            message = json.loads(self.line())
            if message.get("id") == request and "method" not in message:
                answer: Message = message
                return answer
        return {}

    def line(self) -> bytes:
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.stdout], [], [], PATIENCE)
            data = os.read(self.stdout, 1 << 16) if ready else b""
            if not data:
                self.errors.seek(0)
                raise Broken(f"no answer; standard error: {self.errors.read()[-2000:].decode(errors='replace')}")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


class HttpCaller(Caller):
    """One keep-alive connection to a streamable HTTP server."""

    def __init__(self, port: int, token: str = "") -> None:
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def exchange(self, data: bytes, request: int | None) -> Message:
        self.connection.request("POST", "/mcp", data, self.headers)
        response = self.connection.getresponse()
        body = response.read()
        if response.status >= 300:
            raise Broken(f"HTTP {response.status}: {body[:500].decode(errors='replace')}")
        if session := response.headers.get("mcp-session-id"):
            self.headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": VERSION}
        if request is None:
            return {}
        if response.headers.get_content_type() == "text/event-stream":
            lines = [line[5:] for line in body.splitlines() if line.startswith(b"data:") and line[5:].strip()]
            messages = [json.loads(line) for line in lines]
        else:
            messages = [json.loads(body)]
        return next((message for message in messages if message.get("id") == request), {})

    def wake(self, tool: str) -> None:
        self.connection.close()  # a server drops a connection that was idle for some seconds; a new one is made
        super().wake(tool)

    def close(self) -> None:
        self.connection.close()
