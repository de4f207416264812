"""The fixture server in memory: what the suite relies on, checked without Node, in both eras."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, InputRequiredResult

from tests.fidelity.fixture.server import build

LEGACY, MODERN = "legacy", "2026-07-28"
BOTH = pytest.mark.parametrize("mode", [LEGACY, MODERN])


async def accept(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    assert isinstance(params, ElicitRequestFormParams)
    return ElicitResult(action="accept", content=dict.fromkeys(params.requested_schema["properties"], "iris"))


def client(mode: Any, **settings: Any) -> Client:
    return Client(build(), mode=mode, **settings)


async def said(result: CallToolResult) -> str:
    block = result.content[0]
    assert block.type == "text"
    return block.text


@BOTH
async def test_every_listed_tool_and_prompt_has_a_name_and_a_description(mode: str) -> None:
    async with client(mode) as session:
        tools, prompts = (await session.list_tools()).tools, (await session.list_prompts()).prompts
    assert len({tool.name for tool in tools}) == len(tools) >= 28
    assert all(tool.description for tool in tools) and all(prompt.description for prompt in prompts)


@BOTH
async def test_each_kind_of_content_comes_as_the_scenarios_want_it(mode: str) -> None:
    async with client(mode) as session:
        mixed = await session.call_tool("test_multiple_content_types", {})
        sound = await session.call_tool("test_audio_content", {})
        wrong = await session.call_tool("test_error_handling", {})
    assert [block.type for block in mixed.content] == ["text", "image", "resource"]
    assert [block.type for block in sound.content] == ["audio"]
    assert wrong.is_error


@BOTH
async def test_an_unknown_resource_is_an_error_that_names_it(mode: str) -> None:
    async with client(mode) as session:
        with pytest.raises(MCPError) as caught:
            await session.read_resource("test://nowhere")
    assert caught.value.error.data == {"uri": "test://nowhere"}


async def test_a_legacy_tool_asks_the_person_while_it_is_called() -> None:
    async with client(LEGACY, elicitation_callback=accept) as session:
        result = await session.call_tool("test_elicitation", {"message": "Who?"})
    assert "accept" in await said(result)
    assert "iris" in await said(result)


async def test_a_modern_tool_asks_in_its_answer_and_goes_on_with_the_response() -> None:
    async with client(MODERN, elicitation_callback=accept) as session:
        result = await session.call_tool("test_input_required_result_multi_round", {})
    assert await said(result) == "both steps are answered"


async def test_a_state_that_was_changed_on_the_way_is_refused() -> None:
    name = "test_input_required_result_tampered_state"
    async with client(MODERN, elicitation_callback=accept) as session:
        first = await session.session.call_tool(name, {}, allow_input_required=True)
        assert isinstance(first, InputRequiredResult) and first.request_state
        with pytest.raises(MCPError):
            await session.session.call_tool(
                name,
                {},
                input_responses={"confirm": ElicitResult(action="accept", content={"ok": True})},
                request_state=first.request_state + "x",
                allow_input_required=True,
            )


async def test_a_tool_that_needs_sampling_says_so_to_a_client_without_it() -> None:
    async with client(MODERN) as session:
        with pytest.raises(MCPError) as caught:
            await session.call_tool("test_missing_capability", {})
    assert caught.value.error.data == {"requiredCapabilities": {"sampling": {}}}
