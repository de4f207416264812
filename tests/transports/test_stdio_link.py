"""One life of one server process, with real processes that misbehave by script."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.errors import ServerGone
from mcp_guard.transports import spawn as spawning
from mcp_guard.transports import stdio_link
from mcp_guard.transports.front import Answer, Cancel
from mcp_guard.transports.spawn import spawn
from mcp_guard.transports.stdio_link import StdioLink
from tests.transports.processes import alive, children, open_files, until

# What each scripted server begins with: `take()` reads a message, `say(...)` writes one, `raw(...)` bytes.
SCRIPT = """
import json, os, sys
def take(): return json.loads(sys.stdin.buffer.readline() or os._exit(0))
def raw(data):
    while data: data = data[os.write(1, data):]
def say(**m): raw(json.dumps({"jsonrpc": "2.0", **m}).encode() + b"\\n")
"""
WAIT = "\nwhile take(): pass"


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawning, "GRACE_SECONDS", 0.2)


class Side:
    """A link and all that it told."""

    def __init__(self, code: str, limit: int = 1 << 20) -> None:
        self.notified: list[tuple[str, Any]] = []
        self.asked: list[tuple[str, Any]] = []
        self.to_answer: list[Answer] = []
        self.taken_back: list[str | None] = []
        self.odd: list[str] = []
        self.gone: list[str] = []
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self.link = StdioLink(
            spawn([sys.executable, "-c", SCRIPT + code]),
            on_notification=lambda method, params: self.notified.append((method, params)),
            on_request=self._ask,
            on_odd=self.odd.append,
            on_gone=self.gone.append,
            limit=limit,
        )

    def _ask(self, method: str, params: Any, answer: Answer, during: int | None) -> Cancel:
        assert during is None  # nothing on a pipe says to what a request belongs
        self.asked.append((method, params))
        self.to_answer.append(answer)
        return self.taken_back.append

    def call(self, name: str, params: dict[str, Any] | None = None, progress: Any = None) -> int:
        return self.link.request(name, params, lambda reply: self.answers.append((name, reply)), progress)

    async def answered(self, count: int = 1) -> list[tuple[str, dict[str, Any]]]:
        await until(lambda: len(self.answers) >= count)
        return self.answers


@asynccontextmanager
async def serving(code: str, **options: Any) -> AsyncIterator[Side]:
    """A started link; afterwards no process, zombie or descriptor is left."""
    files, processes = open_files(), children()
    side = Side(code, **options)
    await side.link.start()
    try:
        yield side
    finally:
        side.link.close()
        await until(lambda: side.gone)
        await until(lambda: children() == processes)
        await until(lambda: open_files() <= files)
    assert len(side.gone) == 1


async def test_answers_reach_their_callers_out_of_order() -> None:
    code = """
first, second = take(), take()
say(id=second["id"], result={"is": second["method"]})
say(id=first["id"], error={"code": 1, "message": first["method"]})
"""
    async with serving(code + WAIT) as side:
        side.call("a")
        side.call("b")
        assert await side.answered(2) == [
            ("b", {"result": {"is": "b"}}),
            ("a", {"error": {"code": 1, "message": "a"}}),
        ]


async def test_an_answer_to_no_request_is_odd_and_a_second_one_changes_nothing() -> None:
    code = """
i = take()["id"]
for other in (i + 1, -1, str(i), 0):
    say(id=other, result={"for": "nobody"})
say(id=i, result={"n": 1})
say(id=i, result={"n": 2})
say(method="notifications/end")
"""
    async with serving(code + WAIT) as side:
        side.call("a")
        await until(lambda: side.notified)
        assert side.answers == [("a", {"result": {"n": 1}})]
        assert side.odd == ["an answer to no request"] * 5


BAD_ANSWERS = {
    "a list": '{"jsonrpc":"2.0","id":%d,"result":[]}',
    "null": '{"jsonrpc":"2.0","id":%d,"result":null}',
    "both": '{"jsonrpc":"2.0","id":%d,"result":{},"error":{}}',
    "an error of text": '{"jsonrpc":"2.0","id":%d,"error":"no"}',
    "not a number": '{"jsonrpc":"2.0","id":%d,"result":{"x":NaN}}',
    "a key twice": '{"jsonrpc":"2.0","id":%d,"result":{"x":1,"x":2}}',
    "too deep": '{"jsonrpc":"2.0","id":%d,"result":{"x":<300>}}',
    "far too deep": '{"jsonrpc":"2.0","id":%d,"result":{"x":<100000>}}',
    "half": '{"jsonrpc":"2.0","id":%d,"result":{"x":',
    "another version": '{"jsonrpc":"1.0","id":%d,"result":{}}',
    "one member more": '{"jsonrpc":"2.0","id":%d,"result":{},"extra":1}',
    "a lone surrogate": '{"id":%d,"jsonrpc":"2.0","result":{"x":"\\ud800"}}',
}


@pytest.mark.parametrize("kind", BAD_ANSWERS)
async def test_an_answer_that_is_no_message_ends_the_call_at_once(kind: str) -> None:
    code = f"""
