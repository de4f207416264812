"""guard.yaml as `init` writes it, and how servers are added to one that a person may have edited since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard.config import Config, read_config
from mcp_guard.errors import InputError
from mcp_guard.floating import floating
from mcp_guard.server_spec import ServerSpec
from mcp_guard.starting.yaml_text import comment, mapping, sequence, text

ANY_VERSION = "   # any version: `mcp-guard check` offers the line that pins one"


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One server of guard.yaml: its command, where it runs, its variables by the names they wait under; or its URL."""

    name: str
    command: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    url: str = ""
    token_env: str = ""
    headers_env: Mapping[str, str] = field(default_factory=dict)

    def written(self) -> str:
        """`  files: {command: [npx, -y, server, .], cwd: /home/iris/shop, env: [TOKEN]}`"""
        line = f"  {text(self.name)}: {mapping(self._remote() if self.url else self._local())}"
        open_ended = not self.url and floating(ServerSpec(self.name, self.command)) is not None
        return f"{line}{ANY_VERSION if open_ended else ''}\n"

    def _remote(self) -> dict[str, str]:
        members = {"url": text(self.url)}
        if self.token_env:
            members["token_env"] = text(self.token_env)
        if self.headers_env:
            members["headers_env"] = mapping({name: text(other) for name, other in self.headers_env.items()})
        return members

    def _local(self) -> dict[str, str]:
        members = {"command": sequence(self.command), "cwd": text(self.cwd)}
        if self.env:
            same = all(name == other for name, other in self.env.items())
            members["env"] = sequence(self.env) if same else mapping({k: text(v) for k, v in self.env.items()})
        return members

    def is_said_by(self, spec: ServerSpec | None) -> bool:
        """Does guard.yaml, read again, mean this server?"""
        if spec is None or spec.remote is not None:
            return spec is not None and spec.remote is not None and spec.remote.url == self.url
        return spec.command == self.command and spec.cwd == self.cwd


def new_text(heading: Iterable[str], policy: str, project: Path | None, servers: Iterable[ServerLine]) -> str:
    """A whole guard.yaml."""
    lines = [*(comment(line) for line in heading), "version: 1", f"policy: {text(policy)}"]
    if project is not None:
        lines.append(f"set: {mapping({'project': text(str(project))})}   # the only directory that the policy opens")
    return "\n".join(lines) + "\nservers:\n" + "".join(server.written() for server in servers)


def added_text(old: str, file: Path, servers: Iterable[ServerLine]) -> str:
    """`old` with these servers after its last one. Raises InputError where that isn't certain to mean the same."""
    servers = list(servers)
    lines = "".join(server.written() for server in servers)
    before = {spec.name for spec in _read(old, file).servers}
    new = old if old.endswith("\n") else f"{old}\n"
    at = _end_of_servers(new)
    new = new[:at] + lines + new[at:]
    after = {spec.name for spec in _read(new, file).servers}
    if after != before | {server.name for server in servers}:
        raise InputError(f"can't add to `servers:` of {file}; add these lines by hand, then run `init` again:\n{lines}")
    return new


def checked(content: str, file: Path, servers: Iterable[ServerLine]) -> None:
    """Does this guard.yaml say exactly these servers, among others? Raises InputError if not: it isn't written then."""
    found = {spec.name: spec for spec in _read(content, file).servers}
    for server in servers:
        if not server.is_said_by(found.get(server.name)):
            raise InputError(f"server `{server.name}` can't be written to {file}; leave it out or give it another name")


def _read(content: str, file: Path) -> Config:
    return read_config(content.encode(), file)


def _end_of_servers(content: str) -> int:
    """Where the block of `servers:` ends, lexically; what follows from a wrong guess is checked by reading it."""
    position, inside, end = 0, False, len(content)
    for line in content.splitlines(keepends=True):
        if inside and line.strip() and not line.startswith((" ", "#")):
            return end
        inside = inside or line.startswith("servers:")
        position += len(line)
        if line.strip() and not line.startswith("#"):
            end = position
    return end
