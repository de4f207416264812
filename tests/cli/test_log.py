"""`mcp-guard log`, as somebody uses it who wants to know what was attempted."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from mcp_guard.cli import log as command
from mcp_guard.cli.log import follow_record, log, show_json, show_lines, show_table
from mcp_guard.model import Outcome
from mcp_guard.record.entries import entry_id
from mcp_guard.record.query import Filter, Row, open_for_reading
from mcp_guard.record.store import Record
from tests.record.examples import Clock, allow, deny, open_record, request

HOSTILE = "x\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\r\nallow  bank/fake\x7f\u2028"
COMMANDS = set("\x1b\x07\x9b\u202e\r\x7f\u2028")


def run(directory: Path, *options: str) -> Result:
    return CliRunner().invoke(log, [*options, "--state", str(directory)])


def fill(place: Path) -> Path:
    """Three calls: an hour ago and now, allowed and denied."""
    clock = Clock(datetime.now(UTC) - timedelta(hours=1))
    with open_record(place, clock) as record:
        record.finish(record.step(request(), allow()), Outcome.OK, duration_ms=3)
        clock.move(minutes=59)
        record.step(request(server="web", target="fetch", session="0a0b"), deny)
        record.note("server_exited", {"server": "web"})
    return record.directory


def rows_of(directory: Path) -> list[Row]:
    with open_for_reading(directory) as query:
        return list(query.entries(Filter()))


def test_each_entry_is_one_line_oldest_first(tmp_path: Path) -> None:
    lines = run(fill(tmp_path)).stdout.splitlines()
    assert len(lines) == 4
    assert "began to record" in lines[0]
    for part in ("allow, ok 3 ms", "alice (assistant)", "bank/transfer_money", "policy/pay"):
        assert part in lines[1]
    for part in ("deny", "web/fetch", "denied, policy/no-egress"):
        assert part in lines[2]
    assert "server web ended" in lines[3]


def test_a_line_names_its_entry_and_its_local_time(tmp_path: Path) -> None:
    directory = fill(tmp_path)
    line, row = run(directory).stdout.splitlines()[1], rows_of(directory)[1]
    assert row.id in line
    assert line.startswith(row.time.astimezone().strftime("%Y-%m-%d %H:%M:%S"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--denied"], ["web/fetch"]),
        (["--tool", "BANK/*"], ["bank/transfer_money"]),
        (["--server", "web"], ["web/fetch", "server web ended"]),
        (["--session", "0a"], ["web/fetch"]),
        (["--since", "30m"], ["web/fetch", "server web ended"]),
        (["--since", "2h", "--tool", "*"], ["bank/transfer_money", "web/fetch"]),
        (["--since", "2000-01-01", "--tool", "*"], ["bank/transfer_money", "web/fetch"]),
        (["--limit", "1"], ["server web ended"]),
    ],
)
def test_options_leave_what_was_asked_for(tmp_path: Path, options: list[str], expected: list[str]) -> None:
    lines = run(fill(tmp_path), *options).stdout.splitlines()
    assert len(lines) == len(expected)
    assert all(part in line for part, line in zip(expected, lines, strict=True))


def test_json_is_one_object_a_line_with_the_outcome_beside_the_decision(tmp_path: Path) -> None:
    directory = fill(tmp_path)
    entries = [json.loads(line) for line in run(directory, "--json").stdout.splitlines()]
    call = entries[1]
    assert call["entry"] == entry_id(call["chain"], call["seq"])
    assert (call["outcome"], call["duration_ms"], call["effect"], call["digest"]) == ("ok", 3.0, "allow", "d1")
    assert entries[2]["outcome"] is None
    assert entries[3]["data"] == {"server": "web"}


def test_counts_say_which_rules_were_exercised(tmp_path: Path) -> None:
    directory = fill(tmp_path)
    told = run(directory, "--counts").stdout.splitlines()
    assert [line.split()[:5] for line in told] == [
        ["policy/no-egress", "0", "allowed", "1", "refused"],
        ["policy/pay", "1", "allowed", "0", "refused"],
    ]
    counted = [json.loads(line) for line in run(directory, "--counts", "--json").stdout.splitlines()]
    assert [(each["rule"], each["allowed"], each["refused"]) for each in counted] == [
        ("policy/no-egress", 0, 1),
        ("policy/pay", 1, 0),
    ]


def with_documents(place: Path) -> Path:
    directory = fill(place)
    with Record.open(directory, session="5e5", clock=lambda: datetime.now(UTC)) as record:
        for grants in (["pay", "old"], ["pay", "spare"]):
            document = {"kind": "policy", "file": "/srv/p.yaml", "digest": "d", "grants": grants}
            record.note("loaded", {"documents": [document]})
    return directory


def test_counts_name_the_grants_in_force_that_were_never_used(tmp_path: Path) -> None:
    directory = with_documents(tmp_path)
    told = run(directory, "--counts").stdout.splitlines()
    assert [line.split()[0] for line in told] == ["policy/no-egress", "policy/pay", "policy/spare"]
    assert told[2].split()[1:] == ["0", "allowed", "0", "refused", "never", "used"]
    counted = [json.loads(line) for line in run(directory, "--counts", "--json").stdout.splitlines()]
    assert counted[2] == {"rule": "policy/spare", "allowed": 0, "refused": 0, "last": None}


def test_counts_of_one_tool_do_not_call_other_grants_unused(tmp_path: Path) -> None:
    told = run(with_documents(tmp_path), "--counts", "--tool", "bank/*").stdout.splitlines()
    assert [line.split()[0] for line in told] == ["policy/pay"]


def test_a_server_that_is_not_recorded_is_said_with_those_that_are(tmp_path: Path) -> None:
    result = run(fill(tmp_path), "--server", "nope")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing is recorded of server `nope`; recorded are bank, web" in result.stderr


@pytest.mark.parametrize("options", [[], ["--json"], ["--counts"]])
def test_an_empty_record_says_what_to_do_next(tmp_path: Path, options: list[str]) -> None:
    result = run(tmp_path / "nowhere", *options)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "mcp-guard wrap -- COMMAND" in result.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_filter_that_leaves_nothing_says_so(tmp_path: Path) -> None:
    result = run(fill(tmp_path), "--tool", "nothing/*")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no entry is like that" in result.stderr


@pytest.mark.parametrize("since", ["yesterday", "2x", "99999999d", "2026-13-01", "", "-5m", "٣m"])
def test_a_time_that_is_none_is_refused_with_examples(tmp_path: Path, since: str) -> None:
    result = run(fill(tmp_path), "--since", since)
    assert result.exit_code == 2
    assert "30m, 2h, 7d" in result.stderr


def test_counts_and_follow_do_not_go_together(tmp_path: Path) -> None:
    assert run(fill(tmp_path), "--counts", "--follow").exit_code == 2


def test_a_record_that_is_open_to_others_is_refused_with_exit_code_2(tmp_path: Path) -> None:
    directory = fill(tmp_path)
    directory.chmod(0o755)
    result = run(directory)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"chmod 700 {directory}" in result.stderr


def test_help_has_an_example_and_every_option_has_its_words() -> None:
    told = CliRunner().invoke(log, ["--help"]).stdout
    assert "mcp-guard log --denied --since 2h" in told
    assert [option.name for option in log.params if isinstance(option, click.Option) and not option.help] == []


def hostile(place: Path) -> Path:
    with open_record(place) as record:
        record.step(request(server=HOSTILE, target=HOSTILE, principal=HOSTILE, client=HOSTILE), deny)
        record.note("withheld", {HOSTILE: [HOSTILE]})
    return record.directory


@pytest.mark.parametrize("options", [[], ["--json"], ["--counts"]])
def test_a_hostile_name_never_reaches_the_terminal(tmp_path: Path, options: list[str]) -> None:
    told = run(hostile(tmp_path), *options).stdout
    assert told
    assert not COMMANDS & set(told)
    assert all(char == "\n" or char.isprintable() for char in told)


def test_a_hostile_name_cannot_fake_a_line(tmp_path: Path) -> None:
    assert len(run(hostile(tmp_path)).stdout.splitlines()) == 3
    assert len(run(hostile(tmp_path / "json"), "--json").stdout.splitlines()) == 3


def test_json_gives_a_hostile_name_back_whole(tmp_path: Path) -> None:
    entries = [json.loads(line) for line in run(hostile(tmp_path), "--json").stdout.splitlines()]
    assert entries[1]["target"] == HOSTILE


def test_a_terminal_gets_a_table_with_colours_and_hostile_names_written_out(tmp_path: Path) -> None:
    def told(directory: Path) -> str:
        console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=250, no_color=False)
        show_table(rows_of(directory), console)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    fair = told(fill(tmp_path / "fair"))
    assert "\x1b[31mdeny" in fair
    assert "\x1b[32mallow, ok 3 ms" in fair
    foul = told(hostile(tmp_path / "foul"))
    assert "\\x1b[2J" in foul
    assert not (COMMANDS - {"\x1b"}) & set(foul)
    assert "\x1b[2J" not in foul
    assert "\x1b]" not in foul


def on_terminal(directory: Path, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, no_color=True, color_system=None)
    show_table(rows_of(directory), console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_narrow_terminal_never_breaks_a_name_and_keeps_to_its_width(tmp_path: Path) -> None:
    with open_record(tmp_path, Clock(datetime.now(UTC))) as record:
        record.step(request(target="transfer_money_between_accounts"), deny)
        record.finish(record.step(request(), allow()), Outcome.OK, duration_ms=3)
    lines = on_terminal(record.directory, 60)
    assert max(map(len, lines)) <= 60
    told = "\n".join(lines)
    for whole in ("bank/transfer_money_between_accounts", "policy/no-egress", "allow, ok 3 ms", record.chain[:8]):
        assert whole in told
    assert "alice" not in told


def test_a_wider_terminal_gets_columns_and_a_wide_one_who_asked(tmp_path: Path) -> None:
    directory = fill(tmp_path)
    assert on_terminal(directory, 105)[0].split() == ["time", "what", "effect", "why", "entry"]
    assert on_terminal(directory, 160)[0].split() == list(command.COLUMNS)


def test_the_date_is_left_out_on_its_own_day_only(tmp_path: Path) -> None:
    with open_record(tmp_path / "now", Clock(datetime.now(UTC))) as record:
        record.step(request(), deny)
    assert re.match(r"\d\d:\d\d:\d\d  deny", on_terminal(record.directory, 60)[-2])
    with open_record(tmp_path / "then") as record:
        record.step(request(), deny)
    assert on_terminal(record.directory, 200)[-1].startswith("2026-12-31 ")


def test_markup_in_a_name_is_no_markup(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(target="[red]x[/red]"), deny)
    console = Console(file=io.StringIO(), width=250)
    show_table(rows_of(record.directory), console)
    assert isinstance(console.file, io.StringIO)
    assert "[red]x[/red]" in console.file.getvalue()


@pytest.mark.parametrize(
    ("terminal", "no_color", "plain"),
    [(True, "", False), (True, "1", True), (False, "", True)],
)
def test_a_table_is_for_terminals_that_want_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, plain: bool
) -> None:
    chosen: list[str] = []
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(command, "Console", lambda: Console(force_terminal=terminal))
    monkeypatch.setattr(command, "show_table", lambda _: chosen.append("table"))
    monkeypatch.setattr(command, "show_lines", lambda _: chosen.append("lines"))
    run(fill(tmp_path))
    assert chosen == ["lines" if plain else "table"]


class Screen:
    """Keeps what was shown, in batches."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[str, str]]] = []

    def __call__(self, rows: Iterable[Row]) -> None:
        self.batches.append([(row.target, row.outcome) for row in rows])


