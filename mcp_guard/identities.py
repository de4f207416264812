"""What a server's command says that it starts, and how much that proves.

Edge: where a command starts a program of this machine, its file is read. A digest of a launcher (`npx`) would prove
nothing about the package, so packages go by name and version.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mcp_guard.catalogue.packages import Registry, identify
from mcp_guard.lock.servers import Identity, Lock, Strength
from mcp_guard.server_spec import ServerSpec

MAX_BYTES = 64 << 20
_RUNTIMES = re.compile(r"(python|pypy|node|nodejs|bun|ruby|perl|php|bash|sh|zsh|dash)([0-9][0-9.]*)?")

_STARTERS = frozenset(
    {
        "npx",
        "npm",
        "pnpm",
        "pnpx",
        "yarn",
        "bunx",
        "uv",
        "uvx",
        "pipx",
        "poetry",
        "pdm",
        "hatch",
        "rye",
        "conda",
        "mamba",
    }
    | {
        "docker",
        "podman",
        "nerdctl",
        "kubectl",
        "ssh",
        "sudo",
        "doas",
        "su",
        "env",
        "nice",
        "nohup",
        "setsid",
        "stdbuf",
    }
    | {"timeout", "xargs", "make", "just", "task", "go", "cargo", "java", "dotnet", "deno", "mise", "asdf", "direnv"}
)
"""Programs that start another one: a digest of them would look like proof, and prove nothing about that."""


def identity_of(spec: ServerSpec) -> Identity:
    """What is started or reached, as far as its command or URL and the file it names tell."""
    if spec.remote is not None:
        return Identity(Strength.ADDRESS, spec.remote.origin)
    package, _ = identify(spec.command, spec.given)
    if package is not None:
        fixed = package.version is not None
        content = package.registry is Registry.DOCKER and (package.version or "").startswith("sha256:")
        return Identity(Strength.CONTENT if content else Strength.VERSION if fixed else Strength.NAME, str(package))
    file = _file(spec)
    if file is None:
        return Identity(Strength.NOTHING, "")
    try:
        if file.stat().st_size > MAX_BYTES:
            return Identity(Strength.NAME, file.name)
        return Identity(Strength.CONTENT, f"{file.name} sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}")
    except OSError:
        return Identity(Strength.NOTHING, "")


def shown_command(spec: ServerSpec) -> tuple[str, ...]:
    """The command as it may stand in a file that is shared: without what looks like a secret."""
    from mcp_guard.clients.masking import masked_arguments  # only now: a guard that starts shows no command

    return tuple(str(word) for word in masked_arguments(list(spec.command)))


def shown_url(spec: ServerSpec) -> str:
    """The URL without its query, and without what looks like a secret; empty for a server that is started."""
    from mcp_guard.clients.masking import masked_address  # as above

    return "" if spec.remote is None else masked_address(spec.shown[0])


def unlike(lock: Lock, specs: tuple[ServerSpec, ...]) -> dict[str, str]:
    """The servers that the lock knows and that aren't started as they were then: nothing of them counts as locked."""
    found: dict[str, str] = {}
    for spec in specs:
        pinned = lock.servers.get(spec.name)
        if pinned is None:
            continue
        if pinned.by_command != (shown_command(spec), shown_url(spec)):
            found[spec.name] = "its server's command or URL isn't the one that was locked"
        elif pinned.identity != identity_of(spec):
            found[spec.name] = "its server's program isn't the one that was locked"
    return found


def _file(spec: ServerSpec) -> Path | None:
    """The program's own file: of `python server.py`, the script. None if options or the PATH hide it."""
    words = list(spec.command)
    here = Path(spec.cwd or ".")
    name = words[0].rpartition("/")[2] if words else ""
    if name in _STARTERS:
        return None
    if _RUNTIMES.fullmatch(name):
        # Flags that run something else than a file (`-c`, `-m`, `-e`) make the rest of the line no name of one.
        rest = next((word for word in words[1:] if not re.fullmatch(r"-[SBIEuOPs]+", word)), "")
        file = here / rest if rest and not rest.startswith("-") else None
        return file if file is not None and file.is_file() else None
    if "/" in (words[0] if words else ""):
        return here / words[0]
    import shutil  # only for a command that is looked for on the PATH

    found = shutil.which(words[0], path=(spec.env or {}).get("PATH")) if words else None
    return Path(found) if found is not None else None
