"""What the servers of the task set list: four small ones of ours, and four that people run."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from mcp_guard.catalogue.entries import read_entry
from mcp_guard.catalogue.store import DATA
from mcp_guard.drafting.tools import Offered, offered
from mcp_guard.model import EffectClass

CORPUS = Path(__file__).parents[2] / "benchmarks" / "scan" / "corpus" / "benign"
REAL = {
    "fs": ("modelcontextprotocol--server-filesystem", "filesystem"),
    "github": ("modelcontextprotocol--server-github", "github-legacy"),
    "slack": ("modelcontextprotocol--server-slack", "slack"),
    "git": ("mcp-server-git", "git"),
}
IBAN = {"type": "string", "description": "IBAN in capitals, without spaces"}
ADDRESSES = {"type": "array", "items": {"type": "string"}, "description": "Recipients"}
TEXT, NUMBER = {"type": "string"}, {"type": "number"}
PAYEES = {"properties": {"payees": {"type": "array", "items": {"properties": {"name": TEXT, "iban": TEXT}}}}}

OURS: dict[str, list[tuple[str, str, str, dict[str, Any], dict[str, Any], list[str]]]] = {
    "bank": [
        ("list_payees", "read", "", {}, {}, []),
        ("balance", "read", "", {}, {}, []),
        ("list_transactions", "read", "", {}, {"limit": {"type": "integer"}}, []),
        ("transfer_money", "spend", "recipient", {"recipient": IBAN, "amount": NUMBER, "subject": TEXT}, {}, []),
        ("add_payee", "write", "iban", {"name": TEXT, "iban": IBAN}, {}, []),
    ],
    "mail": [
        ("list_emails", "read", "", {}, {"folder": {"enum": ["inbox", "sent"]}}, ["untrusted"]),
        ("read_email", "read", "", {"id": TEXT}, {}, ["untrusted"]),
        ("search", "read", "", {"query": TEXT}, {}, ["untrusted"]),
        ("send_email", "egress", "to cc bcc", {"to": ADDRESSES, "subject": TEXT, "body": TEXT},
         {"cc": ADDRESSES, "bcc": ADDRESSES}, []),
        ("delete_email", "destructive", "id", {"id": TEXT}, {}, []),
    ],
    "web": [
        ("fetch", "read egress", "url", {"url": TEXT}, {}, ["untrusted"]),
        ("list_pages", "read", "", {}, {}, []),
    ],
}  # fmt: skip


@cache
def listing(server: str) -> tuple[Offered, ...]:
    """The tools of a server, as a draft looks at them."""
    return _real(server) if server in REAL else _ours(server)


def _ours(server: str) -> tuple[Offered, ...]:
    found = []
    for name, effects, authority, required, optional, gives in OURS[server]:
        descriptor = {"name": name, "inputSchema": {"properties": required | optional, "required": list(required)}}
        if name == "list_payees":
            descriptor["outputSchema"] = PAYEES
        classes = frozenset(map(EffectClass, effects.split()))
        found.append(
            offered(server, descriptor, effects=classes, authority=tuple(authority.split()), trusted=not gives)
        )
    return tuple(found)


def _real(server: str) -> tuple[Offered, ...]:
    corpus, entry = REAL[server]
    known = read_entry((DATA / f"{entry}.json").read_bytes()).tools
    found = []
    for descriptor in json.loads((CORPUS / f"{corpus}.json").read_text())["tools"]:
        one = known[descriptor["name"]].described
        found.append(offered(server, descriptor, effects=one.effects, authority=one.authority, trusted=not one.gives))
    return tuple(found)
