"""The probe server: says odd things on stdio, exactly as they stand in `odd.py`, and remembers what reached it.

Raw JSON lines, one thread, no SDK: nothing here could drop a field on its own.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.fidelity.probe import odd

MODERN = "2026-07-28"
REVISION = "io.modelcontextprotocol/protocolVersion"
SERVER = {"name": "probe", "version": "1", "title": "Probe", "x-vendor": 1}
CAPABILITIES: dict[str, Any] = {
    "tools": {"listChanged": True},
    "prompts": {},
    "resources": {"subscribe": True},
    "completions": {},
    "logging": {},
}
CACHED = {"ttlMs": 7, "cacheScope": "public"}
HALF = len(odd.NAMES) // 2


class Probe:
    """One connection."""

    def __init__(self) -> None:
        self.hanging: list[Any] = []
        self.cancelled = 0
        self.asked: dict[Any, Any] = {}  # our request's id -> the call that waits for its answer
        self.last = 0

    def send(self, message: dict[str, Any], about: Any = None) -> None:
        """Send a message; one that is no answer may be `about` a request of the client's, by its id."""
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()

    def take(self, message: dict[str, Any]) -> None:
        """One message of the client."""
        method, params = message.get("method"), message.get("params") or {}
        if method is None:
            call = self.asked.pop(message.get("id"), None)
            if call is not None:
                self.say(call, {"got": message.get("result", {"error": message.get("error")})})
        elif "id" not in message:
            if method == "notifications/cancelled" and params.get("requestId") in self.hanging:
                self.cancelled += 1
        elif method == "tools/call":
            self.call(message["id"], params)
        else:
            self.answer(message["id"], method, params)

    def answer(self, request: Any, method: str, params: dict[str, Any]) -> None:
        modern = REVISION in (params.get("_meta") or {})
        result = self.result(method, params)
        if result is None:
            self.send({"id": request, "error": {"code": -32601, "message": "Method not found"}})
            return
        if modern:
            cacheable = method.endswith(("list", "read", "discover"))
            result = {**result, "resultType": "complete", **(CACHED if cacheable else {})}
        self.send({"id": request, "result": result})

    def result(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        hello: dict[str, Any] = {"capabilities": CAPABILITIES, "instructions": odd.INSTRUCTIONS, "x-vendor": 1}
        first = params.get("cursor") is None
        tools = [odd.descriptor(name) for name in (odd.NAMES[:HALF] if first else odd.NAMES[HALF:])]
        answers: dict[str, dict[str, Any]] = {
            "initialize": {**hello, "protocolVersion": params.get("protocolVersion"), "serverInfo": SERVER},
            "server/discover": {
                **hello,
                "supportedVersions": [MODERN],
                "_meta": {"io.modelcontextprotocol/serverInfo": SERVER},
            },
            "ping": {},
            "logging/setLevel": {},
            "resources/subscribe": {},
            "tools/list": {"tools": tools, "x-vendor": 1} | ({"nextCursor": "rest"} if first else {}),
            "prompts/list": {"prompts": [odd.PROMPT]},
            "prompts/get": {"messages": [odd.MESSAGE], "description": "asks", "x-vendor": 1},
            "resources/list": {"resources": [odd.RESOURCE]},
            "resources/templates/list": {"resourceTemplates": [odd.TEMPLATE]},
            "resources/read": {"contents": [odd.CONTENT], "x-vendor": 1},
            "completion/complete": {"completion": odd.COMPLETION, "x-vendor": 1},
        }
        return answers.get(method)

    def say(self, request: Any, said: dict[str, Any]) -> None:
        """A tool's answer that holds data for the client to look at."""
        text = json.dumps(said)
        self.send({"id": request, "result": {"content": [{"type": "text", "text": text}], "resultType": "complete"}})

    def call(self, request: Any, params: dict[str, Any]) -> None:
        name, arguments = params.get("name"), params.get("arguments") or {}
        token = (params.get("_meta") or {}).get("progressToken")
        if name in odd.RESULTS:
            self.send({"id": request, "result": {"resultType": "complete", **odd.RESULTS[name]}})
        elif name == "error":
            self.send({"id": request, "error": odd.ERROR})
        elif name == "hang":
            self.hanging.append(request)
        elif name == "ask":
            self.ask(request, arguments["method"])
        elif name == "rounds" and "inputResponses" not in params:
            state: dict[str, Any] = {"inputRequests": odd.ASKS, "requestState": odd.STATE}
            self.send({"id": request, "result": {"resultType": "input_required"} | state})
        else:
            self.tell(request, name, token)
            self.say(request, {"params": params, "hanging": len(self.hanging), "cancelled": self.cancelled})

    def tell(self, request: Any, name: Any, token: Any) -> None:
        """What some tools say before they answer."""
        if name == "steps" and token is not None:
            for step in odd.PROGRESS:
                self.send({"method": "notifications/progress", "params": {"progressToken": token} | step}, request)
        elif name == "log":
            self.send({"method": "notifications/message", "params": odd.LOG}, request)
        elif name == "change":
            self.send({"method": "notifications/tools/list_changed"})
            self.send({"method": "notifications/resources/updated", "params": {"uri": "odd://one", "x-vendor": 1}})

    def ask(self, call: Any, method: str) -> None:
        self.last += 1
        request = f"ask-{self.last}"
        self.asked[request] = call
        self.send({"id": request, "method": method, "params": odd.QUESTIONS[method]}, call)


def main() -> None:
    """Serve until the input ends."""
    probe = Probe()
    for line in sys.stdin:
        probe.take(json.loads(line))


if __name__ == "__main__":
    main()
