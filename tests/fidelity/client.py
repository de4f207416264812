"""The client that the suite starts for its client scenarios: an SDK client, directly or through a guard.

The suite appends the address of its own server, and names the scenario in the environment. With `--guarded`, a guard
stands between, which reaches that server over HTTP: the scenarios then look at what the guard sends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, Tool

from tests.fidelity.processes import NotStarted
from tests.fidelity.routes import POLICY, Place

LEGACY = "2025-11-25"


async def elicited(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """A person who accepts every question, with its defaults; without any, with yes."""
    schema = params.requested_schema if isinstance(params, ElicitRequestFormParams) else {}
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    content = {name: described.get("default", True) for name, described in properties.items()}
    return ElicitResult(action="accept", content=content)


async def attempt(call: Awaitable[object]) -> None:
    """Do one thing; when it is refused, say so and go on: what reached the suite's server is what counts."""
    try:
        await call
    except (MCPError, RuntimeError, ValueError) as failure:
        print(f"{type(failure).__name__}: {failure}", file=sys.stderr)


async def only_list(client: Client, tools: list[Tool]) -> None:
    """Scenarios that look at what a client does until it knows the tools."""


async def call_all(client: Client, tools: list[Tool]) -> None:
    """Call each tool that was listed, with something for each argument that it needs."""
    for tool in tools:
        needed = tool.input_schema.get("required", [])
        await attempt(client.call_tool(tool.name, dict.fromkeys(needed, "us-west1")))


async def add(client: Client, tools: list[Tool]) -> None:
    await attempt(client.call_tool("add_numbers", {"a": 5, "b": 3}))


async def call_as_told(client: Client, tools: list[Tool]) -> None:
    """The calls that the suite asks for, with their arguments."""
    for call in json.loads(os.environ["MCP_CONFORMANCE_CONTEXT"])["toolCalls"]:
        await attempt(client.call_tool(call["name"], call["arguments"]))


async def use_everything(client: Client, tools: list[Tool]) -> None:
    """A request of each kind."""
    await call_all(client, tools)
    await attempt(read_first(client))
    await attempt(prompt_first(client))


async def read_first(client: Client) -> None:
    for resource in (await client.list_resources()).resources[:1]:
        await client.read_resource(str(resource.uri))


async def prompt_first(client: Client) -> None:
    for prompt in (await client.list_prompts()).prompts[:1]:
        await client.get_prompt(prompt.name)


async def echo_schema(client: Client, tools: list[Tool]) -> None:
    """Send the schema of one tool back as it arrived."""
    for tool in tools:
        if tool.name == "json_schema_2020_12_tool":
            await attempt(client.call_tool("json_schema_echo", {"schema": tool.input_schema}))


SCENARIOS: dict[str, Callable[[Client, list[Tool]], Awaitable[None]]] = {
    "initialize": only_list,
    "tools_call": add,
    "elicitation-sep1034-client-defaults": call_all,
    "sse-retry": call_all,
    "request-metadata": only_list,
    "sep-2322-client-request-state": call_all,
    "http-standard-headers": use_everything,
    "http-custom-headers": call_as_told,
    "http-invalid-tool-headers": call_all,
    "json-schema-ref-no-deref": only_list,
    "json-schema-2020-12-preservation": echo_schema,
}


async def run(url: str, scenario: str, revision: str) -> None:
    """Connect in the era of `revision`, list the tools, and do what the scenario is about."""
    mode = "legacy" if revision <= LEGACY else "auto"
    async with Client(url, mode=mode, elicitation_callback=elicited) as client:
        await SCENARIOS[scenario](client, (await client.list_tools()).tools)


def main() -> int:
    """Run the scenario that the environment names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guarded", action="store_true")
    parser.add_argument("--policy", type=Path, default=POLICY)
    parser.add_argument("url")
    given = parser.parse_args()
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    revision = os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"]
    if not given.guarded:
        anyio.run(run, given.url, scenario, revision)
        return 0
    with tempfile.TemporaryDirectory() as directory:
        try:
            with Place(Path(directory), given.policy).guard_of(given.url) as url:
                anyio.run(run, url, scenario, revision)
        except NotStarted as refusal:
            print(refusal, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
