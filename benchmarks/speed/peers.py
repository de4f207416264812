"""Other people's proxies and gateways, each from an environment of its own (`make bench-peers` installs them).

None is part of the project: what isn't there isn't measured. Each runs as its own documentation says, with what it
would have to be told so that it lets a thousand calls a second through.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.proxies import FROM_NPM, FROM_PYPI
from benchmarks.speed.callers import Caller, Era, HttpCaller
from benchmarks.speed.chains import Chain, Open, stdio
from benchmarks.speed.servers import SERVERS, background, installed, sdk_by_url
from tests.ports import free_port

_SERVER = list(SERVERS["sdk"])
_CONTEXTFORGE = "MCP_GUARD_BENCH_CONTEXTFORGE"
_FIREWALL = """\
version: 1
defaultAction: allow
globalRateLimit: {maxCalls: 100000000, windowSeconds: 60}
security:
  injectionDetection: {enabled: true, sensitivity: medium}
  egressControl: {enabled: true, blockPrivateIPs: true, blockCloudMetadata: true}
responseScanning: {detectSecrets: true, detectPII: false}
rules: []
audit: {enabled: true, path: mcp-firewall.audit.jsonl}
"""


def versions(place: Path) -> dict[str, str]:
    """Which peers are there, as they say it themselves."""
    found = {}
    for name in FROM_PYPI:
        python = place / name / "bin" / "python"
        if python.exists():
            show = f"from importlib.metadata import version as v; print(v({name!r}), 'with mcp', v('mcp'))"
            done = subprocess.run([python, "-c", show], capture_output=True, text=True, check=False, timeout=60)
            found[name] = done.stdout.strip() or "not usable"
    for name in FROM_NPM:
        package = place / "npm" / "node_modules" / name / "package.json"
        if package.exists():
            found[f"{name} (npm)"] = str(json.loads(package.read_text())["version"])
    return found


def peers(place: Path, scratch: Path) -> list[Chain]:
    """A chain for each peer that is there and each way that it goes."""
    rows: list[Chain] = []
    if (place / "fastmcp").exists():
        rows += _fastmcp(place / "fastmcp" / "bin" / "fastmcp", scratch / "fastmcp")
    if (place / "mcp-proxy").exists():
        rows += _mcp_proxy(place / "mcp-proxy" / "bin" / "mcp-proxy", scratch / "mcp-proxy")
    if (place / "mcp-firewall").exists():
        rows.append(_firewall(place / "mcp-firewall" / "bin" / "mcp-firewall", scratch / "mcp-firewall"))
    if (place / "mcp-gateway").exists():
        rows.append(_lasso(place / "mcp-gateway" / "bin" / "mcp-gateway", scratch / "mcp-gateway"))
    rows += _npm(place / "npm" / "node_modules" / ".bin", scratch / "npm")
    if url := os.environ.get(_CONTEXTFORGE):  # it is set up by hand: URL of a virtual server, and a token
        rows.append(Chain("contextforge", "HTTP→HTTP", "sdk", _given(url), is_peer=True))
    return rows


def _made(directory: Path) -> tuple[Path, dict[str, str]]:
    """A directory and an environment for a peer: what it writes stays there."""
    directory.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in installed().items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return directory, {**kept, "HOME": str(directory)}


def _fastmcp(command: Path, scratch: Path) -> Iterator[Chain]:
    directory, environment = _made(scratch)

    def proxy(entry: Mapping[str, object], *more: str) -> list[str]:
        config = directory / f"mcp-{len(list(directory.iterdir()))}.json"
        config.write_text(json.dumps({"mcpServers": {"t": entry}}))
        return [str(command), "run", str(config), "--no-banner", "-l", "ERROR", *more]

    started = {"command": _SERVER[0], "args": _SERVER[1:]}

    def on_stdio(stack: ExitStack, era: Era) -> Caller:
        return stdio(proxy(started), environment, directory)(stack, era)

    def from_stdio(stack: ExitStack, era: Era) -> Caller:
        url = f"http://127.0.0.1:{sdk_by_url(stack)[0]}/mcp"
        return stdio(proxy({"url": url}), environment, directory)(stack, era)

    def http(*, by_url: bool) -> Open:
        def command_on(port: int, stack: ExitStack) -> list[str]:
            entry = {"url": f"http://127.0.0.1:{sdk_by_url(stack)[0]}/mcp"} if by_url else started
            return proxy(entry, "--transport", "http", "--port", str(port))

        return _on_http(command_on, environment, directory)

    yield Chain("fastmcp", "stdio→stdio", "sdk", on_stdio, is_peer=True)
    yield Chain("fastmcp", "HTTP→stdio", "sdk", http(by_url=False), is_peer=True)
    yield Chain("fastmcp", "HTTP→HTTP", "sdk", http(by_url=True), is_peer=True)
    yield Chain("fastmcp", "stdio→HTTP", "sdk", from_stdio, is_peer=True)


def _mcp_proxy(command: Path, scratch: Path) -> Iterator[Chain]:
    directory, environment = _made(scratch)

    def from_stdio(stack: ExitStack, era: Era) -> Caller:
        url = f"http://127.0.0.1:{sdk_by_url(stack)[0]}/mcp"
        return stdio([str(command), "--transport", "streamablehttp", url], environment, directory)(stack, era)

    def command_on(port: int, _: ExitStack) -> list[str]:
        return [str(command), "--host", "127.0.0.1", "--port", str(port), "--", *_SERVER]

    front = _on_http(command_on, environment, directory)
    yield Chain("mcp-proxy (Python)", "HTTP→stdio", "sdk", front, is_peer=True)
    yield Chain("mcp-proxy (Python)", "stdio→HTTP", "sdk", from_stdio, is_peer=True)


def _firewall(command: Path, scratch: Path) -> Chain:
    directory, environment = _made(scratch)
    config = directory / "mcp-firewall.yaml"
    config.write_text(_FIREWALL)
    line = [str(command), "wrap", "--config", str(config), "--", *_SERVER]
    return Chain("mcp-firewall", "stdio→stdio", "sdk", stdio(line, environment, directory), is_peer=True)


def _lasso(command: Path, scratch: Path) -> Chain:
    directory, environment = _made(scratch)
    config = directory / "mcp.json"
    servers = {"t": {"command": _SERVER[0], "args": _SERVER[1:]}}
    config.write_text(json.dumps({"mcpServers": {"mcp-gateway": {"servers": servers}}}))
    line = [str(command), "--mcp-json-path", str(config), "-p", "basic"]
    return Chain("mcp-gateway (Lasso)", "stdio→stdio", "sdk", stdio(line, environment, directory), is_peer=True)


def _npm(commands: Path, scratch: Path) -> Iterator[Chain]:
    directory, environment = _made(scratch)

    def proxy_on(port: int, _: ExitStack) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(port), "--server", "stream"]
        return [str(commands / "mcp-proxy"), *options, "--", *_SERVER]

    def gateway_on(port: int, _: ExitStack) -> list[str]:
        options = ["--outputTransport", "streamableHttp", "--stateful", "--port", str(port), "--logLevel", "none"]
        return [str(commands / "supergateway"), "--stdio", shlex.join(_SERVER), *options]

    for file, name, command_on in (
        ("mcp-proxy", "mcp-proxy (npm)", proxy_on),
        ("supergateway", "supergateway", gateway_on),
    ):
        if (commands / file).exists():
            yield Chain(name, "HTTP→stdio", "sdk", _on_http(command_on, environment, directory), is_peer=True)


def _on_http(command_on: Callable[[int, ExitStack], list[str]], environment: dict[str, str], directory: Path) -> Open:
    def start(stack: ExitStack, era: Era) -> Caller:
        port = free_port()
        process = background(stack, command_on(port, stack), environment, port, directory)
        caller = stack.enter_context(HttpCaller(port, era=era))
        caller.roots = (process,)
        return caller

    return start


def _given(url: str) -> Open:
    """A gateway that is there already, on this machine: http://127.0.0.1:PORT/PATH, with its token in a variable."""

    def start(stack: ExitStack, era: Era) -> Caller:
        port, _, path = url.partition("127.0.0.1:")[2].partition("/")
        token = os.environ.get(f"{_CONTEXTFORGE}_TOKEN", "")
        return stack.enter_context(HttpCaller(int(port), token, era, f"/{path}"))

    return start
