"""What a command needs of the file system to start: its program, what that was installed with, its script.

Edge: looks at the file system. A guess by the ways in which servers are installed (venv, pipx, uv, npm, nvm, pyenv,
a checkout); what it misses, a person names under `read`. Never a home directory, nor what is above one.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

LAUNCHERS = frozenset({"npx", "bunx", "pnpx", "uvx"})
"""They fetch a program into a cache that is also the cache of programs which aren't contained."""
_FETCHING = {("npm", "exec"), ("npm", "x"), ("pnpm", "dlx"), ("yarn", "dlx"), ("bun", "x"), ("uv", "run"),
             ("uv", "tool"), ("uv", "x"), ("pipx", "run")}  # fmt: skip
_DAEMONS = frozenset({"docker", "nerdctl", "podman"})
_INTERPRETERS = re.compile(r"(python|pypy|node|nodejs|bun|deno|ruby|perl|php|bash|dash|sh|zsh)[0-9.]*")
_EXEC = re.compile(rb"^'''exec' (?:\"([^\"\n]+)\"|(\S+)) ", re.MULTILINE)
_SHARED = ("/", "/usr", "/usr/local")
_MAX_LINKS = 16


def why_not(command: Sequence[str]) -> str:
    """Why a command of this kind can't be contained, with the way out; empty if nothing speaks against it."""
    name = Path(command[0]).name
    if name in LAUNCHERS or (name, *command[1:2]) in _FETCHING:
        return (
            f"`{name}` fetches the program into a cache that others start programs from; install it "
            "(`npm install --global`, `uv tool install`, `pipx install`) and name the installed command"
        )
    if name in _DAEMONS:
        return (
            f"`{name}` has another program start the server, which stays uncontained; give the container its own limits"
        )
    return ""


def needed(command: Sequence[str], path: str, cwd: str, home: str) -> tuple[str, ...]:
    """Every path that `command` needs for reading, in the order found; `path` is the server's `PATH`."""
    found: dict[str, None] = {}
    program = _which(command[0], path, cwd)
    if program is not None:
        for need in _of_program(program, path, cwd, home, 0):
            found[need] = None
        script = _script(command, program, cwd)
        if script is not None:
            for need in (*_of_file(script, home), _of_project(script, home)):
                found[need] = None
    return tuple(found)


def as_launched(command: Sequence[str]) -> tuple[str, ...]:
    """The launcher's words for a server that is installed, by where npm puts packages, or by its program's name."""
    for word in command[:2]:
        parts = Path(os.path.realpath(word)).parts if "/" in word else ()
        if "node_modules" in parts[:-1]:
            inner = parts[len(parts) - parts[::-1].index("node_modules") :]
            return ("npx", "-y", "/".join(inner[: 2 if inner[0].startswith("@") else 1]))
    return ("uvx", Path(command[0]).name)


def _which(name: str, path: str, cwd: str) -> str | None:
    if "/" in name:
        return os.path.normpath(Path(cwd) / name)
    return shutil.which(name, path=path or os.defpath)


def _of_program(program: str, path: str, cwd: str, home: str, depth: int) -> Iterator[str]:
    """The file, each link on the way to it, what it was installed with, and what its first line starts."""
    for step in _links(program):
        yield from _of_file(step, home)
    if depth < 4 and (next_one := _interpreter(program, path, cwd)) is not None:
        yield from _of_program(next_one, path, cwd, home, depth + 1)


def _links(path: str) -> Iterator[str]:
    """The path as it is written, where each link in its last part leads, and where all of it really is."""
    for _ in range(_MAX_LINKS):
        yield path
        try:
            path = os.path.normpath(Path(path).parent / Path(path).readlink())
        except OSError:
            break
    yield os.path.realpath(path)


def _of_file(file: str, home: str) -> Iterator[str]:
    yield file
    parts = Path(file).parts
    if "node_modules" in parts:  # packages find each other in the outermost one
        yield str(Path(*parts[: parts.index("node_modules") + 1]))
    if Path(file).parent.name in ("bin", "sbin", "Scripts"):
        yield from _installation(Path(file).parent.parent, home)
    if parts[:2] == ("/", "opt") and len(parts) > 3:
        yield str(Path(*parts[:3]))


def _installation(prefix: Path, home: str) -> Iterator[str]:
    """The directory that a program was installed into; of one that everything of a person lies in, the libraries."""
    if str(prefix) in _SHARED:
        return
    if is_home(str(prefix), home) or prefix == Path(home) / ".local":
        yield str(prefix / "lib")
    elif (prefix / "pyvenv.cfg").exists() or (prefix / "lib").is_dir():
        yield str(prefix)


def is_home(path: str, home: str) -> bool:
    """Is it a home directory, or above one? Such a tree is never taken for a program's."""
    real, real_home = os.path.realpath(path), os.path.realpath(home)
    return (
        real_home == real
        or real_home.startswith(real.rstrip("/") + "/")
        or Path(real).parent in map(Path, ("/home", "/Users"))
    )


def _interpreter(program: str, path: str, cwd: str) -> str | None:
    """What `#!` names: directly, through `env`, or through the shell line that pip writes when a path is long."""
    try:
        with Path(program).open("rb") as file:
            head = file.read(1024)
    except OSError:
        return None
    if not head.startswith(b"#!"):
        return None
    words = head.split(b"\n", 1)[0][2:].decode("utf-8", "surrogateescape").split()
    if long := _EXEC.search(head):
        return (long[1] or long[2]).decode("utf-8", "surrogateescape")
    if words and Path(words[0]).name == "env":
        rest = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        return _which(rest[0], path, cwd) if rest else None
    return words[0] if words else None


def _script(command: Sequence[str], program: str, cwd: str) -> str | None:
    """The file that an interpreter is told to run: the first word after its options, if it is a file."""
    if not _INTERPRETERS.fullmatch(Path(program).name):
        return None
    for word in command[1:]:
        if word in ("-m", "-c", "-e", "--eval", "-"):
            return None
        if not word.startswith("-"):
            file = os.path.normpath(Path(cwd) / word)
            return file if Path(file).is_file() else None
    return None


def _of_project(script: str, home: str) -> str:
    """What a script may load: its package's directory, else its own; only itself where that is a home directory."""
    directory = Path(os.path.realpath(script)).parent
    for place in (directory, *directory.parents):
        if is_home(str(place), home):
            break
        if (place / "package.json").exists() or (place / "pyproject.toml").exists():
            return str(place)
    return script if is_home(str(directory), home) else str(directory)
