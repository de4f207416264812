"""`mcp-guard diff`, as somebody runs it before they merge a change to a policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import guard

OLD = """\
version: 1
grants:
  - {id: read, tool: files/read, args: {path: {under: $project/notes}}}
  - {id: pay, tool: bank/pay, args: {amount: {max: 50}}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "wider.yaml").write_text(OLD.replace("max: 50", "max: 60"))
    (tmp_path / "narrower.yaml").write_text(OLD.replace("max: 50", "max: 40"))
    return tmp_path


def test_a_narrower_policy_is_proved_and_exits_0(place: Path) -> None:
    result = guard(place / "s", "diff", "old.yaml", "narrower.yaml", cwd=place)
    assert result.returncode == 0
    assert "NOT WIDER, proved" in result.stdout
    assert "Permitted now and not before: nothing (proved)" in result.stdout
    assert 'such as {"amount": 50}' in result.stdout


def test_a_wider_policy_exits_1_with_a_call_the_rule_and_its_line(place: Path) -> None:
    result = guard(place / "s", "diff", "old.yaml", "wider.yaml", cwd=place)
    assert result.returncode == 1
    assert "bank/pay: allowed by `pay` (wider.yaml:4:5)" in result.stdout
    assert 'such as {"amount": 60}' in result.stdout
    assert "before: no grant covers it" in result.stdout


def test_tools_that_one_rule_opens_in_the_same_way_are_told_together(place: Path) -> None:
    tools = "[files/a, files/b, files/c]"
    (place / "more.yaml").write_text(f"{OLD}  - {{id: more, tool: {tools}, args: {{}}}}\n")
    result = guard(place / "s", "diff", "old.yaml", "more.yaml", cwd=place)
    assert result.stdout.count("allowed by `more`") == 1
    assert "files/a, files/b, files/c: allowed by `more` (more.yaml:5:5)" in result.stdout
    assert "such as {} (files/a)" in result.stdout
    answer = json.loads(guard(place / "s", "diff", "--json", "old.yaml", "more.yaml", cwd=place).stdout)
    assert len(answer["gained"]["findings"]) == 3


def test_what_is_unknown_is_said_and_exits_1(place: Path) -> None:
    (place / "a.yaml").write_text("version: 1\ngrants: [{id: a, tool: s/t, args: {x: {matches: '\\p{L}+'}}}]\n")
    (place / "b.yaml").write_text("version: 1\ngrants: [{id: a, tool: s/t, args: {x: {matches: '\\p{Lu}+'}}}]\n")
    result = guard(place / "s", "diff", "a.yaml", "b.yaml", cwd=place)
    assert result.returncode == 1
    assert "UNKNOWN, which counts as wider" in result.stdout
    assert "s/t: unknown, for `a` (b.yaml:2:10): no proof" in result.stdout


def test_a_document_is_the_same_as_itself(place: Path) -> None:
    result = guard(place / "s", "diff", "old.yaml", "old.yaml", cwd=place)
    assert (result.returncode, "THE SAME, proved" in result.stdout) == (0, True)


def test_json_has_both_directions_with_the_whole_call(place: Path) -> None:
    result = guard(place / "s", "diff", "--json", "old.yaml", "wider.yaml", cwd=place)
    answer = json.loads(result.stdout)
    assert (result.returncode, answer["wider"], answer["lost"]) == (1, True, {"verdict": "proved", "findings": []})
    (finding,) = answer["gained"]["findings"]
    assert (finding["target"], finding["verdict"], finding["effect"]) == ("bank/pay", "witness", "allow")
    assert finding["rules"][0] == {"id": "pay", "layer": "policy", "file": "wider.yaml", "line": 4, "column": 5}
    assert finding["witness"]["arguments"] == {"amount": 60}


def test_markdown_lets_no_document_write_into_the_comment(place: Path) -> None:
    hostile = 'version: 1\ngrants: [{id: a, tool: "s/t](http://x.example)@all`<b>", args: any}]\n'
    (place / "hostile.yaml").write_text(hostile)
    result = guard(place / "s", "diff", "--markdown", "old.yaml", "hostile.yaml", cwd=place)
    (line,) = [line for line in result.stdout.splitlines() if "allowed by 'a'" in line]
    assert line.startswith("- `s/t](http://x.example)@all'<b>: ") and line.endswith("`")
    assert line.count("`") == 2


def test_the_project_is_one_directory_for_both_unless_it_is_said(place: Path) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "old.yaml").write_text(OLD)
    assert guard(place / "s", "diff", "elsewhere/old.yaml", "old.yaml", cwd=place).returncode == 0
    apart = guard(place / "s", "diff", "--set-old", "project=elsewhere", "old.yaml", "old.yaml", cwd=place)
    assert apart.returncode == 1


def test_two_mandates_and_two_configurations_are_compared(place: Path) -> None:
    task = "version: 1\ntask: a task\nexpires: {}\ngrants: [{{id: look, effect: read, args: any}}]\n"
    for name, expires in (("short", "1h"), ("long", "2h")):
        (place / f"{name}.yaml").write_text(task.format(expires))
        servers = "servers: {files: {command: ['true']}}"
        (place / f"{name}.guard.yaml").write_text(f"version: 1\npolicy: old.yaml\nmandate: {name}.yaml\n{servers}\n")
    assert guard(place / "s", "diff", "long.yaml", "short.yaml", cwd=place).returncode == 0
    assert guard(place / "s", "diff", "short.yaml", "long.yaml", cwd=place).returncode == 1
    assert guard(place / "s", "diff", "long.guard.yaml", "short.guard.yaml", cwd=place).returncode == 0
    assert guard(place / "s", "diff", "short.guard.yaml", "old.yaml", cwd=place).returncode == 1


@pytest.mark.parametrize(
    ("file", "said"), [("missing.yaml", "can't read missing.yaml"), ("bad.yaml", "bad.yaml:2:1"), (".", "can't read .")]
)
def test_a_document_that_does_not_load_is_wrong_input(place: Path, file: str, said: str) -> None:
    (place / "bad.yaml").write_text("version: 1\ngrnts: []\n")
    result = guard(place / "s", "diff", "old.yaml", file, cwd=place)
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stdout == ""
