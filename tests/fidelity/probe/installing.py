"""Puts the other proxies of the scorecard into a directory, each into an environment of its own.

Their versions are fixed here; what they depend on is what the package indexes have on that day.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FROM_PYPI = {
    "fastmcp": ["fastmcp==4.1.1"],
    "mcp-proxy": ["mcp-proxy==0.13.0"],
    "mcp-firewall": ["mcp-firewall==0.1.0", "mcp<2"],  # it says `mcp>=1.0`, and doesn't run with 2
}
FROM_NPM = ["mcp-proxy@6.7.19", "supergateway@4.0.0"]


class NotInstalled(Exception):
    """pip or npm failed; it has said why on standard error."""


def install(directory: Path) -> None:
    """Install what isn't there yet. Raises NotInstalled."""
    for name, wanted in FROM_PYPI.items():
        home = directory / name
        if not (home / "bin" / name).exists():
            _run(sys.executable, "-m", "venv", "--clear", str(home))
            _run(
                str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted
            )
    npm = directory / "npm"
    if not (npm / "node_modules" / "supergateway").is_dir():
        npm.mkdir(parents=True, exist_ok=True)
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run("npm", "install", "--prefix", str(npm), *quiet, *FROM_NPM)


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as failure:
        raise NotInstalled(f"`{command[0]}` failed: {type(failure).__name__}") from None
