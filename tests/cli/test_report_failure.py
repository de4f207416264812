"""`mcp-guard report-failure`: what was allowed is denied from that moment on, exactly, in guards that run too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import guard
from tests.guards import Stand, decision_in

POLICY = "version: 1\ngrants: [{id: say, tool: raw/echo, args: {text: any}}]\n"
MAIL = {"text": "iris@evil.example"}


async def test_a_reported_call_is_denied_at_once_and_left_out_of_suggestions(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    words = ["wrap", "--name", "raw", "--policy", str(stand.policy_file), "--record", "values"]
    async with stand.client([*words, "--", *stand.server()]) as client:
        await client.initialize()
        await client.list_all()
        assert "isError" not in await client.call("echo", MAIL)
        await client.call("echo", {"text": "tomas@good.example"})
        entry = stand.decisions()[0].id
        done = guard(stand.state, "report-failure", entry, "--reason", "not\nmy list")
        assert done.returncode == 0, done.stderr
        refused = await client.call("echo", MAIL)
        assert decision_in(refused)["rule"].startswith("local/")
        assert "isError" not in await client.call("echo", {"text": "tomas@good.example"})
    assert "domain_in: [evil.example]" in done.stdout
    assert len(stand.ledger()) == 3
    found = guard(stand.state, "suggest", "--policy", str(stand.policy_file), "--json")
    data = json.loads(found.stdout)
    assert (data["reported"], data["calls"]) == ([entry], 2)
    assert "text: {domain_in: [good.example]}" in data["policy"]
    assert f"# {entry} was reported" in data["policy"]
    assert stand.verified() == []
    assert f"{entry} reported" in guard(stand.state, "log", "--kind", "reported").stdout


async def test_without_values_it_wants_them_and_takes_only_those_of_the_call(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    async with stand.wrap() as client:
        await client.initialize()
        await client.list_all()
        await client.call("echo", MAIL)
        assert (await client.call("echo", {**MAIL, "more": 1}))["isError"]
    entry, denied = (row.id for row in stand.decisions())

    def report(*words: str) -> tuple[int, str]:
        done = guard(stand.state, "report-failure", *words)
        return done.returncode, done.stdout + done.stderr

    code, said = report(entry)
    assert (code, "--arguments JSON" in said) == (1, True)
    code, said = report(entry, "--arguments", '{"text": "another"}')
    assert (code, "didn't have these arguments: text" in said) == (1, True)
    assert report("3f9a1c2e-999")[0] == 2
    assert report(denied)[0] == 1
    assert [row for row in stand.rows() if row.kind == "reported"] == []
    code, said = report(entry, "--arguments", json.dumps(MAIL))
    assert (code, f"revoke --policy {stand.policy_file} --undo local/1" in said) == (0, True)
    code, said = report(entry, "--whole-tool")
    assert (code, "whatever its arguments are" in said) == (0, True)


@pytest.mark.parametrize("words", [[], ["--policy", "nowhere.yaml"], ["--hold-out", "x"]])
def test_what_is_wrong_with_a_suggestion_is_said(tmp_path: Path, words: list[str]) -> None:
    done = guard(tmp_path / "state", "suggest", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


def test_nothing_is_suggested_from_an_empty_record(tmp_path: Path) -> None:
    stand = Stand(tmp_path, POLICY)
    done = guard(stand.state, "suggest", "--policy", str(stand.policy_file))
    assert (done.returncode, done.stdout) == (1, "")
