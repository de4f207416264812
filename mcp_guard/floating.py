"""Servers whose command leaves open which version of a package is started, and the line that would fix it.

Edge: looks at what launchers have kept on this machine, and at nothing else: no registry is asked.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mcp_guard.catalogue.packages import Package, Registry, identify
from mcp_guard.server_spec import ServerSpec
from mcp_guard.starting.yaml_text import sequence

MOST = 2000  # directories of a cache that are looked at
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!-]{0,63}")


def floating(spec: ServerSpec) -> Package | None:
    """The package that a server's command names without a version; None if it names none, or a version too."""
    package, _ = identify(spec.command, spec.given)
    if package is None or package.version is not None or package.registry is Registry.MODULE:
        return None
    return package


def pinned_line(spec: ServerSpec) -> str:
    """`[npx, -y, "name@1.2.3"]`, by the version that was started here last; empty if that can't be told."""
    package = floating(spec)
    version = installed_version(package, spec) if package is not None else ""
    if package is None or not version:
        return ""
    words = [_pinned(word, package, version) for word in spec.command]
    now, _ = identify(words, spec.given)
    return sequence(words) if now is not None and now.version == version else ""


def in_words(spec: ServerSpec) -> str:
    """What to do about a server whose version is open; empty if there is nothing to do."""
    package = floating(spec)
    if package is None:
        return ""
    line = pinned_line(spec)
    open_to = f"{package} has no version, so that any later one is started without a word"
    return f"{open_to}; to pin what is here now: command: {line}" if line else f"{open_to}; name one"


def installed_version(package: Package, spec: ServerSpec) -> str:
    """The version of the package that was put on this machine last; empty if there is none, or it can't be read."""
    found: list[tuple[float, str]] = []
    kept = {Registry.NPM: _npm_versions, Registry.PYPI: _pypi_versions}.get(package.registry)
    for file, version in kept(package.name, spec) if kept is not None else ():
        if _VERSION.fullmatch(version):
            found.append((file.stat().st_mtime, version))
    return max(found)[1] if found else ""


def _pinned(word: str, package: Package, version: str) -> str:
    if package.registry is Registry.NPM:
        plain = word if word == package.name else word.rpartition("@")[0]
        return f"{plain}@{version}" if plain == package.name else word
    bare = re.match(r"[A-Za-z0-9._-]+(?:\[[A-Za-z0-9,._-]*\])?", word)
    named = bare is not None and re.sub(r"[-_.]+", "-", bare[0].partition("[")[0]).lower() == package.name
    return f"{bare[0]}=={version}" if bare is not None and named and not word.startswith("-") else word


def _npm_versions(name: str, spec: ServerSpec) -> Iterator[tuple[Path, str]]:
    """`npx` takes what the project has, before what it keeps itself."""
    cache = Path(os.environ.get("NPM_CONFIG_CACHE") or Path("~/.npm").expanduser()) / "_npx"
    places = [Path(spec.cwd or ".") / "node_modules", *(place / "node_modules" for place in _inside(cache))]
    for place in places:
        file = place / name / "package.json"
        try:
            yield file, str(json.loads(file.read_bytes())["version"])
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _pypi_versions(name: str, _: ServerSpec) -> Iterator[tuple[Path, str]]:
    """What `uvx` and `pipx` keep: each package beside a directory that is named for its version."""
    caches = [Path(os.environ.get("UV_CACHE_DIR") or "~/.cache/uv").expanduser() / "archive-v0"]
    caches += [Path("~/.local/share/uv/tools").expanduser(), Path("~/.local/share/pipx/venvs").expanduser()]
    wanted = re.sub(r"[-_.]+", "_", name)
    for cache in caches:
        for place in _inside(cache):
            for inner in (place, *place.glob("lib/python3*/site-packages")):
                for file in inner.glob(f"{wanted}-*.dist-info"):
                    yield file, file.name.removesuffix(".dist-info").partition("-")[2]


def _inside(directory: Path) -> list[Path]:
    try:
        return sorted(one for one in directory.iterdir() if one.is_dir())[:MOST]
    except OSError:
        return []
