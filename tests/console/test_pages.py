"""What the pages show and do: of a real record, with real questions."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.accepting import local
from mcp_guard.accepting.local import Live
from mcp_guard.policy.document import load_policy
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.store import Record
from tests.approvals.room import ASKING, Room, answer_of
from tests.console.visitor import Visitor, with_pin
from tests.guards import RecordingDownstream, decision_in, tool
from tests.presence.person import PIN, in_a_shell
from tests.record.examples import Clock

ECHO = tool("echo", text={"type": "string"}, n={"type": "integer"})
CONSOLE_ONLY = ASKING.replace("ask: true", "ask: {by: console}")
HOSTILE = [
    "<script>document.title='x'</script>",
    "\"><img src=x onerror=document.title='x'>",
    "'-alert(1)-'",
    "</textarea></title></style><svg/onload=document.title='x'>",
    "{{ 7*7 }}{% include 'x' %}",
    "javascript:alert(1)",
    "https://evil.example/?q=<b>",
    "a\u202eb\u2066c\u200bd\x1b[2Ke\r\nf",
    "&lt;script&gt;",
]


async def asked(home: Path, policy: str = ASKING, **arguments: Any) -> tuple[Room, asyncio.Future[Any], Visitor]:
    room = Room(home, policy, servers=[RecordingDownstream(tools=[ECHO])])
    with_pin(room.directory)
    _, answer = await room.start(**(arguments or {"text": "hi"}))
    return room, answer, await Visitor(room.directory).log_in()


def question(room: Room) -> str:
    (one,) = room.waiting()
    return one.entry


async def test_a_person_reads_a_question_and_lets_the_call_through_once(tmp_path: Path) -> None:
    room, answer, visitor = await asked(tmp_path, text="pay 5")
    entry = question(room)
    for page in ("/now", "/approvals"):
        assert f"/approvals/{entry}" in (await visitor.get(page)).text
    whole = (await visitor.get(f"/approvals/{entry}")).text
    assert "raw/echo" in whole and "&#34;pay 5&#34;" in whole and "No call of this tool was ever approved" in whole
    done = await visitor.post(f"/approvals/{entry}/approve", extent="once", pin=PIN)
    assert (done.status, done.header("location")) == (303, "/approvals?done=approved")
    assert "isError" not in (await answer_of(answer))["result"]
    assert room.executed() == 1
    assert room.verified() == []
    _, second = await room.start(text="pay 6", n=1)
    near = (await visitor.get(f"/approvals/{question(room)}")).text
    assert "text: another value" in near and "n: new" in near and "pay 5" not in near
    assert not second.done()


async def test_without_the_pin_nothing_is_approved_and_each_wrong_one_counts(tmp_path: Path) -> None:
    room, answer, visitor = await asked(tmp_path)
    path = f"/approvals/{question(room)}/approve"
    said = [(await visitor.post(path, extent="once", pin=pin)).text for pin in ("", "wrong-1", "wrong-2", PIN)]
    assert "2 more" in said[0] and "too many wrong PINs" in said[3]
    assert not answer.done() and room.executed() == 0


async def test_where_no_pin_is_set_the_page_says_where_to_set_it_and_takes_none(tmp_path: Path) -> None:
    room = Room(tmp_path)
    await room.start(text="hi")
    visitor = await Visitor(room.directory).log_in()
    path = f"/approvals/{question(room)}"
    page = (await visitor.get(path)).text
    assert "mcp-guard pin set" in page and 'name="pin"' not in page
    assert "set a PIN first" in (await visitor.post(f"{path}/approve", extent="once", pin="some-pin")).text
    assert room.executed() == 0 and room.states() == ["open"]


async def test_a_no_needs_no_pin_and_is_told_at_once(tmp_path: Path) -> None:
    room, answer, visitor = await asked(tmp_path)
    assert (await visitor.post(f"/approvals/{question(room)}/deny", extent="once")).status == 303
    assert decision_in((await answer_of(answer))["result"])["reason"] == "not_approved"
    assert room.executed() == 0


async def test_what_only_the_console_may_answer_is_answered_here(tmp_path: Path) -> None:
    room, answer, visitor = await asked(tmp_path, CONSOLE_ONLY)
    entry = question(room)
    assert "only here" in (await visitor.get("/approvals")).text
    elsewhere = in_a_shell(room.directory, "approvals", "approve", entry)
    assert elsewhere.returncode == 1 and "in the console only (`by: console`): `mcp-guard console`" in elsewhere.stderr
    assert (await visitor.post(f"/approvals/{entry}/approve", extent="once", pin=PIN)).status == 303
    assert "isError" not in (await answer_of(answer))["result"]
    assert room.executed() == 1 and room.verified() == []


async def test_an_answer_for_the_session_leaves_open_only_what_has_a_limit(tmp_path: Path) -> None:
    room, answer, visitor = await asked(tmp_path, text="hi", n=1)
    path = f"/approvals/{question(room)}"
    page = (await visitor.get(path)).text
    assert re.findall('name="free" value="([^"]*)"', page) == ["n"]
    refused = await visitor.post(f"{path}/approve", extent="session", free="text", pin="not-looked-at")
    assert "no grant limits" in refused.text
    assert (await visitor.post(f"{path}/approve", extent="session", free="n", pin=PIN)).status == 303
    await answer_of(answer)
    assert "isError" not in (await room.call(text="hi", n=7))["result"]
    assert room.executed() == 2
    listed = (await visitor.get("/approvals")).text
    assert "with any" in listed and "policy/say" in listed and "local:me" in listed
    assert (await visitor.post("/now/stop", kind="session", name="s1")).status == 303
    assert decision_in((await room.call(text="hi", n=7))["result"])["reason"] == "stopped"


async def test_stopping_needs_no_pin_and_going_on_does(tmp_path: Path) -> None:
    room, answer, visitor = await asked(tmp_path)
    assert (await visitor.post("/now/stop", kind="server", name="raw")).status == 303
    assert decision_in((await room.call(text="x"))["result"])["reason"] == "stopped"
    page = (await visitor.get("/now")).text
    assert 'value="server:raw"' in page
    refused = await visitor.post("/now/resume", scope="server:raw", pin="wrong-pin")
    assert refused.status == 400 and "wrong PIN" in refused.text
    assert decision_in((await room.call(text="x"))["result"])["reason"] == "stopped"
    assert (await visitor.post("/now/resume", scope="server:raw", pin=PIN)).status == 303
    assert 'value="server:raw"' not in (await visitor.get("/now")).text
    assert room.verified() == [] and not answer.done()


@pytest.mark.parametrize("fields", [{"kind": "world"}, {"kind": "server"}, {"kind": "effect", "name": "x"}, {}])
async def test_what_no_stop_is_about_stops_nothing(tmp_path: Path, fields: dict[str, str]) -> None:
    room, _, visitor = await asked(tmp_path)
    assert (await visitor.post("/now/stop", **fields)).status == 400
    assert room.scene.record.look("SELECT count(*) FROM stops") == [(0,)]


async def test_text_of_others_is_text_on_every_page(tmp_path: Path) -> None:
    """Names, arguments and errors from a corpus: no markup, no link, and nothing that hides or turns round."""
    room = Room(tmp_path, "version: 1\ngrants: [{id: say, tool: raw/echo, args: any, ask: true}]\n")
    with_pin(room.directory)
    room.scene.gateway.session.client = HOSTILE[0] + HOSTILE[7]
    await room.start(text=HOSTILE, **{HOSTILE[1]: {HOSTILE[0]: HOSTILE[2]}, "</code>": 1})
    for text in HOSTILE:
        await room.scene.call(text, {})
        room.scene.record.note(EntryKind.SERVER_EXITED, {"server": text, "why": text})
        with room.desk() as desk:
            desk.halt(f"server:{''.join(filter(str.isprintable, text))}", text)
    visitor = await Visitor(room.directory).log_in()
    rows = re.findall('href="(/log/[^"]+)"', (await visitor.get("/log")).text)
    entry = f"/approvals/{question(room)}"
    search = "/log?tool=%3Cscript%3E&server=%22%3E%3Cb%3E&rule=%E2%80%AE"
    pages = ["/now", "/approvals", "/servers", "/report", "/authority", entry, search, *rows[:20]]
    seen = ""
    for path in pages:
        answer = await visitor.get(path)
        assert answer.status == 200, (path, answer.text)
        assert_plain(answer.text)
        seen += answer.text
    assert "&lt;script&gt;document.title" in seen and "\\u202e" in seen and "\\x1b[2K" in seen
    assert "{{ 7*7 }}" in seen


def assert_plain(text: str) -> None:
    tags = re.findall(r"<(/?[a-zA-Z!][^>]*)>", text)
    assert not [tag for tag in tags if tag.split()[0].lower() in ("img", "b", "style", "/textarea", "svg/onload=x")]
    assert "onerror=document" not in text.replace("&gt;&lt;img src=x onerror=document", "")
    scripts = [tag for tag in tags if tag.startswith("script")]
    assert all(tag == 'script src="/static/live.js" defer' for tag in scripts)
    assert all(
        link.startswith("/") or link == "#content" for link in re.findall(r'(?:href|src|action)="([^"]*)"', text)
    )
    assert all(char.isprintable() or char == "\n" for char in text)


async def test_the_log_is_searched_paged_and_explained(tmp_path: Path) -> None:
    room = Room(tmp_path, ASKING.replace("ask: true, ", ""))
    for number in range(70):
        await room.call(text="x" * (number % 3))
    await room.call(wrong=1)
    visitor = await Visitor(room.directory).log_in()
    first = (await visitor.get("/log?tool=raw/echo")).text
    assert first.count('data-name="entry"') == 50
    older = re.findall('href="(/log[?][^"]*before=[^"]*)"', first)[0].replace("&amp;", "&")
    second = (await visitor.get(older)).text
    ids = [re.findall('<td data-name="entry"><a href="/log/([^"]+)"', page) for page in (first, second)]
    assert len(ids[1]) == 21 or len(ids[1]) == 71 - 50
    assert not set(ids[0]) & set(ids[1])
    denied = (await visitor.get("/log?effect=deny")).text
    assert denied.count('data-name="entry"') >= 1 and "no_grant" in denied
    entry = (await visitor.get(f"/log/{ids[0][0]}")).text
    assert "invalid_arguments" in entry or "no_grant" in entry
    for wrong in ("?effect=maybe", "?since=1y", "?before=x", "?kind=none", "/none-1", "/..%2f..%2fetc"):
        assert (await visitor.get(f"/log{wrong}")).status in (400, 404)


def on_file(home: Path, policy: str, room: Room) -> Path:
    """The guard's policy as a file, which the record says was loaded."""
    file = home / "policy.yaml"
    file.write_text(policy)
    loaded = load_policy(file)
    grants = [rule.ref.id for rule in loaded.rules if rule.is_grant]
    document = {"kind": "policy", "file": str(file), "digest": loaded.digest, "grants": grants}
    room.scene.record.note(EntryKind.LOADED, {"documents": [document], "session": "s1"})
    room.scene.guard.local = Live(room.directory, local.place_for(file))
    return file


