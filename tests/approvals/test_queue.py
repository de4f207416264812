"""A person answers at the desk while a client waits: read from the server's requests and from the record."""

from __future__ import annotations

import asyncio
import stat
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from mcp_guard.approvals import answering, queue, slips, under_way
from mcp_guard.approvals.answering import Waiting
from mcp_guard.errors import GuardError, InputError
from mcp_guard.model import By
from mcp_guard.policy.document import Authority
from mcp_guard.record import questions
from mcp_guard.record.questions import Settled
from tests.approvals.room import ASKING, Room, answer_of, text_of
from tests.guards import RecordingDownstream, decision_in, tool
from tests.patience import PATIENCE
from tests.policy.scene import policy

SECRET = "hunter2-4111111111111111"


async def test_a_yes_lets_exactly_one_call_through(tmp_path: Path) -> None:
    room = Room(tmp_path)
    _, answer = await room.start(text="hi")
    assert room.executed() == 0
    room.approve()
    assert not (await answer_of(answer))["result"].get("isError")
    assert room.executed() == 1
    _, again = await room.start(text="hi")
    assert not again.done()
    assert len(room.waiting()) == 1
    assert room.states() == ["used", "open"]
    assert room.verified() == []


async def test_a_no_refuses_and_says_so(tmp_path: Path) -> None:
    room = Room(tmp_path)
    _, answer = await room.start(text="hi")
    room.deny()
    found = decision_in((await answer_of(answer))["result"])
    assert (found["kind"], found["reason"]) == ("denied", "not_approved")
    assert room.executed() == 0
    assert room.verified() == []


async def test_n_calls_need_n_approvals_and_are_shown_as_n(tmp_path: Path) -> None:
    room = Room(tmp_path)
    answers = [(await room.start(text="same"))[1] for _ in range(5)]
    assert len(room.waiting()) == 5
    room.approve()
    room.approve()
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        while room.executed() < 2:
            await asyncio.wait([one for one in answers if not one.done()], timeout=0.05)
    assert room.executed() == 2
    assert len(room.waiting()) == 3
    assert room.verified() == []


async def test_past_the_limit_the_answer_is_pending_and_the_identical_call_succeeds_once_approved(
    tmp_path: Path,
) -> None:
    room = Room(tmp_path, wait=0.01)
    first = await room.call(text="hi")
    assert decision_in(first["result"])["kind"] == "pending"
    assert "identical call succeeds" in text_of(first)
    again = await room.call(text="hi")
    assert decision_in(again["result"])["kind"] == "pending"
    assert len(room.waiting()) == 1  # the repetition takes the question over
    room.approve()
    assert not (await room.call(text="hi"))["result"].get("isError")
    assert decision_in((await room.call(text="hi"))["result"])["kind"] == "pending"
    assert room.executed() == 1
    assert room.verified() == []


@pytest.mark.parametrize("changed", [{"text": "ho"}, {"text": "hi", "n": 1}])
async def test_a_yes_is_for_the_very_call_and_for_no_other(tmp_path: Path, changed: dict[str, object]) -> None:
    room = Room(tmp_path, wait=0.01)
    await room.call(text="hi")
    room.approve()
    assert decision_in((await room.call(**changed))["result"])["kind"] == "pending"
    assert room.executed() == 0


async def test_a_deny_that_was_loaded_meanwhile_wins(tmp_path: Path) -> None:
    room = Room(tmp_path, wait=0.01)
    await room.call(text="hi")
    room.approve()
    document = policy(ASKING.partition("\n")[2] + "deny: [{id: never, tool: raw/echo, args: {text: hi}}]\n")
    room.scene.guard.authority = Authority((document,))
    assert decision_in((await room.call(text="hi"))["result"])["rule"] == "never"
    assert room.executed() == 0


async def test_a_yes_under_other_documents_settles_nothing(tmp_path: Path) -> None:
    room = Room(tmp_path, wait=0.01)
    await room.call(text="hi")
    room.approve()
    room.scene.guard.authority_digest = "another"
    assert decision_in((await room.call(text="hi"))["result"])["kind"] == "pending"
    assert room.executed() == 0


async def test_a_yes_to_a_tool_that_was_changed_meanwhile_settles_nothing(tmp_path: Path) -> None:
    room = Room(tmp_path, wait=0.01)
    await room.call(text="hi")
    room.approve()
    room.scene.servers[0].tools[:] = [tool("echo", text={"type": "string"})]
    room.scene.servers[0].listing = None
    assert "error" in await room.call(text="hi")  # it isn't what it was at first sight: as if it weren't there
    assert room.executed() == 0


async def test_a_yes_is_over_some_minutes_after_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path, wait=0.01)
    await room.call(text="hi")
    monkeypatch.setattr(questions, "APPROVAL_LIFE", timedelta())
    room.approve()
    assert decision_in((await room.call(text="hi"))["result"])["kind"] == "pending"
    assert room.states() == ["lapsed", "open"]
    assert room.executed() == 0
    assert room.verified() == []


