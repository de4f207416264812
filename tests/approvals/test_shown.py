"""What a person sees of a question, at a terminal and in the console alike: all that an answer is about, plainly."""

from __future__ import annotations

import html
import re
from pathlib import Path

from click.testing import CliRunner

from mcp_guard.cli.approvals import approvals
from tests.approvals.room import Room
from tests.console.visitor import Visitor
from tests.guards import RecordingDownstream, tool

POLICY = """version: 1
tools:
  bank/pay: {effect: spend, authority: [to]}
  bank/note: {effect: read}
grants:
  - {id: note, tool: bank/note, args: any}
  - id: pay
    tool: bank/pay
    args: {amount: {above: 0, max: 100}, to: {each: {from: [task, {tool: bank/note}]}}, text: any}
    budget: {calls: 5, sum: {amount: 200}, distinct: {to: 3}, per: session}
    rate: 10/m
    ask: true
"""
MANDATE = """version: 1
task: Pay DE02120300000000202051 for the December bill.
expires: 30m
grants:
  - {id: note, tool: bank/note, args: any}
  - {id: bill, tool: bank/pay, args: {amount: {max: 100}, to: any, text: any}}
"""
TEXT = {"type": "string"}
PAY = tool("pay", to={"type": "array"}, amount={"type": "number"}, text=TEXT)
IBAN = "DE02120300000000202051"
SEEN = (
    "Pay DE02120300000000202051 for the December bill.",
    "bank/pay",
    "spend",
    r'"a\\u202eb\\u200b"',
    "what or whom it acts on",
    "to[0]: from the task",
    "not followed: no rule asks where it comes from",
    "at most 100 and more than 0",
    "policy/pay: 1 of its calls (1 of 5 used), 48.6 of amount (60 of 200 used), "
    "to: a value used before (1 of 3 used), per session",
    "policy/pay: 1 of its calls (1 of 10 used), per 60 s",
    "bank/note",
    "amount: another value",
)


async def test_terminal_and_console_show_all_that_an_answer_is_about(tmp_path: Path) -> None:
    server = RecordingDownstream("bank", tools=[PAY, tool("note", text=TEXT)])
    room = Room(tmp_path, POLICY, mandate=MANDATE, servers=[server], wait=0.01)
    first = {"to": [IBAN], "amount": 60, "text": "a\u202eb\u200b"}
    await room.scene.call("pay", first)
    room.approve()
    assert not (await room.scene.call("pay", first))["result"].get("isError")
    await room.scene.call("note", {"text": "x"})
    await room.scene.call("pay", {**first, "amount": 48.6})
    (one,) = room.waiting()
    words = ["show", one.entry, "--state", str(room.directory)]
    terminal = CliRunner().invoke(approvals, words).stdout
    page = (await (await Visitor(room.directory).log_in()).get(f"/approvals/{one.entry}")).text
    console = html.unescape(re.sub(r"<[^>]*>", "", page))
    for fact in SEEN:
        assert re.search(fact if fact.startswith('"') else re.escape(fact), terminal), (fact, terminal)
        assert re.search(fact if fact.startswith('"') else re.escape(fact), console), (fact, console)
    for text in (terminal, page):
        assert all(char.isprintable() or char == "\n" for char in text)
