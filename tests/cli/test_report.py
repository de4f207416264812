"""`docs/report.md` as a reader would follow it, over the record of the demo's calls."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_guard.bundled import bundled
from mcp_guard.cli.demo import _set_up, attempts
from tests.cli.commands import guard
from tests.fixtures.client import RawClient, RpcError

DOCUMENT = Path(__file__).parents[2] / "docs" / "report.md"


@dataclass(frozen=True)
class Played:
    """A directory with the demo's record, its policy, and one that says less."""

    home: Path

    def run(self, line: str) -> tuple[int, str]:
        words = shlex.split(line.removeprefix("mcp-guard "))
        done = guard(self.home / "record", *words, cwd=self.home)
        assert done.returncode in {0, 1}, done.stderr
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    home = tmp_path_factory.mktemp("played").resolve()
    text = bundled("policies", "demo.yaml").read_text().replace("$project", str(home / "files" / "root"))
    (home / "demo.yaml").write_text(text)
    (home / "tighter.yaml").write_text("".join(line for line in text.splitlines(True) if "help-pages" not in line))
    asyncio.run(play(home))
    return Played(home)


async def play(home: Path) -> None:
    """The demo's calls, into a record that stays."""
    command = [sys.executable, "-m", "mcp_guard", "run", "--config", str(_set_up(home)), "--record", "values"]
    command += ["--candidate", str(home / "tighter.yaml")]
    environment = {**os.environ, "MCP_GUARD_STATE": str(home / "record")}
    async with RawClient(command, env=environment, cwd=home, timeout=60) as client:
        await client.initialize()
        await client.list_all()
        for attempt in attempts(home / "files" / "root"):
            try:
                await client.call(attempt.tool, attempt.arguments)
            except RpcError:
                assert not attempt.allowed


def transcripts() -> Iterator[tuple[str, list[str]]]:
    for block in re.findall(r"^```console\n(.*?)^```$", DOCUMENT.read_text(), flags=re.MULTILINE | re.DOTALL):
        line, *output = block.removeprefix("$ ").splitlines()
        yield line, output


def squeezed(text: str) -> str:
    return re.sub(r"[ \t]+", " ", re.sub(r" +$", "", text, flags=re.MULTILINE))


@pytest.mark.parametrize(("line", "output"), list(transcripts()), ids=[line for line, _ in transcripts()])
def test_a_command_prints_what_the_page_shows(played: Played, line: str, output: list[str]) -> None:
    _, printed = played.run(line)
    parts = (r"[\s\S]*".join(re.escape(part.strip(" ")) for part in squeezed(one).split("...")) for one in output)
    pattern = r" *\n ?".join(parts)
    assert re.match(pattern, squeezed(printed)), f"{squeezed(printed)}\n{pattern}"


def test_a_refusal_is_one_line_on_a_narrow_terminal(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    _, printed = played.run("mcp-guard report")
    (line,) = (line for line in printed.splitlines() if "bank/add_payee" in line)
    assert "the session had met untrusted content before" in line
    assert "unknown_target" in line


def test_the_page_has_the_transcripts_that_are_run() -> None:
    assert [line.split()[1] for line, _ in transcripts()] == ["report", "report", "replay", "report", "suggest"]


def test_the_same_policy_replayed_loosens_nothing_that_it_can_tell(played: Played) -> None:
    _, printed = played.run("mcp-guard replay --json --policy demo.yaml")
    changes = [json.loads(line) for line in printed.splitlines()]
    assert len(changes) == 11
    assert {one["change"] for one in changes} <= {"as before", "can't be told"}


def test_a_wider_policy_is_a_no(played: Played) -> None:
    text = (played.home / "demo.yaml").read_text()
    (played.home / "wider.yaml").write_text(
        re.sub(r"recipient: \{in.*\}", "recipient: any", text).replace("{above: 0, max: 60}", "any")
    )
    code, printed = played.run("mcp-guard replay --policy wider.yaml")
    assert code == 1
    assert "bank/transfer_money" in printed
    (played.home / "none.yaml").write_text("version: 1\ngrants: []\n")
    code, printed = played.run("mcp-guard replay --policy none.yaml")
    assert code == 0
    assert "4 newly denied" in printed


def test_a_copy_from_elsewhere_is_not_held_against_a_key_that_may_not_be_its_own(played: Played) -> None:
    copy = played.home / "copy.db"
    with closing(sqlite3.connect(played.home / "record" / "guard.db")) as record, closing(sqlite3.connect(copy)) as to:
        record.backup(to)
    copy.chmod(0o600)
    command = "mcp-guard report --json --policy demo.yaml --file copy.db"
    alone, known = (json.loads(played.run(f"{command}{more}")[1])["slack"] for more in ("", " --state record"))
    assert not [one for one in alone if "values never used" in one["says"]]
    assert [one["says"] for one in known if "values never used" in one["says"]]


def test_what_bound_before_the_time_that_is_asked_about_still_counts(played: Played) -> None:
    _, printed = played.run("mcp-guard report --json --since 2999-01-01")
    data = json.loads(printed)
    assert (data["decisions"], len(data["unused"])) == ({}, 7)


def test_the_page_is_one_file_that_says_the_same(played: Played) -> None:
    played.run("mcp-guard report --html out.html")
    written = (played.home / "out.html").read_text()
    assert "policy/pay-known-payees" in written
    assert "<svg" in written
    assert written.endswith("</html>\n")
