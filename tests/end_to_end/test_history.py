"""One history for all guards of a client: real processes, restarted, killed, and with a new beginning."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.record.store import Record
from tests.fixtures.client import RawClient
from tests.guards import Stand, decision_in

POLICY = """\
version: 1
tools:
  files/*: {gives: [noted]}
  web/echo: {effect: read, gives: untrusted}
  files/echo: {effect: read}
  files/add: {effect: egress}
grants:
  - {id: all, tool: [web/echo, files/echo, files/add], args: any}
deny:
  - {id: no-tainted-egress, effect: egress, when: {labels: [untrusted]}}
  - {id: noted-is-closed, tool: files/nothing, when: {labels: [noted]}}
"""


class Two(Stand):
    """Two servers of one client, each behind a guard process of its own."""

    def guard(self, name: str, mandate: str | None = None) -> RawClient:
        words = ["wrap", "--name", name, "--policy", str(self.policy_file), *self._mandate(mandate)]
        return self.client([*words, "--", *self.server(name)])


@pytest.mark.parametrize("killed", [False, True])
async def test_what_one_guard_let_in_closes_what_another_one_lets_out_also_after_a_restart(
    tmp_path: Path, killed: bool
) -> None:
    stand = Two(tmp_path, POLICY)
    number = {"a": 1, "b": 2}
    async with stand.guard("web") as web, stand.guard("files") as files:
        for client in (web, files):
            await client.initialize()
        assert "isError" not in await files.call("add", number)
        await web.call("echo", {"text": "a page"})
        refused = await files.call("add", number)
        assert decision_in(refused)["rule"] == "no-tainted-egress"
        assert "isError" not in await files.call("echo", {"text": "reading goes on"})
        if killed:
            web.kill()
            files.kill()
    async with stand.guard("files") as again:
        await again.initialize()
        assert decision_in(await again.call("add", number))["rule"] == "no-tainted-egress"
    assert [call["tool"] for call in stand.ledger("files")] == ["add", "echo"]
    assert stand.verified() == []
    (session,) = {row.session for row in stand.decisions()}
    async with stand.guard(
        "files", 'version: 1\ntask: t\nexpires: 1h\ngrants: [{id: m, tool: "files/*", args: any}]'
    ) as task:
        await task.initialize()
        assert "isError" not in await task.call("add", number), "a mandate has a history of its own"
    with Record.open(stand.state, session=session, clock=lambda: stand.rows()[-1].time) as record:
        assert record.labels(session) == {"untrusted", "noted"}  # the instructions of `files`, as its entry says
        record.renew(session, "local:iris")
    async with stand.guard("files") as anew:
        await anew.initialize()
        assert "isError" not in await anew.call("add", number)
    assert stand.verified() == []
