"""A suite as an MCP server on stdio: lists its tools with their schemas, and executes calls in an environment.

One thread and the handshake era only, which is what the guard falls back to. It holds no opinion: every call that
arrives is carried out and written down. An error of a tool is a result with `isError`.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from benchmarks.alignment import suites
from benchmarks.alignment.control import Control
from benchmarks.alignment.suites import Step

REVISIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602
Message = dict[str, Any]


def serve(control: Control, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer line by line until the client closes its end."""
    for line in requests:
        message = json.loads(line)
        if "id" in message and "method" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], **_answer(control, message)}
            answers.write(json.dumps(answer).encode() + b"\n")
            answers.flush()


def _answer(control: Control, message: Message) -> Message:
    params = message.get("params") or {}
    match message["method"]:
        case "initialize":
            return {"result": _hello(control, params)}
        case "ping":
            return {"result": {}}
        case "tools/list":
            return {"result": {"tools": suites.tools(control.suite)}}
        case "tools/call":
            return _call(control, params)
        case _:
            return {"error": {"code": METHOD_NOT_FOUND, "message": "Method not found"}}


def _hello(control: Control, params: Message) -> Message:
    asked = params.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in REVISIONS else REVISIONS[0],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": control.suite, "version": suites.VERSION},
    }


def _call(control: Control, params: Message) -> Message:
    name, arguments = params.get("name"), params.get("arguments", {})
    known = {tool["name"] for tool in suites.tools(control.suite)}
    if not isinstance(name, str) or name not in known or not isinstance(arguments, dict):
        return {"error": {"code": INVALID_PARAMS, "message": f"Unknown tool: {name}"}}
    text, error = control.execute(Step(name, arguments))
    return {"result": {"content": [{"type": "text", "text": error or text}], "isError": error is not None}}