async def test_a_question_that_nobody_answered_in_time_cannot_be_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path)
    monkeypatch.setattr(questions, "QUESTION_LIFE", timedelta(microseconds=1))
    await room.start(text="hi")
    assert room.waiting() == []
    one = _any(room)
    with room.desk() as desk, pytest.raises(Settled, match="lapsed"):
        desk.approve(one, "late", By.PERSON)


async def test_two_who_answer_at_once_have_one_answer(tmp_path: Path) -> None:
    room = Room(tmp_path)
    _, answer = await room.start(text="hi")
    (one,) = room.waiting()
    with room.desk() as desk:
        desk.refuse(one, "the first")
    with room.desk() as desk, pytest.raises(GuardError):
        desk.approve(one, "the second", By.PERSON)
    await answer_of(answer)
    assert room.executed() == 0


async def test_a_client_that_gives_up_takes_its_question_back(tmp_path: Path) -> None:
    room = Room(tmp_path)
    exchange, _ = await room.start(text="hi")
    (one,) = room.waiting()
    exchange.cancel("gave up")
    assert room.waiting() == []
    with room.desk() as desk, pytest.raises(GuardError):
        desk.approve(one, "late", By.PERSON)
    assert room.states() == ["withdrawn"]
    assert room.verified() == []


async def test_a_yes_that_crosses_with_a_cancellation_carries_nothing(tmp_path: Path) -> None:
    room = Room(tmp_path)
    exchange, _ = await room.start(text="hi")
    room.approve()
    exchange.cancel("gave up")
    _, again = await room.start(text="hi")
    assert not again.done()
    assert room.states() == ["withdrawn", "open"]
    assert room.executed() == 0


async def test_a_yes_outlives_a_restart_of_the_guard(tmp_path: Path) -> None:
    room = Room(tmp_path, wait=0.01)
    await room.call(text="hi")
    room.scene.record.close()
    later = Room(tmp_path)
    assert len(later.waiting()) == 1
    later.approve()
    assert not (await later.call(text="hi"))["result"].get("isError")
    assert later.executed() == 1
    assert later.verified() == []


async def test_a_weaker_way_of_answering_is_refused(tmp_path: Path) -> None:
    text = ASKING.replace("ask: true", "ask: {by: console}")
    room = Room(tmp_path, text)
    await room.start(text="hi")
    for tier in (By.CLIENT, By.PERSON):
        with pytest.raises(GuardError, match="console only"):
            room.approve(tier=tier)
    room.approve(tier=By.CONSOLE)


async def test_the_strictest_way_counts_over_all_asks(tmp_path: Path) -> None:
    text = ASKING.replace("ask: true", "ask: {by: client}") + "ask: [{id: b, tool: raw/echo, by: console}]\n"
    room = Room(tmp_path, text)
    await room.start(text="hi")
    assert [one.tier for one in room.waiting()] == [By.CONSOLE]


async def test_values_lie_in_a_private_file_until_the_question_is_settled(tmp_path: Path) -> None:
    room = Room(tmp_path)
    _, answer = await room.start(text=SECRET)
    (entry,) = room.values_kept()
    path = room.directory / slips.FOLDER / f"{entry}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    room.approve()
    await answer_of(answer)
    assert room.values_kept() == []
    for file in room.directory.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("change", ["other call", "gone", "nonsense"])
async def test_a_question_whose_call_cannot_be_shown_cannot_be_approved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(answering, "WRITTEN_WITHIN", timedelta(0))  # its guard had time to write it
    room = Room(tmp_path)
    await room.start(text="hi")
    (entry,) = room.values_kept()
    path = room.directory / slips.FOLDER / f"{entry}.json"
    if change == "gone":
        path.unlink()
    else:
        path.write_text(path.read_text().replace('"hi"', '"ho"') if change == "other call" else "{")
    with pytest.raises(GuardError, match=r"unseen|another call"):
        room.approve()


async def test_a_burst_of_questions_freezes_the_session(tmp_path: Path) -> None:
    room = Room(tmp_path)
    answers = [(await room.start(text=str(number)))[1] for number in range(queue.BURST + 1)]
    assert len(room.waiting()) == queue.BURST
    assert decision_in((await answer_of(answers[-1]))["result"])["reason"] == "stopped"
    assert decision_in((await room.call(text="more"))["result"])["reason"] == "stopped"
    room.approve()  # what was asked before the freeze is frozen, too
    assert decision_in((await answer_of(answers[0]))["result"])["reason"] == "stopped"
    assert room.executed() == 0
    with room.desk() as desk:
        assert desk.resume("session:s1")
    assert room.verified() == []


async def test_an_answer_for_the_session_settles_what_is_exactly_like_it(tmp_path: Path) -> None:
    room = Room(tmp_path, wait=0.01)
    await room.call(text="hi")
    with room.desk() as desk:
        desk.for_the_session(desk.waiting()[0], "yes", "a test", By.PERSON)
    for _ in range(3):
        assert not (await room.call(text="hi"))["result"].get("isError")
    assert decision_in((await room.call(text="ho"))["result"])["kind"] == "pending"
    assert decision_in((await room.call(text="hi", n=1))["result"])["kind"] == "pending"
    assert room.executed() == 3
    assert room.verified() == []


