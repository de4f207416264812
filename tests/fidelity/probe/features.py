"""What the probe looks at: one thing each, asked for through a proxy and held against what the server said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.fidelity.probe import odd
from tests.fidelity.probe.wires import PREFIX, Message, Wire

PATIENCE = 4.0
"""Seconds for one answer, or for one notification that may be on its way."""

LEGACY, MODERN = "2025-11-25", "2026-07-28"
BOTH = (LEGACY, MODERN)
MISSING = object()


class Verdict(StrEnum):
    """What became of it."""

    KEPT = "kept"
    CHANGED = "changed"
    LOST = "lost"


@dataclass
class Talk:
    """A conversation that has begun."""

    wire: Wire
    revision: str
    hello: Message

    async def whole(self, method: str, params: Message | None = None) -> Message:
        """The whole answer, result or error; an empty one where none came in time."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await (await self.wire.start(method, params))
        except (TimeoutError, ConnectionError):
            return {}

    async def ask(self, method: str, params: Message | None = None) -> Message:
        """The result; empty for an error."""
        result: Message = (await self.whole(method, params)).get("result") or {}
        return result

    async def call(self, name: str, arguments: Message | None = None, **beside: Any) -> Message:
        return await self.ask("tools/call", {"name": name, "arguments": arguments or {}, **beside})

    async def told(self, name: str, arguments: Message | None = None, **beside: Any) -> Message:
        """What the server says of a call in the text of its answer."""
        result = await self.call(name, arguments, **beside)
        try:
            told: Message = json.loads(result["content"][0]["text"])
        except (LookupError, TypeError, ValueError):
            return {}
        return told

    async def heard(self, method: str, count: int = 1) -> list[Message]:
        """The params of notifications of this kind, once there are so many of them or it took too long."""
        async with asyncio.timeout(PATIENCE + 1):
            for _ in range(int(PATIENCE / 0.02)):
                found = [message.get("params", {}) for message in self.wire.received if message.get("method") == method]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.02)
        return found

    async def tools(self) -> list[Message]:
        """Every tool, over all pages."""
        found, params = [], Message()
        for _ in range(10):
            page = await self.ask("tools/list", params)
            found += page.get("tools", [])
            if page.get("nextCursor") is None:
                break
            params = {"cursor": page["nextCursor"]}
        return found


def same(got: Any, said: Any) -> Verdict:
    """Equal as JSON: a 1 is no 1.0, and null is not nothing."""
    if got is MISSING:
        return Verdict.LOST
    equal = json.dumps(got, sort_keys=True) == json.dumps(said, sort_keys=True)
    return Verdict.KEPT if equal else Verdict.CHANGED


def members(got: Any, said: Message, *names: str) -> Verdict:
    """The worst of some members."""
    holder = got if isinstance(got, dict) else {}
    verdicts = [same(holder.get(name, MISSING), said[name]) for name in names]
    return max(verdicts, key=list(Verdict).index)


Look = Callable[[Talk], Awaitable[Verdict]]


@dataclass(frozen=True)
class Feature:
    """One row of the scorecard."""

    name: str
    look: Look
    revisions: tuple[str, ...] = BOTH


def result(tool: str, *names: str) -> Look:
    """Members of a tool's result."""

    async def look(talk: Talk) -> Verdict:
        said = odd.RESULTS[tool]
        return members(await talk.call(tool), said, *(names or said))

    return look


def meta(tool: str) -> Look:
    """The server's own key in a result's `_meta`; beside it, others may have theirs."""

    async def look(talk: Talk) -> Verdict:
        got = (await talk.call(tool)).get("_meta")
        return members(got, odd.RESULTS[tool]["_meta"], odd.VENDOR)

    return look


def listed(*names: str) -> Look:
    """Members of the descriptor that has everything."""

    async def look(talk: Talk) -> Verdict:
        said = odd.descriptor("structured")
        found = next((tool for tool in await talk.tools() if tool.get("name") == "structured"), {})
        return members(found, said, *names)

    return look


