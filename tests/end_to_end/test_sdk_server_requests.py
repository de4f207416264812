"""The SDK's client before the SDK's server, with the guard between: questions of several rounds, and changes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestParams, ElicitResult

from tests.end_to_end.test_server_requests import Person, connected
from tests.guards import Stand
from tests.patience import PATIENCE

SERVER = [sys.executable, str(Path(__file__).parents[1] / "fixtures" / "sdk_asking_server.py")]
POLICY = """\
version: 1
grants:
  - {id: t, tool: [raw/order, raw/touch], args: any}
  - {id: r, resource: {server: raw, uri: "note://one"}}
  - {id: ask, server_requests: {server: raw, allow: [elicitation]}, budget: {calls: 2}}
"""
# Over HTTP a server has three seconds to say that it is modern, which the SDK's doesn't keep on a busy machine; there
# `test_server_requests.py` has a quicker one.
PAIRS = pytest.mark.parametrize(("front", "mode"), [("stdio", "legacy"), ("stdio", "2026-07-28"), ("http", "legacy")])


class Customer(Person):
    """Says who they are, and that they are sure."""

    async def answer(self, _: Any, params: ElicitRequestParams) -> ElicitResult:
        self.read.append(params.message)
        return ElicitResult(action="accept", content={"sure": True} if "Sure" in params.message else {"name": "Ada"})


@PAIRS
async def test_a_call_with_two_questions_comes_to_its_end(tmp_path: Path, front: str, mode: str) -> None:
    stand, person = Stand(tmp_path, POLICY), Customer()
    async with connected(stand, front, person, mode, server=SERVER) as client:
        prefix = "" if front == "stdio" else "raw__"
        with anyio.fail_after(PATIENCE):
            await client.list_tools()
            result = await client.call_tool(f"{prefix}order", {"what": "tea"})
            assert result.content[0].text == "tea for Ada, sure"  # type: ignore[union-attr]
            if mode == "legacy":  # the budget of questions is spent: the server fails, as it isn't let ask
                with pytest.raises(MCPError, match="The client is not asked"):
                    await client.call_tool(f"{prefix}order", {"what": "tea"})
            else:  # or its answer with the question is withheld
                assert (await client.call_tool(f"{prefix}order", {"what": "tea"})).is_error
    assert person.read == ["[raw] Who orders?", "[raw] Sure, Ada?"]
    asked = [row for row in stand.rows() if row.method == "elicitation/create" and row.effect == "allow"]
    assert [row.outcome for row in asked] == ["ok", "ok"]
    assert stand.verified() == []


async def test_a_changed_resource_is_told_on_the_stream_that_asked_for_it(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with connected(stand, "stdio", Customer(), "2026-07-28", server=SERVER) as client:
        with anyio.fail_after(PATIENCE):
            async with client.listen(resource_subscriptions=["note://one", "note://two"]) as stream:
                assert stream.honored.resource_subscriptions == ["note://one"]
                await client.call_tool("touch", {})
                async for event in stream:
                    assert "note://one" in repr(event)
                    break
