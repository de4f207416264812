"""An agent that reaches its tools over HTTP, with the token of whoever it works for.

`python http_agent.py URL TOKEN_VARIABLE`: looks at the account, and pays the dentist if it is let.
"""

from __future__ import annotations

import asyncio
import os
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

INVOICE = {"recipient": "NL66TEST0334455667", "amount": 35.0, "subject": "Invoice 2208"}


async def main(url: str, token: str) -> None:
    """One errand, over one connection."""
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60) as http:
        refused = (await http.get(url)).status_code == httpx2.codes.UNAUTHORIZED
        if refused:
            print("not let in: this token isn't the one for this address")
            return
        async with Client(streamable_http_client(url, http_client=http)) as client:
            listed = await client.list_tools()
            names = sorted(tool.name for tool in listed.tools)
            print("sees:", ", ".join(names))
            balance = await client.call_tool("bank__balance", {})
            print("balance:", (balance.structured_content or {})["balance"])
            if "bank__transfer_money" in names:
                paid = await client.call_tool("bank__transfer_money", INVOICE)
                print("paid" if not paid.is_error else f"not paid: {getattr(paid.content[0], 'text', '')}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], os.environ[sys.argv[2]]))
