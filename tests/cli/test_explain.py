"""`mcp-guard explain`: the answer, the line, and what would change it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.commands import guard

POLICY = """\
version: 1
grants:
  - {id: write, tool: files/write_file, args: {path: {under: $project}, content: any}}
deny:
  - {id: no-env, tool: files/*, args: {path: {matches: ".*[.]env"}}}
"""


def explain(directory: Path, *arguments: str) -> tuple[int, str]:
    (directory / "p.yaml").write_text(POLICY)
    result = guard(directory / "s", "explain", "--policy", "p.yaml", *arguments, cwd=directory)
    return result.returncode, result.stdout + result.stderr


def test_an_allowed_call_names_its_rule_and_line(tmp_path: Path) -> None:
    code, text = explain(tmp_path, "files/write_file", json.dumps({"path": f"{tmp_path}/a.txt", "content": "x"}))
    assert code == 0
    assert re.search(r"write allows.*p\.yaml:3:5", text)


def test_a_denied_call_names_its_rule_and_line(tmp_path: Path) -> None:
    code, text = explain(tmp_path, "files/write_file", json.dumps({"path": f"{tmp_path}/.env", "content": "x"}))
    assert code == 1
    assert re.search(r"no-env denies.*p\.yaml:5:5", text)


def test_the_change_it_proposes_allows_the_call(tmp_path: Path) -> None:
    call = ("files/write_file", json.dumps({"path": "/srv/elsewhere/a.txt", "content": "x"}))
    code, text = explain(tmp_path, *call)
    assert code == 1
    (line,) = re.findall(r"^ +(- \{id: .*\})$", text, flags=re.MULTILINE)
    (tmp_path / "wider.yaml").write_text(POLICY.replace("deny:", f"  {line}\ndeny:"))
    wider = guard(tmp_path / "s", "explain", "--policy", "wider.yaml", *call, cwd=tmp_path)
    assert wider.returncode == 0, wider.stdout


def test_a_call_that_names_the_policy_itself_is_refused_whatever_is_granted(tmp_path: Path) -> None:
    call = ("files/write_file", json.dumps({"path": f"{tmp_path}/p.yaml", "content": "x"}))
    code, text = explain(tmp_path, *call)
    assert code == 1
    assert "protected" in text


def test_arguments_are_read_as_strictly_as_those_of_a_client(tmp_path: Path) -> None:
    code, text = explain(tmp_path, "files/write_file", '{"path": "/a", "path": "/b"}')
    assert code == 2
    assert "names one key twice" in text


def test_an_entry_that_is_not_in_the_record_is_wrong_input(tmp_path: Path) -> None:
    code, text = explain(tmp_path, "ab12cd34-7")
    assert code == 2
    assert "mcp-guard log" in text