def item(method: str, key: str, said: Message, params: Message | None = None) -> Look:
    """The first item of a listing, or of what is read."""

    async def look(talk: Talk) -> Verdict:
        got = (await talk.ask(method, params)).get(key)
        return same(got[0] if isinstance(got, list) and got else MISSING, said)

    return look


async def all_pages(talk: Talk) -> Verdict:
    names = {tool.get("name") for tool in await talk.tools()}
    return Verdict.KEPT if names >= set(odd.NAMES) else Verdict.LOST


async def null_member(talk: Talk) -> Verdict:
    return members(await talk.call("nulls"), odd.RESULTS["nulls"], "x-null")


async def error(talk: Talk) -> Verdict:
    whole = await talk.whole("tools/call", {"name": "error", "arguments": {}})
    return same(whole.get("error", MISSING), odd.ERROR)


async def arguments(talk: Talk) -> Verdict:
    sent: Message = {"null": None, "many": odd.MANY, "whole": 1.0, "text": "\u2028\U0001f600", "deep": {"a": [[{}]]}}
    told = await talk.told("echo", sent)
    return same(told.get("params", {}).get("arguments", MISSING), sent)


async def request_meta(talk: Talk) -> Verdict:
    told = await talk.told("echo", {}, _meta={odd.VENDOR: {"a": None}})
    return members(told.get("params", {}).get("_meta"), {odd.VENDOR: {"a": None}}, odd.VENDOR)


async def instructions(talk: Talk) -> Verdict:
    return same(talk.hello.get("instructions", MISSING), odd.INSTRUCTIONS)


async def completion(talk: Talk) -> Verdict:
    params = {"ref": {"type": "ref/prompt", "name": "ask"}, "argument": {"name": "who", "value": "o"}}
    return same((await talk.ask("completion/complete", params)).get("completion", MISSING), odd.COMPLETION)


async def progress(talk: Talk) -> Verdict:
    await talk.call("steps", _meta={"progressToken": "mine"})
    got = [params for params in await talk.heard("notifications/progress", 3) if params.get("progressToken") == "mine"]
    plain = [{key: value for key, value in params.items() if key != "progressToken"} for params in got]
    return same(plain or MISSING, odd.PROGRESS)


async def log_line(talk: Talk) -> Verdict:
    await talk.call("log", _meta={PREFIX + "logLevel": "info"} if talk.revision == MODERN else {})
    got = [params for params in await talk.heard("notifications/message") if params.get("logger") == odd.LOG["logger"]]
    return same(got[0] if got else MISSING, odd.LOG)


async def cancellation(talk: Talk) -> Verdict:
    before = await talk.told("hung")
    await talk.wire.start("tools/call", {"name": "hang", "arguments": {}})
    hanging = talk.wire.last_id()
    if not await _grown(talk, "hanging", before):  # a proxy may well drop what it hasn't sent on yet
        return Verdict.LOST
    await talk.wire.notify("notifications/cancelled", {"requestId": hanging, "reason": "enough"})
    return Verdict.KEPT if await _grown(talk, "cancelled", before) else Verdict.LOST


async def _grown(talk: Talk, count: str, before: Message) -> bool:
    """Ask until a count of the server's has grown, or it took too long."""
    for _ in range(int(PATIENCE / 0.05)):
        if (await talk.told("hung")).get(count, 0) > before.get(count, 0):
            return True
        await asyncio.sleep(0.05)
    return False


async def list_changed(talk: Talk) -> Verdict:
    await talk.call("change")
    return Verdict.KEPT if await talk.heard("notifications/tools/list_changed") else Verdict.LOST


async def updated(talk: Talk) -> Verdict:
    await talk.ask("resources/subscribe", {"uri": "odd://one"})
    await talk.call("change")
    got = await talk.heard("notifications/resources/updated")
    return same(got[0] if got else MISSING, {"uri": "odd://one", "x-vendor": 1})


