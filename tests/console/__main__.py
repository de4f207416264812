"""Makes the pictures of `docs/console.md`: `python -m tests.console DIRECTORY`. Needs what `make test-console` does."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from mcp_guard.policy.document import load_policy
from mcp_guard.record.entries import EntryKind
from tests.approvals.room import Room, answer_of
from tests.console.process import console
from tests.console.test_browser import browser, log_in
from tests.console.visitor import with_pin
from tests.guards import RecordingDownstream, tool

POLICY = """version: 1
tools:
  bank/transfer_money: {effect: spend, authority: [recipient]}
  bank/list_payees: {effect: read}
grants:
  - {id: accounts, tool: [bank/list_payees, bank/balance], args: any}
  - id: pay
    tool: bank/transfer_money
    args: {recipient: {max_length: 34}, amount: {above: 0, max: 100}, subject: {max_length: 140}}
    budget: {calls: 5, sum: {amount: 200}, per: session}
    ask: {by: console}
  - {id: statements, tool: bank/download_statement, args: any, until: 2030-01-01T00:00:00Z}
deny:
  - {id: no-new-payees, tool: bank/add_payee, advice: A person adds payees.}
"""
TEXT = {"type": "string"}
TOOLS = [
    tool("transfer_money", recipient=TEXT, amount={"type": "number"}, subject=TEXT),
    *(tool(name) for name in ("list_payees", "balance", "add_payee", "download_statement")),
]
BILL = {"recipient": "NL70TEST0112233445", "amount": 48.6, "subject": "PE-2025-12-7731"}
SHOTS = (
    ("now", "/now", "light", 1000, 620),
    ("authority-dark", "/authority", "dark", 800, 760),
    ("question-phone", "", "light", 390, 1500),
)


def _room(home: Path) -> Room:
    room = Room(home, POLICY, servers=[RecordingDownstream("bank", tools=TOOLS)])
    with_pin(room.directory)
    file = home / "payments.yaml"
    file.write_text(POLICY)
    loaded = load_policy(file)
    grants = [rule.ref.id for rule in loaded.rules if rule.is_grant]
    said = {"kind": "policy", "file": str(file), "digest": loaded.digest, "grants": grants}
    room.scene.record.note(EntryKind.LOADED, {"documents": [said], "session": "s1"})
    room.scene.gateway.session.client = "assistant 2.1"
    return room


async def _story(room: Room) -> str:
    """A bill is paid, an attempt is refused, another bill waits: its question."""
    scene = room.scene
    for name in ("list_payees", "balance"):
        await scene.call(name, {})
    _, paid = scene.start("tools/call", {"name": "transfer_money", "arguments": BILL})
    with room.desk() as desk:
        (first,) = desk.waiting()
        desk.approve(first, "local:iris", first.tier)
    await answer_of(paid)
    await scene.call("add_payee", {"iban": "LV73TEST0000990011223"})
    await scene.call("transfer_money", {**BILL, "amount": 980})
    other = {**BILL, "recipient": "LV73TEST0000990011223", "amount": 45, "subject": "verification deposit"}
    scene.start("tools/call", {"name": "transfer_money", "arguments": other})
    (waiting,) = room.waiting()
    return waiting.entry


async def _pictures(into: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        room = _room(Path(home))
        await room.scene.listed()
        entry = await _story(room)
        async with browser() as chromium:
            with console(room.directory) as link:
                page: Any = await chromium.new_page()
                origin = await log_in(page, link)
                for name, path, scheme, width, height in SHOTS:
                    await page.emulate_media(color_scheme=scheme)
                    await page.set_viewport_size({"width": width, "height": height})
                    await page.goto(f"{origin}{path or f'/approvals/{entry}'}?still")
                    await page.screenshot(path=into / f"console-{name}.png")


if __name__ == "__main__":
    asyncio.run(_pictures(Path(sys.argv[1])))