async def test_what_is_revoked_is_denied_from_the_next_call_on_and_comes_back_with_the_pin(tmp_path: Path) -> None:
    policy = ASKING.replace("ask: true, ", "")
    room = Room(tmp_path, policy, servers=[RecordingDownstream(tools=[ECHO])])
    with_pin(room.directory)
    file = str(on_file(tmp_path, policy, room))
    visitor = await Visitor(room.directory).log_in()

    async def works(**arguments: Any) -> bool:
        answer = await room.call(**arguments)  # of a tool that is gone: an error
        return "result" in answer and "isError" not in answer["result"]

    assert await works(text="5")
    five = {"argument": "n", "value": "5", "type": "number"}
    narrowed = await visitor.post("/authority/revoke", file=file, tool="raw/echo", reason="<b>", **five)
    assert narrowed.status == 303, narrowed.text
    assert await works(text="5") and await works(text="5", n=4) and not await works(text="5", n=5)
    page = (await visitor.get("/authority?done=revoked")).text
    assert "never raw/echo where n is 5" in page and "&lt;b&gt;" in page
    for pin, status in (("wrong-pin", 400), (PIN, 303)):
        assert (await visitor.post("/authority/undo", file=file, rule="local/1", pin=pin)).status == status
        assert await works(text="5", n=5) is (status == 303)
    assert (await visitor.post("/authority/revoke", file=file, tool="raw/echo")).status == 303
    assert not await works(text="5") and room.verified() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"tool": "raw"},
        {"tool": "raw/echo", "argument": "n"},
        {"tool": "raw/echo", "value": "1"},
        {"argument": "n", "value": "x", "type": "number"},
        {"argument": "n", "value": "1", "type": "true or false"},
        {"file": "/etc/x"},
    ],
)
async def test_a_revocation_that_names_half_a_thing_takes_nothing_away(tmp_path: Path, fields: dict[str, str]) -> None:
    room = Room(tmp_path)
    file = on_file(tmp_path, ASKING, room)
    visitor = await Visitor(room.directory).log_in()
    answer = await visitor.post("/authority/revoke", **{"file": str(file), "tool": "raw/echo", **fields})
    assert answer.status == 400
    assert local.rules(room.directory, local.place_for(file)) == ()


