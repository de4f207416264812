"""`mcp-guard test`: what it finds, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mcp_guard.cli.case_files import Pair
from mcp_guard.policy.cases import HOME
from mcp_guard.policy.document import load_policy
from tests.cli.commands import guard

POLICY = """\
version: 1
grants:
  - {id: write, tool: files/write_file, args: {path: {under: $project}, content: any}}
deny:
  - {id: no-env, tool: files/*, args: {path: {matches: ".*[.]env"}}}
"""
SET = "set: {project: /srv/p}\n"
ALLOW = "  - {why: inside, call: files/write_file, args: {path: /srv/p/a, content: x}, expect: allow, rule: write}\n"
DENY = (
    "  - {why: a secret, call: files/write_file, args: {path: /srv/p/.env, content: x}, expect: deny, rule: no-env}\n"
)
OUTSIDE = "  - {why: outside, call: files/write_file, args: {path: /srv/a, content: x}, expect: deny}\n"
REST = """\
  - {why: all of it, call: files/write_file, args: [{path: /srv/p/a}, {content: x}], expect: deny}
  - {why: and no more, call: files/write_file, args: {path: /srv/p/a, content: x, mode: a}, expect: deny}
"""
GOOD = f"{SET}cases:\n{ALLOW}{DENY}{OUTSIDE}{REST}"
WRONG = OUTSIDE.replace("expect: deny", "expect: allow, rule: write")


def run(directory: Path, *arguments: str, **files: str) -> tuple[int, str, str]:
    """The command in a directory with p.yaml, p.cases.yaml and whatever else; `_` in a name is a dot."""
    for name, text in {"p_yaml": POLICY, "p_cases_yaml": GOOD, **files}.items():
        (directory / name.replace("_", ".")).write_text(text)
    done = guard(directory / "state", "test", *arguments, cwd=directory)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_run_that_is_fine_says_what_was_shown(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, "p.yaml", "--mutate", "--min-coverage", "100")
    assert out == (
        "p.cases.yaml about p.yaml\n"
        "  6 cases passed: 1 must allow, 0 must ask, 5 must deny\n"
        "  coverage 100.0%: 7 of 7 clauses\n"
        "  mutation: 6 weaker documents, each noticed by a case\n"
    )
    assert (code, err) == (0, "")


def test_a_failure_is_told_with_what_was_expected_the_rule_its_line_and_the_clause(tmp_path: Path) -> None:
    code, out, _ = run(
        tmp_path, "p.yaml", p_cases_yaml=f"{SET}cases:\n{WRONG}{ALLOW.replace('allow, rule: write', 'deny')}"
    )
    assert out == (
        "p.cases.yaml about p.yaml\n"
        "  FAIL p.cases.yaml:3:5 outside: files/write_file\n"
        "    expected allow by `write`, got deny (no_grant)\n"
        "    `write` (p.yaml:3:5) says nothing: argument `path`: not satisfied: an absolute path under /srv/p"
        " (given: a text of 6 characters)\n"
        "    grant `write` (p.yaml:3:5): argument `path`: not satisfied: an absolute path under /srv/p\n"
        "  FAIL p.cases.yaml:4:5 inside: files/write_file\n"
        "    expected deny, got allow by `write`\n"
        "    `write` (p.yaml:3:5) allows it\n"
        "  2 of 2 cases failed: 1 must allow, 0 must ask, 1 must deny\n"
        "  coverage 28.6%: 2 of 7 clauses\n"
    )
    assert code == 1


def test_coverage_below_the_minimum_is_told_rule_by_rule(tmp_path: Path) -> None:
    few = f"{SET}cases:\n{ALLOW}{OUTSIDE}"
    code, out, _ = run(tmp_path, "p.yaml", "--min-coverage", "80", p_cases_yaml=few)
    assert out == (
        "p.cases.yaml about p.yaml\n"
        "  2 cases passed: 1 must allow, 0 must ask, 1 must deny\n"
        "  coverage 28.6%: 2 of 7 clauses, 80% needed\n"
        "    write (p.yaml:3:5): 2 of 5\n"
        "      path: given: no case fails because of it alone\n"
        "      content: given: no case fails because of it alone\n"
        "      nothing else: no case fails because of it alone\n"
        "    no-env (p.yaml:5:5): 0 of 2\n"
        "      files/*: no case passes it\n"
        "      path: text that `.*[.]env` matches as a whole: no case passes it\n"
    )
    assert code == 1
    assert run(tmp_path, "p.yaml", "--min-coverage", "28", p_cases_yaml=few)[0] == 0


def test_a_mutant_that_is_left_is_told_with_a_case_to_paste(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, "p.yaml", "--mutate", p_cases_yaml=GOOD.replace(DENY, ""))
    assert code == 1
    lines = out.splitlines()
    assert lines[3:] == [
        "  mutation: 6 weaker documents, 1 not noticed",
        "    no-env (p.yaml:5:5) without this deny",
        '      - {why: "notices no-env: without this deny", call: files/x, args: {path: ".env"}, '
        "expect: deny, rule: no-env}",
    ]
    never = f"{POLICY}  - {{id: never, tool: files/*, args: {{path: {{matches: 'a$b'}}}}}}\n"
    _, out, _ = run(tmp_path, "p.yaml", "--mutate", p_yaml=never)
    assert (
        "      no call was found that tells the two apart: another rule may say the same; "
        "if none does, write a case that this rule allows, to start from"
    ) in out.splitlines()
    code, out, _ = run(tmp_path, "p.yaml", "--mutate", p_cases_yaml=GOOD.replace(OUTSIDE, ""))
    assert code == 1
    pasted = next(line.strip() for line in out.splitlines() if line.strip().startswith("- {"))
    code, out, _ = run(tmp_path, "p.yaml", "--mutate", p_cases_yaml=GOOD.replace(OUTSIDE, f"  {pasted}\n"))
    assert code == 0, out


def test_cases_that_only_allow_or_only_deny_are_pointed_out(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, "p.yaml", p_cases_yaml=f"{SET}cases:\n{ALLOW}")
    assert "no case must deny: nothing shows that anything is refused" in out
    assert code == 0
    assert "no case must allow" in run(tmp_path, "p.yaml", p_cases_yaml=f"{SET}cases:\n{DENY}")[1]


def test_json_says_the_same_for_programs(tmp_path: Path) -> None:
    few = f"{SET}cases:\n{ALLOW}{WRONG}"
    code, out, _ = run(tmp_path, "p.yaml", "--json", "--mutate", "--min-coverage", "10", p_cases_yaml=few)
    found: dict[str, Any] = json.loads(out)
    assert code == 1
    assert found["ok"] is False
    (file,) = found["files"]
    assert {key: file[key] for key in ("cases", "document", "ok", "total", "failed", "expected")} == {
        "cases": "p.cases.yaml",
        "document": "p.yaml",
        "ok": False,
        "total": 2,
        "failed": 1,
        "expected": {"allow": 2, "ask": 0, "deny": 0},
    }
    (failure,) = file["failures"]
    assert failure["expected"] == {"effect": "allow", "rule": "write", "reason": None}
    assert (failure["why"], failure["call"], failure["line"], failure["column"]) == (
        "outside",
        "files/write_file",
        4,
        5,
    )
    got = failure["got"]
    assert (got["effect"], got["reason"]) == ("deny", "no_grant")
    assert got["rules"] == [{"id": "write", "file": "p.yaml", "line": 3, "column": 5}]
    assert failure["problems"][0] == "expected allow by `write`, got deny (no_grant)"
    assert (file["coverage"]["clauses"], file["coverage"]["covered"], file["coverage"]["percent"]) == (7, 2, 28.6)
    rule = file["coverage"]["rules"][0]
    assert (rule["id"], rule["line"]) == ("write", 3)
    assert rule["clauses"][0] == {"clause": "files/write_file", "passed": 1, "failed": 0, "covered": True}
    mutation = file["mutation"]
    assert mutation["mutants"] == 6
    assert {"rule", "line", "column", "what", "suggestion"} == mutation["survivors"][0].keys()


def test_junit_has_a_test_for_each_case_and_for_what_else_was_asked(tmp_path: Path) -> None:
    few = f"{SET}cases:\n{ALLOW}{WRONG}"
    options = ("--junit", "out.xml", "--mutate", "--min-coverage", "50")
    assert run(tmp_path, "p.yaml", *options, p_cases_yaml=few)[0] == 1
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()[0]  # noqa: S314 - our own
    tests = {test.get("name"): test for test in suite}
    assert suite.get("name") == "p.cases.yaml"
    assert suite.get("tests") == str(len(tests)) == str(3 + 6)
    assert suite.get("failures") == str(sum(len(test) for test in suite)) == "8"
    assert len(tests["inside: files/write_file"]) == 0
    failure = tests["outside: files/write_file"][0]
    assert failure.get("message") == "expected allow by `write`, got deny (no_grant)"
    assert "p.yaml:3:5" in (failure.text or "")
    assert tests["coverage"][0].get("message") == "coverage 28.6% is below 50%"
    assert any(str(name).startswith("mutation: write") for name in tests)


# --- what is found ---


def test_a_document_its_cases_their_directory_and_nothing_at_all_name_the_same(tmp_path: Path) -> None:
    for named in ("p.yaml", "p.cases.yaml", ".", ""):
        code, out, _ = run(tmp_path, *([named] if named else []))
        assert (code, out.splitlines()[0]) == (0, "p.cases.yaml about p.yaml")


def test_several_are_run_each_once_and_one_failure_is_enough(tmp_path: Path) -> None:
    files = {"q_yaml": POLICY, "q_cases_yaml": f"{SET}cases:\n{WRONG}"}
    code, out, _ = run(tmp_path, "p.yaml", ".", **files)
    assert code == 1
    assert [line for line in out.splitlines() if " about " in line] == [
        "p.cases.yaml about p.yaml",
        "q.cases.yaml about q.yaml",
    ]


def test_another_policy_can_be_held_to_the_same_cases(tmp_path: Path) -> None:
    wide = POLICY.replace("{under: $project}", "any")
    code, out, _ = run(tmp_path, "--policy", "wide.yaml", "p.cases.yaml", wide_yaml=wide)
    assert code == 1
    assert "FAIL p.cases.yaml:5:5 outside" in out
    code, out, _ = run(tmp_path, "--policy", "p.yaml")
    assert (code, out.splitlines()[0]) == (0, "p.cases.yaml about p.yaml")


def test_guard_yaml_names_the_policy_and_the_mandate_that_are_tested(tmp_path: Path) -> None:
    config = "version: 1\npolicy: p.yaml\nmandate: m.yaml\nset: {project: ., place: /srv/q}\n"
    config += "servers: {files: {command: [x]}}\n"
    mandate = "version: 1\ntask: t\nexpires: 30m\ngrants: [{id: m, tool: s/t, args: {x: $place}}]\n"
    cases = "cases: [{why: w, call: s/t, args: {x: /srv/q}, expect: allow, rule: m}]\n"
    files = {"guard_yaml": config, "m_yaml": mandate, "m_cases_yaml": cases}
    for options in ([], ["--config", "guard.yaml"]):
        code, out, _ = run(tmp_path, *options, **files)
        assert code == 0
        assert [line.split()[0] for line in out.splitlines() if " about " in line] == [
            f"{tmp_path}/p.cases.yaml",
            f"{tmp_path}/m.cases.yaml",
        ]
    (tmp_path / "m.cases.yaml").unlink()
    del files["m_cases_yaml"]
    assert run(tmp_path, **files)[1].count(" about ") == 1


def test_a_mandate_file_is_found_beside_the_cases(tmp_path: Path) -> None:
    mandate = "version: 1\ntask: t\nexpires: 30m\ngrants: [{id: m, tool: files/*, args: any}]\n"
    cases = f"{SET}cases:\n{ALLOW.replace('rule: write', 'rule: m, mandate: m.yaml')}{OUTSIDE}"
    assert run(tmp_path, "p.yaml", m_yaml=mandate, p_cases_yaml=cases)[0] == 0
    code, _, err = run(tmp_path, "p.yaml", p_cases_yaml=cases.replace("m.yaml", "n.yaml"))
    assert code == 2
    assert "there is no `n.yaml` (p.cases.yaml:3:" in err


@pytest.mark.parametrize(
    ("arguments", "files", "message"),
    [
        (["no.yaml"], {}, "there is no no.cases.yaml in"),
        (["p.yaml"], {"p_cases_yaml": "cases: [{why: w}]"}, "(p.cases.yaml:1:9)"),
        (["p.yaml"], {"p_yaml": "version: 2\n"}, "(p.yaml:1:10)"),
        (["q.cases.yaml"], {"q_cases_yaml": GOOD}, "there is no q.yaml in"),
        (["--config", "g.yaml"], {"g_yaml": "version: 1\nservers: {f: {command: [x]}}\n"}, "names no policy"),
        (["--config", "g.yaml", "--policy", "p.yaml"], {}, "keep one of them"),
        (["p.yaml", "--junit", "no/where.xml"], {}, "can't write no/where.xml"),
        (["p.yaml", "--min-coverage", "101"], {}, "--min-coverage"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], files: dict[str, str], message: str
) -> None:
    code, out, err = run(tmp_path, *arguments, **files)
    assert code == 2
    assert message in err
    assert "passed" not in out or "junit" in arguments[1]


def test_a_document_is_not_proposed_for_its_own_cases(tmp_path: Path) -> None:
    code, _, err = run(tmp_path, "q.mandate.yaml", q_mandate_yaml="version: 1\ntask: x\nexpires: 1h\n")
    assert code == 2
    assert "there is no q.mandate.cases.yaml in" in err
    assert "did you mean `q.mandate.yaml`?" not in err


def test_a_directory_without_cases_says_what_to_write(tmp_path: Path) -> None:
    done = guard(tmp_path / "state", "test", cwd=tmp_path)
    assert done.returncode == 2
    assert "write `project.cases.yaml` beside `project.yaml`" in done.stderr


def test_a_bad_file_is_found_before_any_other_is_run(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, ".", q_yaml=POLICY, q_cases_yaml="cases: []")
    assert (code, out) == (2, "")


# --- what a case file can't do ---


def test_a_policy_says_the_same_with_its_cases_as_alone(tmp_path: Path) -> None:
    hostile = (
        "set: {project: /srv/p}\ncases:\n"
        "  - {why: w, call: s/t, expect: deny, mandate: {version: 1, task: t, expires: 9h, "
        "grants: [{id: write, tool: '*/*', args: any}]}}\n"
    )
    (tmp_path / "p.yaml").write_text(POLICY)
    (tmp_path / "p.cases.yaml").write_text(hostile)
    tested = Pair(tmp_path / "p.cases.yaml", tmp_path / "p.yaml").suite().document
    alone = load_policy(tmp_path / "p.yaml", variables={"project": "/srv/p"}, home=HOME)
    assert tested == alone
    (tmp_path / "p.cases.yaml").write_text(hostile.replace("set: {project: /srv/p}\n", ""))
    tested = Pair(tmp_path / "p.cases.yaml", tmp_path / "p.yaml").suite().document
    assert tested == load_policy(tmp_path / "p.yaml", home=HOME)


