"""The configuration files of MCP clients: found, read, and edited so that every other byte stays as it was.

`find` names the files, `load` reads one, `edited` gives its new bytes, `replace_file` writes them. Nothing here starts
a server, and nothing here judges: what should stand in a file is decided by the commands.
"""

from __future__ import annotations

from mcp_guard.clients.backups import Backups, How, IfChanged, Undone
from mcp_guard.clients.editing import edited
from mcp_guard.clients.finding import find, this_machine
from mcp_guard.clients.kept import Change
from mcp_guard.clients.known import CLIENTS
from mcp_guard.clients.loading import load, load_bytes
from mcp_guard.clients.masking import masked
from mcp_guard.clients.model import (
    BuiltIn,
    Client,
    ConfigFile,
    Entry,
    FilePlace,
    Format,
    Loaded,
    Places,
    Scope,
    Section,
    Shape,
    Table,
)
from mcp_guard.clients.replacing import Written, replace_file
from mcp_guard.clients.shaping import fresh, rewired
from mcp_guard.clients.showing import masked_diff, masked_text

__all__ = [
    "CLIENTS",
    "Backups",
    "BuiltIn",
    "Change",
    "Client",
    "ConfigFile",
    "Entry",
    "FilePlace",
    "Format",
    "How",
    "IfChanged",
    "Loaded",
    "Places",
    "Scope",
    "Section",
    "Shape",
    "Table",
    "Undone",
    "Written",
    "edited",
    "find",
    "fresh",
    "load",
    "load_bytes",
    "masked",
    "masked_diff",
    "masked_text",
    "replace_file",
    "rewired",
    "this_machine",
]
