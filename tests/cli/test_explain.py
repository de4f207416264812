"""`mcp-guard explain`: the answer, the line, and what would change it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from mcp_guard.model import Charge, Decision, Effect, RuleRef
from mcp_guard.record.store import Record
from tests.cli.commands import guard
from tests.record.examples import request

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


@pytest.mark.parametrize(
    ("subject", "hint"),
    [
        ("files__write_file", "did you mean `files/write_file`?"),
        ("write_file", "did you mean `files/write_file`?"),
        ("nonsense", "such as files/write_file"),
    ],
)
def test_another_way_to_name_a_tool_is_said_in_the_documents_words(tmp_path: Path, subject: str, hint: str) -> None:
    code, text = explain(tmp_path, subject, "{}")
    assert code == 2
    assert hint in text


def test_a_relative_path_is_said_to_be_one_before_a_grant_is_proposed(tmp_path: Path) -> None:
    code, text = explain(tmp_path, "files/write_file", '{"path": "notes/a.txt", "content": "x"}')
    assert code == 1
    hint = f'Write the path absolute: `path`: "{tmp_path}/notes/a.txt"'
    assert hint in text
    assert text.index(hint) < text.index("add this grant")
    assert explain(tmp_path, "files/write_file", f'{{"path": "{tmp_path}/notes/a.txt", "content": "x"}}')[0] == 0
    assert "absolute:" not in explain(tmp_path, "files/write_file", '{"path": "/etc/hosts", "content": "x"}')[1]


def test_what_belongs_to_the_guard_is_said_to_be_closed_to_every_document(tmp_path: Path) -> None:
    _, text = explain(tmp_path, "files/write_file", json.dumps({"path": f"{tmp_path}/p.yaml", "content": "x"}))
    assert "no document can allow this" in text
    _, text = explain(tmp_path, "files/write_file", '{"path": "/etc/hosts", "content": "x"}')
    assert "no document can allow this" not in text


def test_an_entry_that_is_no_call_is_told_in_words(tmp_path: Path) -> None:
    with Record.open(tmp_path / "s", session="5e5", clock=lambda: datetime.now(UTC)) as record:
        record.note("server_exited", {"server": "web", "why": "it left"})
    code, text = explain(tmp_path, f"{record.chain[:8]}-1")
    assert code == 0
    assert "happened: server web ended: it left" in text
    assert "decision" not in text
    assert "arguments" not in text


def test_a_policy_that_has_its_project_from_a_guard_yaml_beside_it_is_pointed_there(tmp_path: Path) -> None:
    config = "version: 1\npolicy: p.yaml\nset: {project: /srv/project}\nservers: {files: {command: [x]}}\n"
    (tmp_path / "guard.yaml").write_text(config)
    call = ("files/write_file", json.dumps({"path": "/srv/project/a.txt", "content": "x"}))
    code, text = explain(tmp_path, *call)
    assert code == 1
    assert "sets project for this policy" in text
    assert "--config" in text
    assert "--config" not in explain(tmp_path, "--set", "project=/srv/project", *call)[1]
    (tmp_path / "guard.yaml").write_text(config.replace("p.yaml", "other.yaml"))
    assert "--config" not in explain(tmp_path, *call)[1]


def test_a_label_of_the_session_is_taken_into_account_and_the_one_that_a_call_gives_is_said(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "version: 1\ntools: {s/t: {effect: read, gives: seen}}\n"
        "grants: [{id: g, tool: s/t, args: any, when: {no_labels: [seen]}}]\n"
    )
    line = ["explain", "--policy", "p.yaml", "s/t"]
    fresh = guard(tmp_path / "s", *line, cwd=tmp_path)
    assert (fresh.returncode, "it gives the session the label seen" in fresh.stdout) == (0, True)
    met = guard(tmp_path / "s", *line, "--label", "seen", cwd=tmp_path)
    assert met.returncode == 1
    assert "history: what this session has read or done so far closes the grant" in met.stdout
    assert "g says nothing: this session has the label seen" in met.stdout


def test_without_a_call_it_says_the_document_in_sentences(tmp_path: Path) -> None:
    code, text = explain(tmp_path)
    assert code == 0
    assert text.splitlines()[0] == "policy p.yaml"
    assert f"  write: may call files/write_file with path: an absolute path under {tmp_path}; content: anything" in text
    assert "  no-env: never call files/*" in text
    code, text = explain(tmp_path, "--json")
    assert [one["kind"] for one in json.loads(text)["documents"]] == ["policy"]


def test_of_a_tool_it_says_every_rule_and_of_a_denied_call_the_nearest_permitted_one(tmp_path: Path) -> None:
    code, text = explain(tmp_path, "files/write_file")
    assert code == 1
    assert re.search(r"^write: may call files/write_file .*p\.yaml:3:5$", text, flags=re.MULTILINE)
    code, text = explain(tmp_path, "files/write_file", json.dumps({"path": "/etc/hosts", "content": "x"}))
    assert f'The nearest call that is permitted: {{"path": "{tmp_path}/hosts", "content": "x"}}' in text
    code, text = explain(tmp_path, "--json", "files/write_file", json.dumps({"path": "/etc/hosts", "content": "x"}))
    said = json.loads(text)
    assert said["nearest"] == {
        "arguments": {"path": f"{tmp_path}/hosts", "content": "x"},
        "changed": ["path"],
        "effect": "allow",
    }


def test_what_belongs_to_the_guard_is_never_the_nearest_call(tmp_path: Path) -> None:
    _, text = explain(tmp_path, "--json", "files/write_file", json.dumps({"path": "/x/p.yaml", "content": "x"}))
    near = json.loads(text).get("nearest", {"arguments": {"path": ""}})
    assert near["arguments"]["path"] != f"{tmp_path}/p.yaml"


def _always(decision: Decision, _: object) -> Decision:
    return decision


def test_with_a_policy_it_says_what_the_rules_of_an_entry_say_by_now(tmp_path: Path) -> None:
    with Record.open(tmp_path / "s", session="5e5", clock=lambda: datetime.now(UTC)) as record:
        for rule in ("write", "gone"):
            ref = RuleRef("policy", rule, Effect.ALLOW, "p.yaml", 3, 5)
            said = Decision(Effect.ALLOW, rules=(ref,), charges=(Charge(ref.key, calls=0),))
            record.step(request(session="5e5"), partial(_always, said))
    code, text = explain(tmp_path, f"{record.chain[:8]}-1")
    assert code == 0
    assert re.search(r"^now: write: may call files/write_file .*p\.yaml:3:5$", text, flags=re.MULTILINE)
    _, text = explain(tmp_path, f"{record.chain[:8]}-2")
    assert "now: there is no policy/gone any more" in text


def test_a_mandate_is_explained_alone_where_there_is_no_guard_yaml(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "version: 1\ntask: t\nexpires: 30m\ngrants: [{id: t, tool: time/now, args: {zone: UTC}}]\n"
    )
    said = guard(tmp_path / "s", "explain", "--mandate", "m.yaml", "time/now", '{"zone": "UTC"}', cwd=tmp_path)
    assert (said.returncode, "about the mandate alone" in said.stderr) == (0, True), said.stderr
    assert guard(tmp_path / "s", "explain", "--mandate", "m.yaml", "time/now", cwd=tmp_path).returncode == 1
