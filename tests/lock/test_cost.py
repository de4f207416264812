"""What it costs to hold a listing against its pins, in time of the processor: other programs don't count."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from mcp_guard import pinning
from mcp_guard.lock.pins import PinKind
from mcp_guard.server_spec import ServerSpec
from tests.guards import Scene

SPEC = ServerSpec("s", ("server",))


def tool(number: int) -> dict[str, Any]:
    arguments = {f"argument_{n}": {"type": "string", "description": "What it is for. " * 3} for n in range(6)}
    schema = {"type": "object", "properties": arguments, "required": ["argument_0"]}
    return {"name": f"tool_{number}", "description": f"The tool {number}. " * 30, "inputSchema": schema}


def test_a_listing_of_a_thousand_tools_that_are_what_they_were_takes_milliseconds(tmp_path: Path) -> None:
    """Measured: some 50 ms when they are first seen, some 7 ms from then on; allowed is several times as much."""
    tools = [tool(number) for number in range(1000)]
    with Scene(tmp_path) as scene:
        took = []
        for _ in range(3):
            begun = time.process_time()
            assert pinning.held(scene.guard, SPEC, PinKind.TOOL, tools) == ()
            took.append(time.process_time() - begun)
    assert took[0] < 0.25 and min(took[1:]) < 0.05
