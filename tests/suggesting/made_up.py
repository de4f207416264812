"""Made-up policies and records for suggestions: every path leads to itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mcp_guard.cli.suggesting import Present
from mcp_guard.model import Call
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document, load_text
from mcp_guard.policy.yaml_source import read_yaml
from mcp_guard.record.was import value_digests
from mcp_guard.report.replay import World
from mcp_guard.report.seen import Seen
from mcp_guard.wire import shape

NOON = datetime(2026, 12, 31, 12, tzinfo=UTC)
KEY = b"k" * 32
FILE = Path("/p/policy.yaml")


def present(text: str) -> Present:
    """The policy with this text."""
    data = f"version: 1\n{text}".encode()
    document = load_text(data, file=str(FILE), kind="policy", variables={"project": "/p"}, home="/home/me")
    return Present(FILE, read_yaml(data, str(FILE)).value, document, Authority((document,)).digest)


def world() -> World:
    return World(strict=True, seen=lambda _: ("pay", "read"), leads=lambda path: path, now=NOON)


def allowed(document: Document, name: str, arguments: Mapping[str, Any], facts: World | None = None) -> tuple[str, ...]:
    """The grants that carry a call; none: it isn't allowed."""
    server, _, target = name.partition("/")
    call = Call("me", "tools/call", server, target, {"name": target, "arguments": dict(arguments)})
    decision = decide(Authority((document,)), call, facts or world())
    return tuple(rule.key for rule in decision.rules) if decision.allowed else ()


def seen(
    number: int,
    name: str,
    arguments: Mapping[str, Any],
    rules: Sequence[str],
    *,
    session: str = "s",
    kept: bool = True,
    **changes: Any,
) -> Seen:
    """A call that these grants carried. `kept`: its values are known."""
    names = dict.fromkeys(arguments)
    fields: dict[str, Any] = {
        "entry": f"3f9a1c2e-{number}",
        "time": NOON + timedelta(seconds=number),
        "session": session,
        "name": name,
        "effect": "allow" if rules else "deny",
        "rules": tuple(rules),
        "given": shape(arguments, names),
        "values": value_digests(KEY, arguments, names),
        "known": dict(arguments) if kept else {},
    }
    return Seen(**{**fields, **changes})