async def test_the_authority_is_told_by_server_with_line_use_and_end(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "version: 1\ngrants:\n"
        "  - {id: read, tool: files/read, args: {path: {under: $project}}, budget: {calls: 3}}\n"
        "  - {id: old, tool: bank/pay, args: any, until: 2020-01-01T00:00:00Z}\n"
        "deny:\n  - {id: never, effect: egress}\n"
    )
    loaded = load_policy(policy)
    state = tmp_path / "state"
    with Record.open(state, session="s1", clock=Clock()) as record:
        document = {"kind": "policy", "file": str(policy), "digest": loaded.digest, "grants": ["read", "old"]}
        record.note(EntryKind.LOADED, {"documents": [document], "session": "s1"})
    visitor = await Visitor(state).log_in()
    page = (await visitor.get("/authority")).text
    assert [page.index(name) for name in (">bank<", ">files<", ">any server<")] == sorted(
        page.index(name) for name in (">bank<", ">files<", ">any server<")
    )
    assert f"{policy}:3:5" in page and "never used" in page and "used: 0 calls" in page and ">over<" in page
    policy.write_text(policy.read_text().replace("calls: 3", "calls: 300"))
    changed = (await visitor.get("/authority")).text
    assert "at most 300" not in changed and "isn't there any more as it was loaded" in changed


async def test_a_state_directory_without_a_record_has_empty_pages_and_stays_empty(tmp_path: Path) -> None:
    visitor = await Visitor(tmp_path / "none").log_in()
    for path in ("/now", "/authority", "/approvals", "/log", "/servers", "/report", "/moment"):
        assert (await visitor.get(path)).status == 200
    assert (await visitor.get("/log/ab-1")).status == 400
    assert not (tmp_path / "none").exists()


async def test_what_is_open_learns_that_something_was_recorded(tmp_path: Path) -> None:
    room = Room(tmp_path, ASKING.replace("ask: true, ", ""))
    visitor = await Visitor(room.directory).log_in()
    before = (await visitor.get("/moment")).text
    assert (await visitor.get("/moment")).text == before
    await room.call(text="x")
    assert (await visitor.get("/moment")).text != before
    assert 'http-equiv="refresh"' in (await visitor.get("/now")).text
    assert 'http-equiv="refresh"' not in (await visitor.get("/now?still")).text