def asked(method: str) -> Look:
    """A request of the server to the client, and the answer to it."""

    async def look(talk: Talk) -> Verdict:
        questions: list[Message] = []

        def answer(params: Message) -> Message:
            questions.append({key: value for key, value in params.items() if key != "_meta"})
            return odd.ANSWERS[method]

        talk.wire.answerers[method] = answer
        told = await talk.told("ask", {"method": method})
        if not questions:
            return Verdict.LOST
        return max(
            same(questions[0], odd.QUESTIONS[method]),
            same(told.get("got", MISSING), odd.ANSWERS[method]),
            key=list(Verdict).index,
        )

    return look


async def cache_hint(talk: Talk) -> Verdict:
    page = await talk.ask("resources/read", {"uri": "odd://one"})
    return members(page, {"ttlMs": 7, "cacheScope": "public"}, "ttlMs", "cacheScope")


async def rounds(talk: Talk) -> Verdict:
    """The client's half is played here: what it has to bring back is whatever it was given."""
    first = await talk.call("rounds")
    if first.get("resultType") != "input_required":
        return Verdict.LOST
    responses = dict.fromkeys(first.get("inputRequests", {}), odd.ANSWERS["elicitation/create"])
    state = {"requestState": first["requestState"]} if "requestState" in first else {}
    told = await talk.told("rounds", {}, inputResponses=responses, **state)
    wanted = {"inputResponses": {"who": odd.ANSWERS["elicitation/create"]}, "requestState": odd.STATE}
    return members(told.get("params"), wanted, *wanted)


FEATURES = (
    Feature("tools: unknown members", listed("x-vendor")),
    Feature("tools: title, annotations, icons", listed("title", "annotations", "icons")),
    Feature("tools: `_meta`", listed("_meta")),
    Feature("tools: output schema", listed("outputSchema")),
    Feature("tools: all of JSON Schema", listed("inputSchema")),
    Feature("tools: over several pages", all_pages),
    Feature("arguments, exactly", arguments),
    Feature("request `_meta`", request_meta),
    Feature("structured content", result("structured", "structuredContent")),
    Feature("structured content that is a list", result("structured-list", "structuredContent")),
    Feature("numbers, exactly", result("numbers", "structuredContent")),
    Feature("text, exactly", result("text", "content")),
    Feature("content of an unknown type", result("hologram", "content")),
    Feature("content: unknown members", result("block-members", "content")),
    Feature("content: annotations", result("block-annotations", "content")),
    Feature("resource links", result("link", "content")),
    Feature("result: unknown members", result("result-members", "x-top")),
    Feature("result: null members", null_member),
    Feature("result `_meta`", meta("result-meta")),
    Feature("a tool's failure", result("failure", "content", "isError")),
    Feature("an error with its data", error),
    Feature("instructions", instructions),
    Feature("resources", item("resources/list", "resources", odd.RESOURCE)),
    Feature("resource templates", item("resources/templates/list", "resourceTemplates", odd.TEMPLATE)),
    Feature("reading a resource", item("resources/read", "contents", odd.CONTENT, {"uri": "odd://one"})),
    Feature("prompts", item("prompts/list", "prompts", odd.PROMPT)),
    Feature("a prompt", item("prompts/get", "messages", odd.MESSAGE, {"name": "ask", "arguments": {"who": "x"}})),
    Feature("completion", completion),
    Feature("progress: order, numbers, members", progress),
    Feature("log messages", log_line),
    Feature("cancellation", cancellation, (LEGACY,)),
    Feature("list changes", list_changed, (LEGACY,)),
    Feature("resource updates", updated, (LEGACY,)),
    Feature("elicitation", asked("elicitation/create"), (LEGACY,)),
    Feature("sampling", asked("sampling/createMessage"), (LEGACY,)),
    Feature("roots", asked("roots/list"), (LEGACY,)),
    Feature("caching hints", cache_hint, (MODERN,)),
    Feature("input required, and its state", rounds, (MODERN,)),
)
