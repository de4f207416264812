"""What a question is held against: the approved call that is most like it, by digests alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcp_guard.approvals.nearest import GONE, NEW, OTHER, SAME, UNKNOWN, nearest
from mcp_guard.model import Call
from mcp_guard.record.query import open_for_reading
from tests.approvals.room import ASKING, Room, answer_of
from tests.guards import RecordingDownstream, tool

TEXT = {"type": "string"}
ECHO = tool("echo", text=TEXT, to=TEXT)
OPEN = ASKING.replace("{text: any}, optional: {n: {max: 9}}", "any")


async def approved(room: Room, **arguments: Any) -> None:
    _, answer = await room.start(**arguments)
    room.approve()
    await answer_of(answer)


def against(room: Room, arguments: dict[str, Any], **changes: str) -> dict[str, str] | None:
    said: dict[str, Any] = {
        "principal": "local:me",
        "method": "tools/call",
        "server": "raw",
        "target": "echo",
        **changes,
    }
    call = Call(params={"name": "echo", "arguments": arguments}, **said)
    with open_for_reading(room.directory) as query:
        found = nearest(call, room.scene.record.key, query)
    return None if found is None else dict(found.changes)


async def test_it_is_the_approved_call_with_most_in_common_and_says_what_is_different(tmp_path: Path) -> None:
    room = Room(tmp_path, OPEN, servers=[RecordingDownstream(tools=[ECHO])])
    assert against(room, {"text": "a"}) is None
    await approved(room, text="a", to="iris")
    await approved(room, text="b", to="tomas")
    assert against(room, {"text": "a", "to": "iris"}) == {"text": SAME, "to": SAME}
    assert against(room, {"text": "c", "to": "iris"}) == {"text": OTHER, "to": SAME}
    assert against(room, {"text": "b", "more": 1}) == {"text": SAME, "more": NEW, "to": GONE}
    assert against(room, {"text": "x", "to": "y"}) == {"text": OTHER, "to": OTHER}


async def test_a_call_that_nobody_approved_is_none_to_go_by(tmp_path: Path) -> None:
    room = Room(tmp_path, OPEN, servers=[RecordingDownstream(tools=[ECHO, tool("echo2", text=TEXT)])])
    _, answer = await room.start(text="a")
    room.deny()
    await answer_of(answer)
    assert against(room, {"text": "a"}) is None
    await approved(room, text="a")
    for other in ({"principal": "local:eve"}, {"server": "other"}, {"target": "ech*"}, {"method": "prompts/get"}):
        assert against(room, {"text": "a"}, **other) is None


async def test_what_was_not_kept_is_never_called_the_same(tmp_path: Path) -> None:
    room = Room(tmp_path, OPEN, servers=[RecordingDownstream(tools=[ECHO])])
    await approved(room, text="a", secret="x")  # a name that the tool's schema doesn't have
    assert against(room, {"text": "a", "secret": "x"}) == {"text": SAME, "secret": UNKNOWN}
    assert against(room, {"text": "a"}) == {"text": SAME, "*": GONE}
