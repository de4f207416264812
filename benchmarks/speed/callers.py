"""Two clients that measure and do nothing else: blocking reads and writes, no event loop, no thread.

A `Caller` speaks either era over one connection and gives the time of each call in nanoseconds. `flood.py` has the same
connections carry many calls at once.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

Era = Literal["legacy", "modern"]
ERAS: tuple[Era, ...] = ("legacy", "modern")
VERSIONS: dict[Era, str] = {"legacy": "2025-11-25", "modern": "2026-07-28"}
PATIENCE = 30.0  # seconds for any one answer
SMALL = 20  # bytes
_INFO = {"name": "benchmark", "version": "1"}
_PREFIX = "io.modelcontextprotocol/"
MODERN_META = {
    f"{_PREFIX}protocolVersion": VERSIONS["modern"],
    f"{_PREFIX}clientInfo": _INFO,
    f"{_PREFIX}clientCapabilities": {},
}
_WORDS = "The quick report of the week says that seven of the nine rooms are done and two are waiting. "
Message = dict[str, Any]


class Broken(Exception):
    """A chain didn't answer as it should; its standard error is in the text."""


def payload(number: int, size: int = SMALL) -> str:
    """`size` bytes of text, another one for each number: nothing on the way can know it from before."""
    head = f"{number:08d} twelve char"
    return (head + _WORDS * ((size - len(head)) // len(_WORDS) + 1))[: max(size, len(head))]


class Caller(ABC):
    """One connected client."""

    roots: tuple[int, ...] = ()  # the processes that stand in between, each with all below it

    def __init__(self, era: Era) -> None:
        self.era = era
        self.last_id = 0
        self.tool = ""
        self.patience = PATIENCE

    @abstractmethod
    def exchange(self, data: bytes, request: int | None, name: str = "") -> Message:
        """Send one message, and wait for the answer to `request` if there is one. `name` is the tool's, if any."""

    @abstractmethod
    def close(self) -> None: ...

    def wake(self) -> None:
        """One call that isn't counted, after others had their turn."""
        self.echo()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def message(self, method: str, params: Message) -> bytes:
        """The bytes of the next request."""
        self.last_id += 1
        if self.era == "modern":
            params = {**params, "_meta": MODERN_META}
        said = {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}
        return json.dumps(said, separators=(",", ":")).encode()  # without spaces, as both SDKs write it

    def call_message(self, text: str) -> bytes:
        return self.message("tools/call", {"name": self.tool, "arguments": {"text": text}})

    def request(self, method: str, params: Message) -> Message:
        answer = self.exchange(self.message(method, params), self.last_id)
        if "result" not in answer or answer["result"].get("isError"):
            raise Broken(f"{method} was refused: {json.dumps(answer)[:500]}")
        result: Message = answer["result"]
        return result

    def open(self) -> list[str]:
        """Shake hands if the era does, and list; the names of the tools. The one that echoes is called from then on."""
        if self.era == "legacy":
            said = {"protocolVersion": VERSIONS["legacy"], "capabilities": {}, "clientInfo": _INFO}
            self.request("initialize", said)
            self.exchange(b'{"jsonrpc":"2.0","method":"notifications/initialized"}', None)
        tools = [str(tool["name"]) for tool in self.request("tools/list", {})["tools"]]
        self.tool = next((name for name in tools if name.endswith("echo")), "")
        if not self.tool:
            raise Broken(f"it lists no tool that echoes: {tools[:20]}")
        return tools

    def echo(self, size: int = SMALL) -> int:
        """One call: nanoseconds from the first byte out to the answer understood."""
        text = payload(self.last_id, size)
        data = self.call_message(text)
        before = time.perf_counter_ns()
        answer = self.exchange(data, self.last_id, self.tool)
        took = time.perf_counter_ns() - before
        if answer.get("result", {}).get("content", [{}])[0].get("text") != text:
            raise Broken(f"not an echo: {json.dumps(answer)[:500]}")
        return took


class StdioCaller(Caller):
    """A child process, and lines on its pipes."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        era: Era = "legacy",
        directory: Path | None = None,
    ) -> None:
        super().__init__(era)
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the caller
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            bufsize=0,
            env=env,
            cwd=directory,
            start_new_session=True,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.roots = (self.process.pid,)
        self.buffer = b""

    def exchange(self, data: bytes, request: int | None, name: str = "") -> Message:
        try:
            os.write(self.stdin, data + b"\n")
        except BrokenPipeError:
            raise self.broken() from None
        while request is not None:
            message = json.loads(self.line())
            if message.get("id") == request and "method" not in message:
                answer: Message = message
                return answer
        return {}

    def line(self) -> bytes:
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.stdout], [], [], self.patience)
            data = os.read(self.stdout, 1 << 16) if ready else b""
            if not data:
                raise self.broken()
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def broken(self) -> Broken:
        self.errors.seek(0)
        return Broken(f"no answer; standard error: {self.errors.read()[-2000:].decode(errors='replace')}")

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        end(self.process)
        self.errors.close()


def end(process: subprocess.Popen[bytes], patience: float = 5.0) -> None:
    """Wait for it, or kill it; then all that it left behind in its group: some proxies leave their server."""
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class HttpCaller(Caller):
    """One keep-alive connection to a streamable HTTP server."""

    def __init__(self, port: int, token: str = "", era: Era = "legacy", path: str = "/mcp") -> None:
        super().__init__(era)
        self.port, self.path = port, path
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def headers_for(self, data: bytes, name: str) -> dict[str, str]:
        """The modern era says in headers what the body says."""
        if self.era == "legacy":
            return self.headers
        said = {"MCP-Protocol-Version": VERSIONS["modern"], "Mcp-Method": "tools/call" if name else "tools/list"}
        return {**self.headers, **said, **({"Mcp-Name": name} if name else {})}

    def exchange(self, data: bytes, request: int | None, name: str = "") -> Message:
        try:
            return self._exchange(data, request, name)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.connection.close()
            raise Broken(f"no answer over HTTP: {type(error).__name__}: {error}") from error

    def _exchange(self, data: bytes, request: int | None, name: str) -> Message:
        self.connection.request("POST", self.path, data, self.headers_for(data, name))
        if self.connection.sock is not None:
            self.connection.sock.settimeout(self.patience)
        response = self.connection.getresponse()
        body = response.read()
        if response.status >= 300:
            raise Broken(f"HTTP {response.status}: {body[:500].decode(errors='replace')}")
        if session := response.headers.get("mcp-session-id"):
            self.headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": VERSIONS["legacy"]}
        if request is None:
            return {}
        if response.headers.get_content_type() == "text/event-stream":
            lines = [line[5:] for line in body.splitlines() if line.startswith(b"data:") and line[5:].strip()]
            messages = [json.loads(line) for line in lines]
        else:
            messages = [json.loads(body)]
        return next((message for message in messages if message.get("id") == request), {})

    def wake(self) -> None:
        self.connection.close()  # a server drops a connection that was idle for some seconds; a new one is made
        super().wake()

    def close(self) -> None:
        self.connection.close()
