"""A story's README as steps, in its order: commands, files that are shown or to be written, calls of the client.

What a reader is told to do is what a test does: nothing beside the text says how a story goes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PART = re.compile(
    r"^```(?P<language>\w*)(?: (?P<file>\S+))?(?P<written> \(write this\))?\n(?P<text>.*?)^```$"
    r"|^\| [^|\n]*calls \| with \| and gets \|\n\|[-| ]+\|\n(?P<rows>(?:\|[^\n]*\n)+)",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Command:
    """A line after `$ `, and what is shown of its output."""

    line: str
    output: str


@dataclass(frozen=True)
class Shown:
    """What a file holds at this point of the story; `...` stands for anything."""

    file: str
    text: str


@dataclass(frozen=True)
class Written:
    """A file that the reader writes."""

    file: str
    text: str


@dataclass(frozen=True)
class Asked:
    """One row: a tool, its arguments, and what comes back. Without a tool: the names that are listed."""

    tool: str
    arguments: dict[str, Any]
    answer: str

    @property
    def listed(self) -> set[str]:
        return set(re.findall(r"`([^`]+)`", self.answer))


@dataclass(frozen=True)
class Conversation:
    """What the client does while it runs once."""

    rows: tuple[Asked, ...]


Step = Command | Shown | Written | Conversation


def steps(readme: Path) -> Iterator[Step]:
    """Every step of the story. Raises ValueError for a block that would go unnoticed."""
    for part in _PART.finditer(readme.read_text("utf-8")):
        if part["rows"]:
            yield Conversation(tuple(_row(line) for line in part["rows"].splitlines()))
        elif part["language"] == "console":
            for one in re.split(r"^\$ ", part["text"], flags=re.MULTILINE)[1:]:
                line, _, output = one.partition("\n")
                yield Command(line, output)
        elif part["file"]:
            yield (Written if part["written"] else Shown)(part["file"], part["text"])
        else:
            raise ValueError(f"{readme}: neither a command nor a file: {part['text'][:60]}")


def _row(line: str) -> Asked:
    tool, arguments, answer = (cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|"))
    if tool == "*lists*":
        return Asked("", {}, answer)
    return Asked(tool.strip("`"), json.loads(arguments.strip("`")), answer)


def matches(shown: str, real: str) -> bool:
    """Is `real` what is shown? `...` stands for anything, within a line or for lines; columns may be wider.

    Each part between two `...` is looked for after the one before it: a pattern with as many gaps would try for ever.
    """
    first, *parts = (_squeezed(part) for part in _squeezed(shown).split("..."))
    text = _squeezed(real)
    if not parts:
        return text == first
    if not text.startswith(first):
        return False
    at, last = len(first), parts.pop()
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(last) and len(text) - len(last) >= at


def _squeezed(text: str) -> str:
    """One space or one line end between words."""
    return re.sub(r" ?\n[\s]*", "\n", re.sub(r"[ \t]+", " ", text)).strip()
