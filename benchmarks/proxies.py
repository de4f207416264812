"""Other people's proxies: which, in which versions, where. `python -m benchmarks.proxies` installs them (`make peers`).
The speed benchmark and the scorecard of docs/fidelity.md use the same ones.

The versions, and those of all that they depend on, are locked by hash below requirements/peers. Two need an SDK older
than ours and would downgrade another's, so each has an environment of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOCKS = Path(__file__).parent.parent / "requirements" / "peers"
PLACE_VARIABLE = "MCP_GUARD_BENCH_PEERS"
FROM_PYPI = ("fastmcp", "mcp-proxy", "mcp-firewall", "mcp-gateway")
FROM_NPM = ("mcp-proxy", "supergateway")
PATIENCE = 900.0
"""Seconds that one of them may take: some bring a hundred packages along."""
_FROM = ".from"  # in each home: the digest of the lock that it was installed from


class NotInstalled(Exception):
    """pip or npm failed, or npm isn't there; what could be installed is usable."""


def default_place() -> Path:
    """Where they are unless somebody says so: under the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get(PLACE_VARIABLE) or f"{cache}/mcp-guard/bench-peers")


def pinned() -> dict[str, str]:
    """The version of each by its name; `NAME (npm)` for those from npm, two of which are called alike."""
    found = {}
    for name in FROM_PYPI:
        text = (LOCKS / f"{name}.in").read_text(encoding="utf-8")
        said = re.search(rf"^{name}==(\S+)$", text, flags=re.MULTILINE)
        assert said, name
        found[name] = said[1]
    wanted = json.loads((LOCKS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return found | {f"{name} (npm)": str(wanted[name]) for name in FROM_NPM}


def install(place: Path, say: Callable[[str], None]) -> None:
    """Install those that aren't there as they are locked now. Raises NotInstalled, after all that could be done."""
    versions, failed = pinned(), []
    from_npm = " and ".join(f"{name} {versions[f'{name} (npm)']}" for name in FROM_NPM)
    steps = [(name, f"{name} {versions[name]}", _from_pypi) for name in FROM_PYPI]
    steps.append(("npm", f"{from_npm} from npm", _from_npm))
    for number, (name, what, put) in enumerate(steps, 1):
        home, digest = place / name, _digest(name)
        if _kept(home) == digest:
            say(f"{number}/{len(steps)} {what}: there")
            continue
        say(f"{number}/{len(steps)} {what}: installing")
        began = time.monotonic()
        try:
            put(name, home)
        except NotInstalled as failure:
            say(f"{number}/{len(steps)} {what}: {failure}")
            failed.append(what)
        else:
            (home / _FROM).write_text(digest, encoding="utf-8")
            say(f"{number}/{len(steps)} {what}: installed in {time.monotonic() - began:.0f} s")
    if failed:
        raise NotInstalled(f"not installed: {'; '.join(failed)}")


def _locks(name: str) -> list[Path]:
    return [LOCKS / "package.json", LOCKS / "package-lock.json"] if name == "npm" else [LOCKS / f"{name}.txt"]


def _digest(name: str) -> str:
    return hashlib.sha256(b"\0".join(lock.read_bytes() for lock in _locks(name))).hexdigest()


def _kept(home: Path) -> str:
    try:
        return (home / _FROM).read_text(encoding="utf-8")
    except OSError:
        return ""


def _from_pypi(name: str, home: Path) -> None:
    _run([sys.executable, "-m", "venv", "--clear", str(home)], home.parent)
    # Wheels only: building a source distribution would fetch build tools that no hash covers.
    how = ["--quiet", "--no-input", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
    _run([str(home / "bin" / "python"), "-m", "pip", "install", *how, "--requirement", str(*_locks(name))], home)


def _from_npm(name: str, home: Path) -> None:
    if shutil.which("npm") is None:
        raise NotInstalled("npm (with Node 20 or later) was not found")
    home.mkdir(parents=True, exist_ok=True)
    for lock in _locks(name):
        shutil.copyfile(lock, home / lock.name)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], home)


def _run(command: Sequence[str], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(
            command, cwd=directory, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"`{Path(command[0]).name}` took more than {PATIENCE:.0f} seconds") from None
    except (OSError, subprocess.CalledProcessError) as failure:
        raise NotInstalled(f"`{Path(command[0]).name}` failed: {type(failure).__name__}") from None


def main() -> int:
    """Install what isn't there. Exit code 1: something could not be installed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proxies", description=main.__doc__)
    parser.add_argument("--into", metavar="DIR", type=Path, help=f"where ({PLACE_VARIABLE}, or the user's cache)")
    place = (parser.parse_args().into or default_place()).absolute()
    try:
        install(place, lambda said: print(said, file=sys.stderr, flush=True))
    except NotInstalled as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"other people's proxies are in {place}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
