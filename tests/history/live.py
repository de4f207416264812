"""A bank, a mailbox and a file server as doubles behind a gateway in memory, with rules that go by sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from tests.guards import RecordingDownstream, Scene, tool

GOOD, EVIL = "DE89370400440532013000", "GB29NWBK60161331926819"
TEXT = {"type": "string"}

POLICY = """version: 1
tools:
  bank/payees: {effect: read}
  bank/search: {effect: read}
  bank/pay: {effect: spend, authority: [recipient]}
  bank/register: {effect: write}
  mail/read: {effect: read, gives: untrusted}
grants:
  - {id: look, tool: [bank/payees, bank/search, bank/register, mail/read], args: any}
  - {id: pay, tool: bank/pay, args: {recipient: {from: [task, {tool: bank/payees, field: iban}]}}}
"""
MANDATE = f"""version: 1
task: Pay the rent to {GOOD}, please.
expires: 2030-01-01T00:00:00Z
grants: [{{id: all, tool: [bank/payees, bank/search, bank/pay, bank/register, mail/read], args: any}}]
"""


class Bank(RecordingDownstream):
    """Answers each tool with what `says` holds for it: structured content, or text."""

    def __init__(self, name: str, *tools: str) -> None:
        super().__init__(name, [tool(one, recipient=TEXT, text=TEXT) for one in tools])
        self.says: dict[str, Any] = {}
        self.replies["tools/call"] = lambda params: {"result": self.result(params["name"])}

    def result(self, name: str) -> dict[str, Any]:
        said = self.says.get(name, {})
        if isinstance(said, str):
            return {"content": [{"type": "text", "text": said}]}
        if "raw" in said:
            raw: dict[str, Any] = said["raw"]
            return raw
        return {"content": [{"type": "text", "text": json.dumps(said)}], "structuredContent": said}


class Town(Scene):
    """The scene with its two servers."""

    def __enter__(self) -> Self:
        return self

    @property
    def bank(self) -> Bank:
        found = self.servers[0]
        assert isinstance(found, Bank)
        return found

    @property
    def mail(self) -> Bank:
        found = self.servers[1]
        assert isinstance(found, Bank)
        return found

    async def pay(self, recipient: Any) -> bool:
        """Was the payment made? Read from the bank's side."""
        before = len(self.bank.calls)
        await self.call("bank__pay", {"recipient": recipient})
        return len(self.bank.calls) > before


def town(directory: Path, text: str = POLICY, **more: Any) -> Town:
    servers: list[RecordingDownstream] = [
        Bank("bank", "payees", "search", "pay", "register"),
        Bank("mail", "read"),
    ]
    return Town(directory, policy=text, servers=servers, prefixed=True, **more)