class Script:
    """A pause in which the next thing happens, and Ctrl-C at the end."""

    def __init__(self, *steps: object) -> None:
        self._steps = list(steps)

    def __call__(self) -> None:
        if not self._steps:
            raise KeyboardInterrupt
        step = self._steps.pop(0)
        if callable(step):
            step()


def test_following_shows_what_was_there_then_what_comes_and_what_is_finished(tmp_path: Path) -> None:
    screen = Screen()
    with open_record(tmp_path) as record:
        record.step(request(target="old"), deny)
        slow = record.step(request(target="slow"), allow())

        def quick() -> None:
            record.finish(record.step(request(target="quick"), allow()), Outcome.OK, duration_ms=1)

        script = Script(None, quick, None, lambda: record.finish(slow, Outcome.ERROR, duration_ms=1))
        with pytest.raises(KeyboardInterrupt):
            follow_record(record.directory, Filter(tool="*", limit=1), screen, script)
    assert screen.batches == [[("slow", "")], [("quick", "ok")], [("slow", "error")]]


def test_following_waits_for_a_record_that_is_not_there_yet(tmp_path: Path) -> None:
    screen, opened = Screen(), list[Record]()
    with pytest.raises(KeyboardInterrupt):
        follow_record(tmp_path / "state", Filter(), screen, Script(None, lambda: opened.append(open_record(tmp_path))))
    opened[0].close()
    assert screen.batches == [[("", "")]]


def test_ctrl_c_ends_following_cleanly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: Script()())
    result = run(fill(tmp_path), "--follow", "--json")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 4


@pytest.mark.parametrize("show", [show_json, show_lines])
def test_nothing_to_show_prints_nothing(show: command.Show, capsys: pytest.CaptureFixture[str]) -> None:
    show([])
    assert capsys.readouterr().out == ""
