"""An agent that does with a refusal what can be done: it doesn't try again, and leaves the rest to a person.

It starts `mcp-guard run` as its only MCP server. A scripted errand makes the story the same every time: answer Tomas,
with a copy to a supplier. Run it in this directory: `python stdio_agent.py`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult

HERE = Path(__file__).resolve().parent
STATE = HERE / "state"
DECISION = "mcp-guard/decision"

QUOTE = "The heating will be 4,200 EUR."
SUPPLIER = "quotes@warmte.example"


def decision(result: CallToolResult) -> dict[str, Any] | None:
    """The guard's decision, if this is a refusal; None for a result of the server's, errors among them."""
    found = (result.meta or {}).get(DECISION)
    return found if isinstance(found, dict) else None


async def send(client: Client, recipient: str, about: str) -> None:
    """Send a mail; if that isn't permitted, leave it as a draft for a person, with the reason."""
    mail = {"to": [recipient], "subject": about, "body": QUOTE}
    refused = decision(await client.call_tool("mail__send_email", mail))
    if refused is None:
        print(f"sent to {recipient}")
        return
    print(f"not sent to {recipient}: {refused['reason']}: {refused['advice']}")
    if refused["kind"] == "denied":  # asking again would get the same answer
        await draft(client, mail, refused)


async def draft(client: Client, mail: dict[str, Any], refused: dict[str, Any]) -> None:
    """Write the mail down where a person finds it."""
    text = f"To: {mail['to'][0]}\nNot sent: {refused['advice']} Ask the guard: {refused['entry']}\n\n{mail['body']}\n"
    note = {"path": str(STATE / "files" / "root" / "notes" / "draft.md"), "content": text}
    written = await client.call_tool("files__write_file", note)
    print("left as notes/draft.md" if not written.is_error else "not written down either")


async def main() -> None:
    """Do the errand in a new household."""
    shutil.rmtree(STATE, ignore_errors=True)
    guard = StdioServerParameters(
        command="mcp-guard",
        args=["run", "--config", "guard.yaml"],
        cwd=HERE,
        env={"PATH": os.environ["PATH"], "MCP_GUARD_STATE": str(STATE / "guard")},  # each run keeps its own record
    )
    async with Client(guard) as client:
        listed = await client.list_tools()
        print("sees:", ", ".join(sorted(tool.name for tool in listed.tools)))
        found = await client.call_tool("mail__search", {"query": "heating quote"})
        for email in (found.structured_content or {})["emails"]:
            print(f"answers {email['sender']}: {email['subject']}")
            await send(client, email["sender"], f"Re: {email['subject']}")
        await send(client, SUPPLIER, "Your quote")


if __name__ == "__main__":
    asyncio.run(main())
