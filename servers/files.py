"""Files inside one root directory: list, read, write, move, delete.

Where the well-known filesystem server has the same tool, names and arguments are its own, so one policy fits both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import world
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field
from room import Room
from toolbox import OVERWRITE, READ, REMOVE, existing_directory, parser, serve, tool

MAX_BYTES = 1_000_000

PathName = Annotated[str, Field(min_length=1, description="Absolute, or relative to the root directory")]
Lines = Annotated[int, Field(ge=1, description="How many lines")]


class Entry(BaseModel):
    name: str
    type: Literal["file", "directory", "other"]


class Listing(BaseModel):
    entries: list[Entry]


class Content(BaseModel):
    content: str


class Done(BaseModel):
    message: str


class Files:
    """The tools. Every path is resolved, symbolic links included, and must then lie inside the root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list_directory(self, path: PathName) -> Listing:
        """List the names in a directory, and whether each is a file or a directory."""
        directory = self._inside(path)
        if not directory.is_dir():
            raise ToolError("no such directory")
        return Listing(entries=[Entry(name=item.name, type=_type(item)) for item in sorted(directory.iterdir())])

    def read_text_file(self, path: PathName, head: Lines | None = None, tail: Lines | None = None) -> Content:
        """Read a UTF-8 text file: all of it, its first lines (head) or its last lines (tail)."""
        if head is not None and tail is not None:
            raise ToolError("give head or tail, not both")
        file = self._inside(path)
        if not file.is_file():
            raise ToolError("no such file")
        if file.stat().st_size > MAX_BYTES:
            raise ToolError(f"the file is larger than {MAX_BYTES} bytes")
        try:
            lines = file.read_bytes().decode("utf-8").splitlines(keepends=True)
        except UnicodeDecodeError as error:
            raise ToolError("not a UTF-8 text file") from error
        if tail is not None:
            lines = lines[-tail:]
        return Content(content="".join(lines[:head]))

    def write_file(
        self,
        path: PathName,
        content: Annotated[str, Field(max_length=MAX_BYTES, description="The whole new text")],
    ) -> Done:
        """Create a text file or replace what it holds. Its directory must exist."""
        file = self._inside(path)
        if file.exists() and not file.is_file():
            raise ToolError("there is something else with this name")
        written = file.write_bytes(content.encode())
        return Done(message=f"wrote {written} bytes")

    def move_file(self, source: PathName, destination: PathName) -> Done:
        """Move or rename a file or a directory. It fails if the destination exists."""
        old, new = self._entry(source), self._entry(destination)
        if not _is_there(old):
            raise ToolError("no such file or directory")
        if _is_there(new):
            raise ToolError("the destination exists already")
        old.rename(new)
        return Done(message="moved")

    def delete_file(self, path: PathName) -> Done:
        """Delete one file for ever; directories are refused."""
        file = self._entry(path)
        if not file.is_file() and not file.is_symlink():
            raise ToolError("no such file")
        file.unlink()
        return Done(message="deleted")

    def _inside(self, path: str) -> Path:
        """Where `path` leads once links are followed."""
        try:
            target = (self._root / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a NUL
            raise ToolError("not a usable path") from error
        if not target.is_relative_to(self._root):
            raise ToolError("outside the root directory")
        return target

    def _entry(self, path: str) -> Path:
        """The directory entry that `path` names: a link itself, not what it leads to. Never the root."""
        name = Path(path).name
        entry = self._inside(str(Path(path).parent)) / name
        if name in ("", "..") or entry == self._root:
            raise ToolError("not a path to a file")
        return entry


def _is_there(entry: Path) -> bool:
    return entry.is_symlink() or entry.exists()


def _type(item: Path) -> Literal["file", "directory", "other"]:
    if item.is_dir():
        return "directory"
    return "file" if item.is_file() else "other"


def _seeded(root: Path) -> Path:
    """The root inside the state directory, with the small world's files at first start."""
    if not root.exists():
        for name, text in world.FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
    return root


def main(state: Path, root: Path | None) -> None:
    room = Room(state, "files")
    with room.locked():
        root = root or _seeded(room.directory / "root")
    if room.directory.is_relative_to(root):
        raise SystemExit("files.py: the state directory lies inside the root, where tools could rewrite the ledger")
    files = Files(root)
    serve(
        "files",
        f"Files under {root}.",
        [
            tool(room, files.list_directory, READ),
            tool(room, files.read_text_file, READ),
            tool(room, files.write_file, OVERWRITE),
            tool(room, files.move_file, REMOVE),
            tool(room, files.delete_file, REMOVE),
        ],
    )


if __name__ == "__main__":
    options = parser("Files inside one root directory, for demonstration and tests.")
    options.add_argument(
        "--root", type=existing_directory, metavar="DIR", help="default: a seeded directory in --state"
    )
    given = options.parse_args()
    main(given.state, given.root)
