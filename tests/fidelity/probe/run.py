"""Runs the probe through one proxy, in one revision: begins the conversation, then looks at each feature."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.fidelity.probe.features import FEATURES, LEGACY, MODERN, PATIENCE, Feature, Talk, Verdict
from tests.fidelity.probe.wires import PREFIX, HttpWire, Message, Wire
from tests.fixtures.client import Gone, RawClient

NOT_SERVED = "not served"
"""What a proxy has for every feature of a revision that it doesn't speak."""
START = 20.0
CLIENT = {"name": "probe-client", "version": "1"}
CAPABILITIES: dict[str, Any] = {"elicitation": {}, "sampling": {}, "roots": {"listChanged": True}}


class StdioWire(RawClient):
    """The raw client of the tests, as a wire."""

    def last_id(self) -> Any:
        return self._last_id


@dataclass(frozen=True)
class Reached:
    """How a proxy is reached: by starting a command, or at an address."""

    command: Sequence[str] = ()
    url: str = ""
    environment: Mapping[str, str] | None = None

    @asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        if self.url:
            async with HttpWire(self.url) as http:
                yield http
        else:
            async with StdioWire(self.command, env=self.environment, timeout=PATIENCE) as stdio:
                yield stdio


async def probe(reached: Reached, revision: str, features: Sequence[Feature] = FEATURES) -> dict[str, str]:
    """A verdict for each feature that the revision has. What breaks a conversation doesn't break the next feature."""
    left = [feature for feature in features if revision in feature.revisions]
    found: dict[str, str] = {}
    while left:
        async with reached.wire() as wire:
            hello = await _begin(wire, revision)
            if hello is None and not found:
                return dict.fromkeys((feature.name for feature in left), NOT_SERVED)
            talk = Talk(wire, revision, hello or {})
            while left:
                feature = left.pop(0)
                wire.received.clear()
                try:
                    found[feature.name] = await feature.look(talk)
                except (TimeoutError, Gone, ConnectionError):
                    found[feature.name] = Verdict.LOST
                    break
    return found


async def probe_twice(reached: Reached, revision: str, features: Sequence[Feature] = FEATURES) -> dict[str, str]:
    """As `probe`; what didn't arrive is looked at once more, and the better verdict counts: nobody else's proxy is to
    look worse than it is because this machine was busy.
    """
    found = await probe(reached, revision, features)
    doubtful = [one for one in features if found.get(one.name) in (Verdict.LOST, NOT_SERVED)]
    again = await probe(reached, revision, doubtful) if doubtful else {}
    return found | {name: verdict for name, verdict in again.items() if verdict in (Verdict.KEPT, Verdict.CHANGED)}


async def _begin(wire: Wire, revision: str) -> Message | None:
    """The server's answer to the client's first message; None if the revision isn't spoken."""
    params: Message = {}
    if revision == MODERN:
        wire.meta = {
            PREFIX + "protocolVersion": MODERN,
            PREFIX + "clientCapabilities": CAPABILITIES,
            PREFIX + "clientInfo": CLIENT,
        }
    else:
        params = {"protocolVersion": LEGACY, "capabilities": CAPABILITIES, "clientInfo": CLIENT}
    try:
        async with asyncio.timeout(START):
            answer = await (await wire.start("server/discover" if revision == MODERN else "initialize", params))
    except (TimeoutError, Gone, ConnectionError):
        return None
    hello: Message | None = answer.get("result")
    if hello is None or (revision == MODERN and MODERN not in hello.get("supportedVersions", [])):
        return None
    if revision == LEGACY:
        if isinstance(wire, HttpWire):
            wire.headers["mcp-protocol-version"] = str(hello.get("protocolVersion", LEGACY))
        await wire.notify("notifications/initialized")
        if isinstance(wire, HttpWire):
            wire.listen()
    return hello