def test_no_other_command_looks_at_a_case_file(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    call = ("explain", "--policy", "p.yaml", "files/write_file", '{"path": "/srv/p/a", "content": "x"}')
    before = guard(tmp_path / "s", *call, cwd=tmp_path)
    os.mkfifo(tmp_path / "p.cases.yaml")  # who opens it waits for ever
    after = guard(tmp_path / "s", *call, cwd=tmp_path)
    assert (after.returncode, after.stdout) == (before.returncode, before.stdout)


def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    os.mkfifo(tmp_path / "p.cases.yaml")
    done = guard(tmp_path / "s", "test", "p.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "isn't a file" in done.stderr


def test_a_case_file_steers_neither_the_terminal_nor_the_report(tmp_path: Path) -> None:
    why = '"[red]x[/]\\e[2J\\u202e \\0 ]]> <b>"'
    bad = f"{SET}cases:\n{WRONG.replace('why: outside', f'why: {why}')}"
    code, out, err = run(tmp_path, "p.yaml", "--junit", "out.xml", "--mutate", p_cases_yaml=bad)
    assert code == 1
    assert "FAIL p.cases.yaml:3:5 [red]x[/]\\x1b[2J\\u202e \\x00 ]]> <b>: files/write_file" in out
    assert "\x1b" not in out + err
    names = [test.get("name", "") for test in ElementTree.parse(tmp_path / "out.xml").iter("testcase")]  # noqa: S314
    assert names[0].startswith("[red]x[/]\\x1b[2J")
    code, out, _ = run(tmp_path, "p.yaml", "--json", p_cases_yaml=bad)
    assert json.loads(out)["files"][0]["failures"][0]["why"].startswith("[red]x[/]\x1b")
    assert "\x1b" not in out


def test_nothing_is_written_to_the_record(tmp_path: Path) -> None:
    run(tmp_path, "p.yaml", "--mutate")
    assert not (tmp_path / "state").exists()


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    run(tmp_path, "p.yaml")
    closed, ours = os.pipe()
    os.close(closed)
    command = [sys.executable, "-m", "mcp_guard", "test", "p.yaml"]
    done = subprocess.run(command, cwd=tmp_path, stdout=ours, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(ours)
    assert (done.returncode, done.stderr) == (0, b"")
