"""Scanners: what they find makes a decision stricter and never milder; late, failed and changed ones have found it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.errors import InputError
from mcp_guard.model import Reason
from mcp_guard.policy.document import load_text
from mcp_guard.record.events import events
from mcp_guard.record.past_calls import past_calls
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.report.making import make
from mcp_guard.report.refused import Cause
from mcp_guard.report.replay import Change, replay
from mcp_guard.scanners.scanning import Scanners
from tests.guards import RecordingDownstream, decision_in, tool
from tests.patience import PATIENCE
from tests.watching.stage import ECHO, config, scanner_file, watched

WORDS = {"low": "scanner s: low", "medium": "scanner s: medium", "high": "scanner s: high"}


def pattern(severity: str, on: str = "arguments") -> str:
    return f"scanners: [{{name: s, pattern: 'AKIA[A-Z0-9]{{4}}', on: {on}, severity: {severity}}}]"


def python(home: Path, body: str, severity: str = "high", **more: str) -> str:
    keys = scanner_file(home, f"def look(request):\n{body}")
    beside = "".join(f", {key}: {value}" for key, value in more.items())
    return f"scanners: [{{name: s, python: 'mine:look', {keys}, severity: {severity}{beside}}}]"


def text_of(answer: dict[str, Any]) -> str:
    return str(answer["result"]["content"])


async def test_a_match_of_high_severity_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    with watched(tmp_path, pattern("high")) as room:
        await room.scene.listed()
        said = await room.call(text="key AKIA1234")
        assert decision_in(said["result"])["reason"] == "scanned"
        assert room.executed() == 0
        row = room.scene.rows()[-1]
        assert (row.reason, row.body["flags"]) == ("scanned", [WORDS["high"]])
        assert "AKIA1234" not in str(row.body)
        await room.call(text="key BKIA1234")
        assert room.executed() == 1


@pytest.mark.parametrize(
    "arguments",
    [{"AKIA1234": 1}, {"a": [[{"b": "xAKIA1234"}]]}, {"a": "\n\n AKIA1234"}],
    ids=["a name", "deep inside", "after lines"],
)
async def test_a_scanner_sees_every_text_of_the_call(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with watched(tmp_path, pattern("high")) as room:
        await room.scene.listed()
        assert decision_in((await room.call(**arguments))["result"])["reason"] == "scanned"


async def test_what_goes_beside_the_arguments_is_scanned_too(tmp_path: Path) -> None:
    with watched(tmp_path, pattern("high")) as room:
        await room.scene.listed()
        said = await room.scene.call("echo", {"text": "hello"}, _meta={"vendor/x": "AKIA1234", "progressToken": 1})
        assert decision_in(said["result"])["reason"] == "scanned"


async def test_what_cannot_be_read_counts_as_found(tmp_path: Path) -> None:
    with watched(tmp_path, "scanners: [{name: s, pattern: x}]") as room:
        await room.scene.listed()
        await room.call(text="\udc80")
        assert room.executed() == 0


async def test_a_match_of_medium_severity_asks_a_person_and_a_yes_carries_one_call(tmp_path: Path) -> None:
    with watched(tmp_path, pattern("medium")) as room:
        _, answer = await room.start(text="AKIA1234")
        assert room.executed() == 0
        waiting = room.waiting()
        assert [one.asks for one in waiting] == [("scanner/s",)]
        room.approve()
        room.queue.look()
        async with asyncio.timeout(PATIENCE):
            await answer
        assert room.executed() == 1
        assert room.verified() == []


async def test_a_match_of_low_severity_is_noted_and_nothing_else(tmp_path: Path) -> None:
    with watched(tmp_path, pattern("low")) as room:
        await room.scene.listed()
        await room.call(text="AKIA1234")
        assert room.executed() == 1
        assert room.scene.rows()[-1].body["flags"] == [WORDS["low"]]


async def test_a_scanner_that_finds_nothing_makes_nothing_milder(tmp_path: Path) -> None:
    """Neither does one that says what no scanner can say."""
    policy = ECHO + "deny: [{id: never, tool: raw/echo, args: {text: poison}}]\n"
    with watched(tmp_path, python(tmp_path, "    return 'allow' if 'x' in str(request) else None\n"), policy) as room:
        await room.scene.listed()
        for text, reason in (("poison", "denied"), ("x", "scanned")):
            assert decision_in((await room.call(text=text))["result"])["reason"] == reason
        assert room.executed() == 0


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("    while True: pass\n", "late"),
        ("    raise ValueError(request)\n", "it raised ValueError"),
        ("    import os; os._exit(3)\n", "it ended"),
        ("    return [1]\n", ""),
        ("    print('None'); return True\n", ""),
    ],
    ids=["late", "raises", "ends", "no word", "prints"],
)
async def test_a_callable_that_is_late_or_fails_has_found_it(tmp_path: Path, body: str, why: str) -> None:
    with watched(tmp_path, python(tmp_path, body, timeout="0.3")) as room:
        await room.scene.listed()
        said = await room.call(text="hello")
        assert decision_in(said["result"])["reason"] == "scanned"
        assert room.executed() == 0
        assert why in room.scene.rows()[-1].body["flags"][0]


async def test_one_that_hangs_on_one_call_answers_for_the_next(tmp_path: Path) -> None:
    body = "    while 'hang' in str(request): pass\n"
    with watched(tmp_path, python(tmp_path, body, timeout="5")) as room:
        await room.scene.listed()
        scanner = room.scene.guard.watch.scanners._callables[0][1]  # type: ignore[union-attr]
        await room.call(text="hello")  # it is imported by now
        object.__setattr__(scanner._scanner, "timeout", 0.3)
        await room.call(text="hang")
        object.__setattr__(scanner._scanner, "timeout", 30.0)
        await room.call(text="hello")
        assert room.executed() == 2


async def test_a_call_that_is_cancelled_while_it_is_scanned_is_not_sent(tmp_path: Path) -> None:
    with watched(tmp_path, python(tmp_path, "    return None\n", timeout="20")) as room:
        request, _ = await room.start(text="hello")
        request.cancel("no longer")
        await room.scene.listed()
        await room.scene.call("echo", {"text": "after"})  # scanned after the first one, in the same queue
        assert [params["arguments"] for params in room.scene.servers[0].calls] == [{"text": "after"}]


async def test_code_that_changed_since_guard_yaml_named_it_has_found_it(tmp_path: Path) -> None:
    text = python(tmp_path, "    return None\n", timeout="20")
    (tmp_path / "scanners" / "mine.py").write_text("def look(request): return None  # an agent was here")
    with watched(tmp_path, text) as room:
        await room.scene.listed()
        assert decision_in((await room.call(text="hello"))["result"])["reason"] == "scanned"


async def test_a_severity_beyond_the_scanners_own_counts_as_that(tmp_path: Path) -> None:
    """What a failure counts as is the most that it can say: an attacker who makes it fail gains nothing."""
    with watched(tmp_path, python(tmp_path, "    return 'high'\n", "low", timeout="20")) as room:
        await room.scene.listed()
        await room.call(text="hello")
        assert room.scene.rows()[-1].body["flags"] == [WORDS["low"]]


def answering(text: str) -> list[RecordingDownstream]:
    replies = {"tools/call": {"result": {"content": [{"type": "text", "text": text}]}}}
    return [RecordingDownstream(tools=[tool("echo")], replies=replies)]


async def test_an_answer_of_high_severity_is_withheld(tmp_path: Path) -> None:
    with watched(tmp_path, pattern("high", "results"), servers=answering("AKIA1234")) as room:
        await room.scene.listed()
        said = await room.call(text="hello")
        assert "AKIA1234" not in str(said) and "withheld" in text_of(said)
        row = room.scene.rows()[-1]
        assert row.outcome == "withheld" and WORDS["high"] in row.note


async def test_an_answer_of_medium_severity_labels_the_session_before_it_is_shown(tmp_path: Path) -> None:
    policy = "version: 1\ntools: {raw/echo: {effect: read}}\n" + ECHO.removeprefix("version: 1\n")
    policy += "deny: [{id: tainted, tool: raw/echo, args: {}, when: {labels: [untrusted]}}]\n"
    with watched(tmp_path, pattern("medium", "results"), policy, servers=answering("AKIA1234")) as room:
        await room.scene.listed()
        assert "AKIA1234" in text_of(await room.call(text="hello"))
        assert decision_in((await room.call(text="hello"))["result"])["reason"] == Reason.DENIED.value
        assert room.verified() == []


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("scanners: [{name: s}]", ":3:12", "needs `pattern` or `python`, and not both"),
        ("scanners: [{name: s, pattern: x, python: 'a:b'}]", ":3:12", "and not both"),
        ("scanners: [{name: s, pattern: 'a(?=b)'}]", ":3:31", "no look-around"),
        ("scanners: [{name: s, pattern: x, timeout: 3}]", ":3:34", "`timeout` doesn't go with `pattern`"),
        ("scanners: [{name: s, pattern: x, severty: low}]", ":3:34", "did you mean `severity`?"),
        ("scanners: [{name: s, pattern: x}, {name: s, pattern: y}]", ":3:42", "two scanners are called `s`"),
        ("scanners: [{name: s, python: os.system}]", ":3:30", "scanners.0.python"),
        ("scanners: [{name: s, python: 'm:f', path: .}]", ":3:12", "needs `sha256`"),
        ("scanners: [{name: s, python: 'm:f', sha256: " + "0" * 64 + "}]", ":3:37", "`sha256` goes with `path`"),
        ("breaker: {}", ":3:10", "`breaker` freezes nothing"),
        ("breaker: {denials: 3, within: 2d}", ":3:31", "breaker.within"),
        ("breaker: {denials: 3, within: 25h}", ":3:31", "longer than a day"),
        ("monitor: {on_flag: allow}", ":3:20", "monitor.on_flag"),
        ("telemetry: {endpoint: 'http://collector.example:4318'}", ":3:23", "write https"),
        ("telemetry: {endpoint: 'https://c.example/?key=1'}", ":3:23", "no query"),
        ("telemetry: {endpont: x}", ":3:13", "did you mean `endpoint`?"),
    ],
)
def test_what_is_wrong_in_guard_yaml_is_said_with_its_place(tmp_path: Path, text: str, place: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        config(tmp_path, text)
    assert place in str(caught.value) and hint in str(caught.value)


def test_no_call_may_name_the_code_of_a_scanner(tmp_path: Path) -> None:
    found = config(tmp_path, python(tmp_path, "    return None\n")).watchers
    assert found.own_files == (tmp_path / "scanners" / "mine.py",)


async def test_an_answer_that_cannot_be_scanned_is_withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(tmp_path, pattern("low", "results"), servers=answering("hello")) as room:
        await room.scene.listed()
        monkeypatch.setattr(Scanners, "_matched", lambda *_: 1 / 0)
        assert "withheld" in text_of(await room.call(text="hello"))


async def test_what_scanners_did_is_told_from_the_record_for_what_it_was(tmp_path: Path) -> None:
    """A replay can't tell what a scanner would have asked, and knows that no policy changes what one refused."""
    text = pattern("medium").replace("}]", "}, {name: t, pattern: BKIA}]")
    with watched(tmp_path, text) as room:
        for words in ("AKIA1234", "BKIA", "hello"):
            await room.start(text=words)
        with open_for_reading(room.directory) as query:
            rows = list(query.entries(Filter()))
    policy = load_text(ECHO.encode(), file="policy.yaml", kind="policy", home="/home/me")
    replayed = list(replay(past_calls(rows), policy, None, lambda server: None))
    assert [one.change for one in replayed] == [Change.UNTOLD, Change.SAME, Change.SAME]
    (refused,) = [one for one in make(events(rows)).refused if one.reason == "scanned"]
    assert refused.cause is Cause.ATTACK
