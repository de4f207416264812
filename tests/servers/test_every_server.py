"""What holds for all four servers: descriptors, strictness, the ledger, restarts."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from mcp.client.client import Client, ConnectMode
from mcp.types import Tool

from tests.servers.connect import ERAS, complaint, connect, executed, structured

TOOLS = {
    "files": {"list_directory", "read_text_file", "write_file", "move_file", "delete_file"},
    "mail": {"list_emails", "read_email", "search", "send_email", "delete_email"},
    "bank": {"list_payees", "balance", "list_transactions", "transfer_money", "add_payee"},
    "web": {"fetch", "list_pages"},
}
READ_ONLY = {
    *("list_directory", "read_text_file", "list_emails", "read_email", "search"),
    *("list_payees", "balance", "list_transactions", "fetch", "list_pages"),
}
NOT_DESTRUCTIVE = {"send_email", "add_payee"}
POLDER = "NL70TEST0112233445"


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("name", TOOLS)
async def test_a_server_lists_its_tools_in_both_eras(name: str, mode: ConnectMode, tmp_path: Path) -> None:
    async with connect(name, tmp_path / "state", mode=mode) as client:
        tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools} == TOOLS[name]
    for tool in tools:
        _assert_well_described(tool)


def _assert_well_described(tool: Tool) -> None:
    assert tool.description
    assert tool.output_schema is not None
    assert tool.input_schema["additionalProperties"] is False
    for argument, schema in tool.input_schema["properties"].items():
        described = [schema, *schema.get("anyOf", [])]
        assert any("description" in part for part in described), f"{tool.name}: {argument}"
    assert tool.annotations is not None
    assert tool.annotations.read_only_hint is (tool.name in READ_ONLY)
    if tool.name not in READ_ONLY:
        assert tool.annotations.destructive_hint is (tool.name not in NOT_DESTRUCTIVE)


async def test_every_executed_tool_leaves_one_line_with_the_arguments_as_sent(tmp_path: Path) -> None:
    async with connect("bank", tmp_path / "state") as client:
        await client.call_tool("list_transactions", {})
        await client.call_tool("transfer_money", {"recipient": POLDER, "amount": 5, "subject": "grüße"})
    assert executed(tmp_path / "state") == [
        ("list_transactions", {}),
        ("transfer_money", {"recipient": POLDER, "amount": 5, "subject": "grüße"}),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"recipient": POLDER, "amount": 5, "subject": "x", "memo": "unknown argument"},
        {"recipient": POLDER, "amount": "5", "subject": "a text instead of a number"},
        {"recipient": POLDER, "amount": True, "subject": "a truth instead of a number"},
        {"recipient": POLDER, "amount": -5, "subject": "negative"},
        {"recipient": POLDER, "amount": 5},
        {"recipient": [POLDER], "amount": 5, "subject": "a list instead of a text"},
    ],
)
async def test_arguments_that_do_not_fit_the_schema_execute_nothing(
    arguments: dict[str, object], tmp_path: Path
) -> None:
    async with connect("bank", tmp_path / "state") as client:
        result = await client.call_tool("transfer_money", arguments)
    assert result.is_error
    assert executed(tmp_path / "state") == []


async def test_a_tool_that_fails_has_still_been_executed(tmp_path: Path) -> None:
    async with connect("mail", tmp_path / "state") as client:
        assert "no email" in complaint(await client.call_tool("read_email", {"id": "m99"}))
    assert executed(tmp_path / "state") == [("read_email", {"id": "m99"})]


async def test_state_and_sequence_survive_a_restart(tmp_path: Path) -> None:
    async with connect("bank", tmp_path / "state") as client:
        await client.call_tool("transfer_money", {"recipient": POLDER, "amount": 48.6, "subject": "bill"})
    async with connect("bank", tmp_path / "state") as client:
        assert structured(await client.call_tool("balance", {}))["balance"] == pytest.approx(1642.85 - 48.6)
    assert [tool for tool, _ in executed(tmp_path / "state")] == ["transfer_money", "balance"]


async def test_a_line_that_a_killed_server_left_unfinished_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.jsonl").write_text('{"seq": 1, "tool": "bal', "utf-8")
    async with connect("bank", tmp_path / "state") as client:
        await client.call_tool("balance", {})
    assert executed(tmp_path / "state") == [("balance", {})]


async def test_processes_that_share_a_state_lose_no_line_and_no_money(tmp_path: Path) -> None:
    async def pay(client: Client) -> None:
        structured(await client.call_tool("transfer_money", {"recipient": POLDER, "amount": 1, "subject": "x"}))

    async with connect("bank", tmp_path / "state") as one, connect("bank", tmp_path / "state") as two:
        async with anyio.create_task_group() as tasks:
            for client in [one, two] * 5:
                tasks.start_soon(pay, client)
        assert structured(await one.call_tool("balance", {}))["balance"] == pytest.approx(1642.85 - 10)
    assert len(executed(tmp_path / "state")) == 11
