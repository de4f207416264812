"""Turns methods into strict MCP tools that write the ledger, and serves them on stdio in both protocol eras.

"Strict": unknown arguments are refused instead of dropped, and a text is not taken for a number. A server that repairs
what it gets would do something else than what a guard in front of it has judged.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from mcp.types import ToolAnnotations
from pydantic import ConfigDict
from room import Room

READ = ToolAnnotations(read_only_hint=True, open_world_hint=False)
READ_WORLD = ToolAnnotations(read_only_hint=True, open_world_hint=True)
ADD = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
SEND = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
SPEND = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
OVERWRITE = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
REMOVE = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)


def tool(room: Room, function: Callable[..., Any], annotations: ToolAnnotations) -> Tool:
    """Make one tool of a method: its name, docstring and annotated parameters become the descriptor."""

    @functools.wraps(function)
    def run(**arguments: Any) -> Any:
        with room.execution(function.__name__, arguments):
            try:
                return function(**arguments)
            except OSError as error:  # its own text would show the path of the state directory
                raise ToolError(error.strerror or "the file system refused") from error

    made = Tool.from_function(run, annotations=annotations)
    made.fn_metadata.arg_model = _closed(made.fn_metadata.arg_model)
    made.parameters = made.fn_metadata.arg_model.model_json_schema(by_alias=True)
    return made


def parser(description: str) -> argparse.ArgumentParser:
    """The command line that all four servers share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="for the state and ledger.jsonl")
    return parser


def existing_directory(text: str) -> Path:
    """An option's value that must be a directory already; returned absolute, with links followed."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"`{text}` is not a directory")
    return Path(text).resolve()


def serve(name: str, instructions: str, tools: Sequence[Tool]) -> None:
    """Answer on stdin and stdout until the client closes them."""
    server = MCPServer(name, instructions=instructions, version="1.0.0", tools=list(tools), log_level="CRITICAL")
    try:
        server.run("stdio")
    except* BrokenPipeError:  # the client is gone before the last answer, which nobody wants any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or else the interpreter tries it once more


def _closed(model: type[ArgModelBase]) -> type[ArgModelBase]:
    """The same arguments, without conversions and without room for others."""

    class Closed(model):  # type: ignore[valid-type, misc]
        model_config = ConfigDict(extra="forbid", strict=True)

        def model_dump_one_level(self) -> dict[str, Any]:
            """Only what the caller gave: the ledger shows the arguments as they were sent."""
            given: dict[str, Any] = super().model_dump_one_level()
            return {name: value for name, value in given.items() if name in self.model_fields_set}

    Closed.__name__ = model.__name__
    return Closed