import re
i = take()["id"]
bad = {BAD_ANSWERS[kind].encode()!r}.replace(b"%d", b"%d" % i)
raw(re.sub(b"<([0-9]+)>", lambda m: b"[" * int(m[1]) + b"]" * int(m[1]), bad) + b"\\n")
say(id=take()["id"], result={{}})
"""
    async with serving(code + WAIT) as side:
        side.call("a")
        assert await side.answered() == [("a", {"gone": "its answer was no message"})]
        assert len(side.odd) == 1
        side.call("b")  # and the server goes on
        assert (await side.answered(2))[1] == ("b", {"result": {}})


async def test_stray_lines_are_odd_and_end_no_call() -> None:
    lines = [
        b"starting up...",
        b"\xff\xfe\x00",
        b"[1,2]",
        b'"text"',
        b'{"jsonrpc":"2.0"}',
        b'DEBUG {"id": 1, "result": {}}',
        b'{"id": 1, "level": "debug"}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","result":{}}',
        b'{"jsonrpc":"2.0","method":"tools/call","params":{"id":1,"result":{}}}',
    ]
    stray = b"\n".join(lines) + b"\n"
    code = f"i = take()['id']\nassert i == 1\nraw({stray!r})\nsay(id=i, result={{}})"
    async with serving(code + WAIT) as side:
        side.call("a")
        assert await side.answered() == [("a", {"result": {}})]
        assert len(side.odd) == len(lines)


async def test_what_the_server_asks_is_handed_on_and_answered_under_its_own_id_once() -> None:
    code = """
say(id="7", method="sampling/createMessage", params={"x": 1})
say(id=7, method="roots/list")
say(id=1, method="ping")
got = [take(), take(), take()]
say(method="notifications/got", params={"messages": got})
"""
    async with serving(code + WAIT) as side:
        await until(lambda: len(side.to_answer) == 2)
        for number, answer in enumerate(reversed(side.to_answer)):
            answer({"result": {"number": number}})
            answer({"result": {"number": "again"}})
        await until(lambda: side.notified)
        ponged, roots, sampled = side.notified[0][1]["messages"]
        assert (ponged["id"], ponged["result"]) == (1, {})
        assert (roots["id"], roots["result"]) == (7, {"number": 0})
        assert (sampled["id"], sampled["result"]) == ("7", {"number": 1})
        assert side.asked == [("sampling/createMessage", {"x": 1}), ("roots/list", None)]


async def test_a_request_that_the_server_takes_back_is_cancelled_and_never_answered() -> None:
    code = """
say(id="a", method="elicitation/create", params={})
say(method="notifications/cancelled", params={"requestId": "a", "reason": "changed my mind"})
say(method="notifications/cancelled", params={"requestId": ["a"]})
say(id="b", method="ping")
say(method="notifications/got", params={"messages": [take()]})
"""
    async with serving(code + WAIT) as side:
        await until(lambda: side.taken_back)
        side.to_answer[0]({"result": {}})
        await until(lambda: side.notified)
        assert [message["id"] for message in side.notified[0][1]["messages"]] == ["b"]
        assert side.taken_back == ["changed my mind"]


async def test_two_requests_of_a_server_under_one_id_are_not_both_asked() -> None:
    code = """
