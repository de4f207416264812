"""Is an entry in a client's file a guard already, and is it this one?

A project's file may call anything `mcp-guard`. What counts is a program that is this installation, an environment that
doesn't steer it elsewhere, and documents that lie outside of the project.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mcp_guard.clients import Entry
from mcp_guard.starting.naming import steers
from mcp_guard.starting.places import Program

_LAUNCHERS = {"uvx": 1, "pipx": 2, "uv": 2}  # words before the program's name: `pipx run`, `uv run`


@dataclass(frozen=True, slots=True)
class GuardEntry:
    """An entry that starts a guard, or says so. `doubt` is why it isn't taken for this one; empty if it is."""

    name: str
    command: str  # "run", "wrap" or whatever else it is told to do
    documents: tuple[Path, ...]  # guard.yaml, policy and mandate that it names, absolute; relative ones from `base`
    doubt: str

    @property
    def config(self) -> Path | None:
        """The guard.yaml of a guard of several servers."""
        return self.documents[0] if self.command == "run" and self.documents else None


def guard_in(entry: Entry, program: Program, base: Path) -> GuardEntry | None:
    """The guard that this entry starts; None if it doesn't even say so."""
    words = entry.command or ()
    rest = _after_program(words, program)
    if rest is None:
        return None
    command = rest[0] if rest else ""
    doubt = _doubt(entry, words, program) or ("" if command in ("run", "wrap") else "it isn't told to guard anything")
    return GuardEntry(entry.name, command, tuple(_documents(rest, command, base)), doubt)


def _after_program(words: Sequence[str], program: Program) -> Sequence[str] | None:
    """What follows the words that start a guard."""
    own = program.words
    if tuple(words[: len(own)]) == own:
        return words[len(own) :]
    for at, word in enumerate(words[:6]):
        is_module = word == "mcp_guard" and at > 0 and words[at - 1] == "-m"
        is_program = PurePath(word).name == "mcp-guard" and (at == 0 or _LAUNCHERS.get(PurePath(words[0]).name) == at)
        if is_module or is_program:
            return words[at + 1 :]
    return None


def _doubt(entry: Entry, words: Sequence[str], program: Program) -> str:
    if tuple(words[: len(program.words)]) != program.words and words[0] != "mcp-guard" and not _same(words[0], program):
        return "it calls itself mcp-guard and is started by something else than this installation"
    steering = [name for name, value in entry.env.items() if steers(name) and program.env.get(name) != value]
    if steering:
        return f"`{steering[0]}` in its `env` can make it another program than this one"
    return ""


def _same(word: str, program: Program) -> bool:
    """Is it the same file under another name, and is that file enough to be the guard?"""
    try:
        return len(program.words) == 1 and word.startswith("/") and os.path.samefile(word, program.words[0])  # noqa: PTH121
    except OSError:
        return False


def _documents(rest: Sequence[str], command: str, base: Path) -> list[Path]:
    """What `--config`, `--policy` and `--mandate` name before `--`; `run` has a guard.yaml by default."""
    ours = rest[: rest.index("--")] if "--" in rest else rest
    found: list[str] = []
    for at, word in enumerate(ours):
        option, equals, value = word.partition("=")
        if option in ("--config", "--policy", "--mandate"):
            found.append(value if equals else "".join(ours[at + 1 : at + 2]))
    if command == "run" and not any(word.partition("=")[0] == "--config" for word in ours):
        found.insert(0, "guard.yaml")
    return [base / Path(one).expanduser() for one in found]