async def test_an_argument_is_left_open_only_within_limits_and_never_all_of_them(tmp_path: Path) -> None:
    room = Room(tmp_path, wait=0.01)
    await room.call(text="hi", n=1)
    with room.desk() as desk:
        (one,) = desk.waiting()
        for free in ({"text"}, {"text", "n"}, {"none"}):
            with pytest.raises(InputError):
                desk.for_the_session(one, "yes", "a test", By.PERSON, free)
        desk.for_the_session(one, "yes", "a test", By.PERSON, {"n"})
    assert not (await room.call(text="hi", n=7))["result"].get("isError")
    assert decision_in((await room.call(text="hi", n=10))["result"])["kind"] == "denied"  # no grant takes it
    assert decision_in((await room.call(text="ho", n=1))["result"])["kind"] == "pending"
    assert decision_in((await room.call(text="hi"))["result"])["kind"] == "pending"


async def test_a_no_for_the_session_is_not_asked_again_and_beats_a_yes(tmp_path: Path) -> None:
    room = Room(tmp_path, wait=0.01)
    await room.call(text="hi", n=1)
    with room.desk() as desk:
        desk.for_the_session(desk.waiting()[0], "yes", "a test", By.PERSON, {"n"})
    await room.call(text="hi", n=1)
    await room.call(text="stop")
    with room.desk() as desk:
        desk.for_the_session(desk.waiting()[0], "no", "a test", By.PERSON)
    found = decision_in((await room.call(text="stop"))["result"])
    assert (found["kind"], found["reason"]) == ("denied", "not_approved")
    assert room.waiting() == []
    assert room.verified() == []


async def test_an_answer_for_the_session_spends_the_budget_like_any_call(tmp_path: Path) -> None:
    room = Room(tmp_path, ASKING.replace("calls: 50", "calls: 2"), wait=0.01)
    await room.call(text="hi")
    with room.desk() as desk:
        desk.for_the_session(desk.waiting()[0], "yes", "a test", By.PERSON)
    answers = [await room.call(text="hi") for _ in range(3)]
    assert decision_in(answers[-1]["result"])["reason"] == "budget_spent"
    assert room.executed() == 2


async def test_a_stop_binds_at_once_and_until_it_is_undone(tmp_path: Path) -> None:
    room = Room(tmp_path, "version: 1\ngrants: [{id: all, tool: raw/echo, args: any}]\n")
    for scope in ("everything", "server:raw", "session:s1", "effect:egress"):
        with room.desk() as desk:
            assert desk.halt(scope, "a test")
        assert decision_in((await room.call(text="hi"))["result"])["reason"] == "stopped", scope
        with room.desk() as desk:
            assert desk.resume(scope)
        assert not (await room.call(text="hi"))["result"].get("isError"), scope
    with room.desk() as desk:
        desk.halt("server:other", "a test")
    assert not (await room.call(text="hi"))["result"].get("isError")
    assert room.verified() == []


async def test_whoever_looks_between_a_question_and_its_slip_waits_for_the_slip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path)
    _, answer = await room.start(text="hi")
    [entry] = room.values_kept()
    path = room.directory / slips.FOLDER / f"{entry}.json"
    aside = path.rename(tmp_path / "aside")
    monkeypatch.setattr(answering, "time", SimpleNamespace(sleep=lambda _: aside.rename(path)))
    room.approve()
    assert not (await answer_of(answer))["result"].get("isError")


async def test_a_stop_ends_the_call_that_is_at_the_server_within_a_second(tmp_path: Path) -> None:
    server = RecordingDownstream(tools=[tool("echo")])
    server.hold = True
    room = Room(tmp_path, 'version: 1\ngrants: [{id: all, tool: "raw/*", args: any}]\n', servers=[server])
    _, answer = await room.start(text="hi")
    with room.desk() as desk:
        desk.halt("server:raw", "a test")
    assert under_way.POLL <= 0.5  # not measured: a busy machine takes its time
    found = await answer_of(answer)
    assert decision_in(found["error"])["kind"] == "unknown"
    assert server.cancelled == ["a person has stopped it"]
    assert room.verified() == []


async def test_a_thousand_questions_are_listed_and_one_of_them_answered(tmp_path: Path) -> None:
    room = Room(tmp_path)
    _, first = await room.start(text="hi")
    room.scene.record.change(lambda moment: _many(moment, 1000))
    assert len(room.waiting()) == 1000
    room.approve(next(one for one in room.waiting() if one.entry in room.values_kept()))
    assert not (await answer_of(first))["result"].get("isError")


def _many(moment: object, count: int) -> None:
    for number in range(count):
        asking = questions.Asking(f"f-{number}", "s2", "d", "a", "", ("policy/x",), By.PERSON)
        questions.ask(moment, asking, timedelta())  # type: ignore[arg-type]


def _any(room: Room) -> Waiting:
    entry, digest, asked, until = room.scene.record.look("SELECT entry, digest, asked, until FROM questions")[0]
    return Waiting(entry, "s1", digest, ("policy/say",), By.PERSON, asked, until)