say(id="a", method="roots/list")
say(id="a", method="roots/list")
say(method="notifications/got", params={"messages": [take()]})
"""
    async with serving(code + WAIT) as side:
        await until(lambda: side.notified)
        assert side.notified[0][1]["messages"][0]["error"]["code"] == -32600
        assert len(side.asked) == 1


async def test_what_a_server_asked_is_taken_back_when_it_ends() -> None:
    async with serving('say(id="a", method="roots/list")') as side:
        await until(lambda: side.gone)
        assert len(side.taken_back) == 1


async def test_a_server_may_end_a_stream_that_it_was_asked_for_and_no_other_request() -> None:
    code = """
listen, call = take(), take()
for message in (call, listen):
    say(method="notifications/cancelled", params={"requestId": message["id"]})
say(id=call["id"], result={"still": "answered"})
"""
    async with serving(code + WAIT) as side:
        side.call("subscriptions/listen")
        side.call("tools/call")
        answers = dict(await side.answered(2))
        assert "gone" in answers["subscriptions/listen"]
        assert answers["tools/call"]["result"] == {"still": "answered"}


async def test_progress_comes_back_under_the_callers_token_and_only_while_the_call_runs() -> None:
    code = """
a, b = take(), take()
for m, n in ((a, 1), (b, 2), (a, 3)):
    token = m["params"]["_meta"]["progressToken"]
    say(method="notifications/progress", params={"progressToken": token, "progress": n, "x": None})
say(method="notifications/progress", params={"progressToken": "same", "progress": 9})
say(method="notifications/progress", params={"progressToken": True, "progress": 9})
say(method="notifications/progress")
say(id=a["id"], result={"meta": a["params"]["_meta"]})
say(method="notifications/progress", params={"progressToken": a["params"]["_meta"]["progressToken"], "progress": 10})
say(id=b["id"], result={})
"""
    first: list[Any] = []
    second: list[Any] = []
    async with serving(code + WAIT) as side:
        side.call("a", {"_meta": {"progressToken": "same", "kept": 1}}, first.append)
        side.call("b", {"_meta": {"progressToken": "same"}}, second.append)
        answers = await side.answered(2)
    assert first == [{"progressToken": "same", "progress": n, "x": None} for n in (1, 3)]
    assert second == [{"progressToken": "same", "progress": 2, "x": None}]
    assert answers[0][1]["result"]["meta"]["kept"] == 1
    assert answers[0][1]["result"]["meta"]["progressToken"] != "same"
    assert len(side.odd) == 4


async def test_a_call_without_a_token_makes_none_and_its_params_stay_as_they_are() -> None:
    params = {"n": 2**70, "_meta": {"a": None}, "text": "\U0001f600"}
    async with serving("m = take()\nsay(id=m['id'], result={'params': m['params']})" + WAIT) as side:
        side.call("a", params)
        assert (await side.answered())[0][1] == {"result": {"params": params}}


async def test_a_cancelled_call_is_told_to_the_server_and_its_late_answer_is_dropped() -> None:
    code = """
m, c = take(), take()
say(id=m["id"], result={})
say(method="notifications/seen", params={"cancel": c, "id": m["id"]})
"""
    async with serving(code + WAIT) as side:
        request = side.call("a")
        side.link.cancel(request, "enough")
        side.link.cancel(request, "again")
        await until(lambda: side.notified)
        seen = side.notified[0][1]
        assert seen["cancel"]["method"] == "notifications/cancelled"
        assert seen["cancel"]["params"] == {"requestId": seen["id"], "reason": "enough"}
        assert side.answers == []


async def test_a_call_that_was_answered_is_not_cancelled() -> None:
    code = (
        "say(id=take()['id'], result={})\nm = take()\nsay(method='notifications/next', params={'method': m['method']})"
    )
    async with serving(code + WAIT) as side:
        request = side.call("a")
        await side.answered()
        side.link.cancel(request)
        side.link.notify("notifications/marker", None)
        await until(lambda: side.notified)
        assert side.notified[0][1] == {"method": "notifications/marker"}


async def test_every_call_under_way_is_answered_once_when_the_server_crashes() -> None:
    async with serving("take(); m = take(); say(id=m['id'], result={}); take(); os._exit(3)") as side:
        for name in ("a", "b", "c"):
            side.call(name)
        await until(lambda: side.gone)
        assert side.answers == [("b", {"result": {}}), ("a", {"gone": "closed"}), ("c", {"gone": "closed"})]
        with pytest.raises(ServerGone):
            side.call("d")
        side.link.notify("notifications/x", None)
        side.link.cancel(1)
    assert len(side.answers) == 3


async def test_one_caller_that_fails_does_not_keep_the_others_from_their_answers() -> None:
    def fails(_: dict[str, Any]) -> None:
        raise RuntimeError

    async with serving("take(); take(); os._exit(0)") as side:
        side.link.request("a", None, fails)
        side.call("b")
        assert await side.answered() == [("b", {"gone": "closed"})]
        assert side.odd == ["not taken: RuntimeError"]


async def test_what_a_server_says_last_is_heard_although_it_reads_no_more() -> None:
    """Its input is closed first; the answer comes after that."""
    code = """
