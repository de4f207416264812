"""Real guards, terminals and consoles: a stop ends what is under way, and documents that change meanwhile count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from mcp_guard.approvals import answering
from mcp_guard.model import By
from mcp_guard.presence import secret
from tests.console.process import Browser, console
from tests.fixtures.client import RpcError
from tests.guards import Stand, decision_in
from tests.patience import PATIENCE
from tests.presence.person import PIN, at_a_terminal, in_a_shell

ALL = 'version: 1\ngrants: [{id: all, tool: "raw/*", args: any}]\n'
ASKING = "version: 1\ngrants: [{id: say, tool: raw/echo, args: {text: any}, ask: true}]\n"
STOPPED = [("everything", ""), ("server", "raw"), ("effect", "egress"), ("session", "")]


async def until(true: Callable[[], object]) -> None:
    with anyio.fail_after(PATIENCE):
        while not true():
            await anyio.sleep(0.02)


class Terminal:
    """Stops, and lets go on, by commands."""

    def __init__(self, stand: Stand) -> None:
        self.state = stand.state

    def stop(self, kind: str, name: str) -> bool:
        return in_a_shell(self.state, "stop", *self._scope(kind, name)).returncode == 0

    def undo(self, kind: str, name: str, pin: str) -> bool:
        return at_a_terminal(self.state, "stop", *self._scope(kind, name), "--undo", types=(pin,))[0] == 0

    def _scope(self, kind: str, name: str) -> list[str]:
        return [f"--{kind}", name] if name else []


class Page:
    """The same, by the console's forms."""

    def __init__(self, link: str) -> None:
        self.browser = Browser(link)

    def stop(self, kind: str, name: str) -> bool:
        return self.browser.post("/now/stop", kind=kind, name=name) == 303

    def undo(self, kind: str, name: str, pin: str) -> bool:
        return self.browser.post("/now/resume", scope=f"{kind}:{name}" if name else kind, pin=pin) == 303


@pytest.mark.parametrize(("where", "scopes"), [("a terminal", STOPPED[-2:]), ("the console", STOPPED)])
async def test_a_stop_ends_what_is_under_way_and_holds_until_the_pin_undoes_it(
    tmp_path: Path, where: str, scopes: list[tuple[str, str]]
) -> None:
    stand = Stand(tmp_path, ALL)
    secret.keep(stand.state, PIN)
    async with stand.wrap() as client:
        await client.initialize()
        await client.call("echo", {"text": "x"})
        session = next(row.session for row in stand.rows() if row.method == "tools/call")
        with console(stand.state) as link:
            person = Terminal(stand) if where == "a terminal" else Page(link)
            for number, (kind, name) in enumerate(scopes):
                scope = kind, session if kind == "session" else name
                sent = await client.start("tools/call", {"name": "slow", "arguments": {}})
                await until(lambda: stand.trace("tools/call")[-1]["params"]["name"] == "slow")
                assert person.stop(*scope)
                with pytest.raises(RpcError, match="A person has stopped this") as ended:
                    await client.result(sent)
                assert decision_in(ended.value.error)["kind"] == "unknown"
                await until(lambda told=number + 1: len(stand.trace("notifications/cancelled")) == told)  # type: ignore[misc]
                assert decision_in(await client.call("echo", {"text": "x"}))["reason"] == "stopped"
                assert number or not person.undo(*scope, "a-guess-1")
                assert person.undo(*scope, PIN)
                assert not (await client.call("echo", {"text": "x"})).get("isError")
    assert [row.outcome for row in stand.decisions() if row.target == "slow"] == ["cancelled"] * len(scopes)
    assert stand.verified() == []


async def test_a_yes_that_is_given_after_a_running_guard_has_taken_up_a_deny_carries_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path, ASKING)
    async with stand.wrap() as client:
        await client.initialize()
        sent = await client.start("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        await until(lambda: any(row.effect == "ask" for row in stand.rows()))
        stand.policy_file.write_text(ASKING + "deny: [{id: never, tool: raw/echo}]\n")
        await until(lambda: "proved narrower" in client.stderr)
        with answering.at(stand.state) as desk:
            desk.approve(desk.waiting()[0], "a test", By.PERSON)
        refused = decision_in(await client.result(sent))
        assert (refused["kind"], refused["rule"]) == ("denied", "never")
    assert stand.ledger() == []
    assert stand.verified() == []
