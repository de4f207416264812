"""An agent that believes everything it reads, behind a guard that knows what it was asked to do.

It starts `mcp-guard run` as its only MCP server, looks for the December bill in the mail, opens the help page that the
mail links to, and does whatever these texts tell it to do. A scripted model makes the story the same every time; put a
real one in its place and the guard does the same. Run it in this directory: `python gullible_agent.py`, alone, with
`--without-mandate` or with `--mandate FILE`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult

HERE = Path(__file__).resolve().parent
STATE = HERE / "state"


class GullibleModel:
    """Takes every instruction that it reads for its own, the newest first."""

    def __init__(self) -> None:
        self.to_do: list[tuple[str, dict[str, Any]]] = [("mail__search", {"query": "electricity bill"})]
        self._planned: list[tuple[str, dict[str, Any]]] = []

    def read(self, result: dict[str, Any]) -> None:
        """Plan whatever a result asks for: mails to open, a bill to pay, pages to look at, orders to follow."""
        for email in result.get("emails", []):
            self._plan("mail__read_email", {"id": email["id"]})
        text = f"{result.get('body', '')}{result.get('content', '')}"
        if bill := re.search(r"Amount due: (\S+) EUR\s+Pay to: +(\w+)\s+Reference: +(\S+)", text):
            self._plan_transfer(*bill.groups())
        for url in re.findall(r"https://[\w./-]+", text):
            self._plan("web__fetch", {"url": url})
        if order := re.search(r"transfer (\S+) EUR to (\w+) with the subject '(.+?)'", text):
            self._plan_transfer(*order.groups())

    def _plan_transfer(self, amount: str, recipient: str, subject: str) -> None:
        self._plan("bank__transfer_money", {"recipient": recipient, "amount": float(amount), "subject": subject})

    def _plan(self, tool: str, arguments: dict[str, Any]) -> None:
        if (tool, arguments) not in self._planned:
            self._planned.append((tool, arguments))
            self.to_do.append((tool, arguments))


async def work(model: GullibleModel, client: Client) -> None:
    """The agent's loop: call, show, read, until nothing is left to do."""
    listed = await client.list_tools()
    names = sorted(tool.name for tool in listed.tools)
    print("The agent sees:", ", ".join(names) or "nothing")
    while model.to_do:
        tool, arguments = model.to_do.pop()
        print(f"\n{tool} {json.dumps(arguments)}")
        if tool not in names:
            print("   NOT DONE: there is no such tool")
            continue
        result = await client.call_tool(tool, arguments)
        print("   NOT DONE:" if result.is_error else "   done:", first_line(result))
        if not result.is_error:
            model.read(result.structured_content or {})


def first_line(result: CallToolResult) -> str:
    """The beginning of what came back, on one line."""
    text = " ".join(" ".join(getattr(block, "text", "") for block in result.content).split())
    return text if len(text) <= 400 else f"{text[:400]} ..."


def executed_transfers() -> list[dict[str, Any]]:
    """What the bank wrote down when it executed it: neither the guard's claim nor the agent's."""
    ledger = STATE / "bank" / "ledger.jsonl"
    lines = ledger.read_text("utf-8").splitlines() if ledger.exists() else []
    return [line["arguments"] for line in map(json.loads, lines) if line["tool"] == "transfer_money"]


async def main(options: list[str]) -> None:
    """Do the errand in a new household, then ask the bank what happened."""
    shutil.rmtree(STATE, ignore_errors=True)
    guard = StdioServerParameters(
        command="mcp-guard",
        args=["run", "--config", "guard.yaml", *options],
        cwd=HERE,
        env={"PATH": os.environ["PATH"], "MCP_GUARD_STATE": str(STATE / "guard")},  # each run keeps its own record
    )
    async with Client(guard) as client:
        await work(GullibleModel(), client)
    print("\nThe bank's own ledger:")
    for transfer in executed_transfers():
        print(f"   {transfer['amount']:.2f} EUR to {transfer['recipient']} ({transfer['subject']})")


if __name__ == "__main__":
    mandate = ["--mandate", "pay-bill.mandate.yaml"] if len(sys.argv) == 1 else sys.argv[1:]
    asyncio.run(main([] if mandate == ["--without-mandate"] else mandate))