m = take()
os.close(0)
raw(b"")
import select; select.select([], [], [], 0.05)
say(id=m["id"], result={"last": 1})
select.select([], [], [])
"""
    async with serving(code) as side:
        side.call("a")
        assert await side.answered() == [("a", {"result": {"last": 1}})]
        await until(lambda: side.gone)  # it can't be called any more: the warden ends it
        with pytest.raises(ServerGone):
            side.call("b")


async def test_a_line_over_the_limit_ends_the_server() -> None:
    async with serving("take(); raw(b'x' * 3000); take()" + WAIT, limit=2000) as side:
        side.call("a")
        assert await side.answered() == [("a", {"gone": "a line of more than 2000 bytes"})]


async def test_a_server_that_reads_nothing_is_refused_calls_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio_link, "MAX_WAITING", 1 << 20)
    pressure: list[bool] = []
    async with serving("import select; select.select([], [], [])") as side:
        side.link._writer._on_pressure = pressure.append
        sent = 0
        while side.link._writer.waiting <= 1 << 20:
            side.call("a", {"x": "x" * 65_536})
            sent += 1
            assert sent < 30
        with pytest.raises(ServerGone, match="does not read"):
            side.call("a")
        waiting = side.link._writer.waiting
        for _ in range(100):  # what the link says by itself is bounded too
            side.link.notify("notifications/x", {"x": "x" * 65_536})
        assert side.link._writer.waiting == waiting
        assert pressure == [True]


async def test_a_flood_of_notifications_stops_at_the_pipe_while_the_client_takes_nothing() -> None:
    code = """
take()
os.set_blocking(1, True)
for n in range(200_000):
    raw(b'{"jsonrpc":"2.0","method":"notifications/message","params":{"n":%d}}\\n' % n)
"""
    async with serving(code + WAIT) as side:
        side.link.pause(True)
        side.link.notify("notifications/go", None)
        other = Side("say(method='notifications/marker')" + WAIT)
        await other.link.start()
        await until(lambda: other.notified)
        assert len(side.notified) < 10_000
        before = len(side.notified)
        side.link.pause(False)
        await until(lambda: len(side.notified) > before + 10_000)
        other.link.close()
        await until(lambda: other.gone)


async def test_a_link_that_is_closed_before_it_started_leaves_nothing() -> None:
    files, processes = open_files(), children()
    side = Side(WAIT)
    side.link.close()
    await side.link.start()
    await until(lambda: side.gone)
    await until(lambda: children() == processes)
    await until(lambda: open_files() <= files)


async def test_closing_answers_what_is_under_way_and_ends_the_process(tmp_path: Path) -> None:
    code = (
        "take(); say(method='notifications/pid', params={'pid': os.getpid()}); import select; select.select([], [], [])"
    )
    async with serving(code) as side:
        side.call("a")
        await until(lambda: side.notified)
        pid = side.notified[0][1]["pid"]
        assert alive(pid)
        side.link.close()
        assert await side.answered() == [("a", {"gone": "closed"})]
        await until(lambda: not alive(pid))


async def test_fifty_links_leave_no_process_and_no_descriptor() -> None:
    files, processes = open_files(), children()
    sides: list[Side] = []
    for _ in range(50):
        side = Side("os._exit(0)") if len(sides) % 2 else Side(WAIT)
        await side.link.start()
        sides.append(side)
    for side in sides:
        side.link.close()
    await until(lambda: all(side.gone for side in sides))
    await until(lambda: children() == processes)
    await until(lambda: open_files() <= files)
