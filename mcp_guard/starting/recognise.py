"""Is an entry in a client's file a guard already, and is it this one?

A project's file may call anything `mcp-guard`. What counts is a program that is this installation, an environment and
a client that don't steer it elsewhere, and documents that lie outside of the project.
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
_DOCUMENTS = ("--config", "--policy", "--mandate")
_STEERING_MEMBERS = ("envFile", "dev")
"""What lets a client take the environment from a file, or start a debugger with the program."""


@dataclass(frozen=True, slots=True)
class GuardEntry:
    """An entry that starts a guard, or says so. `doubt` is why it isn't taken for this one; empty if it is."""

    name: str
    command: str  # "run", "wrap" or whatever else it is told to do
    documents: tuple[Path, ...]  # guard.yaml, policy and mandate that it names, absolute; relative ones from `base`
    doubt: str
    sets: bool = False  # it gives its documents variables of its own, `$project` among them perhaps
    loose: bool = False  # it names documents by paths that start from wherever the client is
    plain: bool = False  # `run --config FILE` and nothing else, which is how `init` writes it

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
    ours = rest[: rest.index("--")] if "--" in rest else rest
    doubt = _doubt(entry, words, program) or _unclear(command, ours)
    if not all(word.isprintable() for word in (*words, entry.cwd or "")):  # nor would it name a document
        return GuardEntry(entry.name, command, (), "its command has characters that can't be seen")
    named = _documents(ours, command)
    return GuardEntry(
        entry.name,
        command,
        tuple(base / (entry.cwd or ".") / one for one in named),
        doubt,
        sets=any(word.partition("=")[0] == "--set" for word in ours),
        loose=not all(Path(entry.cwd or ".", one).is_absolute() for one in named),
        plain=len(ours) == 3 and list(ours[:2]) == ["run", "--config"],
    )


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
    if member := next((one for one in _STEERING_MEMBERS if entry.others.get(one)), ""):
        return f"`{member}` can make it another program than this one"
    return ""


def _unclear(command: str, ours: Sequence[str]) -> str:
    """Of an option that is given twice the last one counts, which isn't what a reader sees first."""
    if command not in ("run", "wrap"):
        return "it isn't told to guard anything"
    options = [word.partition("=")[0] for word in ours]
    twice = next((one for one in _DOCUMENTS if options.count(one) > 1), "")
    return f"it has `{twice}` twice" if twice else ""


def _same(word: str, program: Program) -> bool:
    """Is it the same file under another name, and is that file enough to be the guard?"""
    try:
        return len(program.words) == 1 and word.startswith("/") and os.path.samefile(word, program.words[0])  # noqa: PTH121
    except (OSError, ValueError):
        return False


def _documents(ours: Sequence[str], command: str) -> list[str]:
    """What it names, or has by default. No shell stands between, so that `~` is a directory's name like any other."""
    found: list[str] = []
    for at, word in enumerate(ours):
        option, equals, value = word.partition("=")
        if option in _DOCUMENTS:
            found.append(value if equals else "".join(ours[at + 1 : at + 2]))
    if command == "run" and not any(word.partition("=")[0] == "--config" for word in ours):
        found.insert(0, "guard.yaml")
    return found
