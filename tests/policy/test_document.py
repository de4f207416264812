"""Policies and mandates that load: what they come to mean, and the authority that they make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mcp_guard.errors import InputError
from mcp_guard.model import EVERY_EFFECT, Effect, EffectClass
from mcp_guard.policy.document import Authority, load_mandate, load_policy, load_text
from mcp_guard.policy.yaml_source import read_yaml
from tests.policy.scene import NOON, mandate, policy

EXAMPLE_POLICY = """\
version: 1
tools:
  web/fetch:           {effect: [read, egress], gives: untrusted}
  mail/read_email:     {effect: read, gives: untrusted}
  mail/send_email:     {effect: egress, authority: [to, cc, bcc]}
  bank/list_payees:    {effect: read}
  bank/transfer_money: {effect: spend, authority: [recipient]}
  files/read_text_file: {effect: read, gives: [{label: untrusted, args: {path: {under: ~/Downloads}}}]}
grants:
  - id: write-project
    tool: files/write_file
    args: {path: {under: $project, not_name: ["*.env", "*.pem"]}, content: any}
    advice: Write only inside the project; .env files are off limits.
  - {id: read-project, tool: [files/read_text_file, files/list_directory], args: {path: {under: $project}}, others: any}
  - {id: docs, tool: web/fetch, args: {url: {host_in: [docs.python.org, .example.com]}}, others: any}
  - {id: inbox, tool: [mail/read_email, bank/list_payees], args: any}
  - id: mail-inside
    tool: mail/send_email
    args: {to: {each: {domain_in: [example.com]}}, body: {max_length: 20000}}
    optional: {subject: any}
  - {id: mail-outside, tool: mail/send_email, args: {to: any, body: any}, optional: {subject: any}, ask: true}
  - id: small-transfers
    tool: bank/transfer_money
    args: {amount: {above: 0, max: 100}, recipient: any}
    budget: {calls: 3, sum: {amount: 200}, per: session}
    until: 2026-12-31T00:00:00Z
  - {id: notes, resource: {server: files, uri: {under: "file:///srv/project"}}}
  - {id: review, prompt: files/review, args: {style: {in: [short, long]}}}
ask:
  - {id: big, tool: bank/transfer_money, args: {amount: {above: 50}}}
deny:
  - {id: no-egress-at-night, effect: [egress, spend], when: {time: {after: "22:00", before: "06:00"}}, advice: Not now.}
"""
EXAMPLE_MANDATE = """\
version: 1
task: Pay the December electricity bill from bill.txt, at most 100.
expires: 30m
grants:
  - {id: bill, tool: files/read_text_file, args: {path: ~/bills/bill.txt}}
  - id: pay
    tool: bank/transfer_money
    args: {amount: {above: 0, max: 100}, recipient: any}
    budget: {calls: 1, per: mandate}
ask:
  - {id: stranger, tool: bank/transfer_money, args: {recipient: {not_in: [utility]}}}
"""
HOME = "/home/u"
PROJECT = {"project": "/srv/project"}


def test_the_example_policy_loads_with_every_rule_at_its_place() -> None:
    document = load_text(EXAMPLE_POLICY.encode(), file="p.yaml", kind="policy", variables=PROJECT, home=HOME)
    assert [rule.ref.id for rule in document.rules] == [
        *["write-project", "read-project", "docs", "inbox", "mail-inside", "mail-outside", "small-transfers"],
        *["notes", "review", "big", "no-egress-at-night"],
    ]
    first, deny = document.rules[0].ref, document.rules[-1].ref
    assert (first.layer, first.effect, first.file, first.line, first.column) == (
        "policy",
        Effect.ALLOW,
        "p.yaml",
        10,
        5,
    )
    assert (deny.effect, deny.line, deny.key) == (Effect.DENY, 32, "policy/no-egress-at-night")


def test_the_example_mandate_loads_with_task_and_end() -> None:
    document = load_text(EXAMPLE_MANDATE.encode(), file="m.yaml", kind="mandate", home=HOME)
    assert document.task.startswith("Pay the December")
    assert document.expires == timedelta(minutes=30)
    assert document.rules[1].ref.key == "mandate/pay"


def test_facts_about_tools_are_kept_and_a_tool_without_effect_has_every_class() -> None:
    tools = policy("tools: {web/fetch: {effect: [read, egress]}, s/t: {authority: to, gives: [a, {label: b}]}}").tools
    assert tools["web/fetch"].effects == {EffectClass.READ, EffectClass.EGRESS}
    assert tools["s/t"].effects == EVERY_EFFECT
    assert tools["s/t"].authority == ("to",)
    assert [gives.label for gives in tools["s/t"].gives] == ["a", "b"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("12:30:00", "12:30:00"),
        ("0644", "0644"),
        ("007", "007"),
        ("2026-12-31", "2026-12-31"),
        ("1_000", "1_000"),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        ("'5'", "5"),
        ('"null"', "null"),
        ("true", True),
        ("FALSE", False),
        ("5", 5),
        ("-0", 0),
        ("+7", 7),
        ("0.1", 0.1),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("NULL", None),
        ("", None),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says_or_is_text(written: str, read: object) -> None:
    value = read_yaml(f"a: [{written}]\nb: {written}".encode() if written != "-" else b'a: ["-"]\nb: "-"', "x").value
    assert value["b"] == read
    assert type(value["b"]) is type(read)


def test_a_byte_order_mark_at_the_start_is_no_part_of_the_text() -> None:
    assert load_text(b"\xef\xbb\xbfversion: 1\n", file="p", kind="policy").rules == ()


def test_places_count_characters_not_bytes() -> None:
    source = read_yaml("é: {ü: 1, x: 2}\n".encode(), "x")
    assert source.keys[("é", "x")] == (1, 11)


def test_the_null_key_of_a_constraint_is_text() -> None:
    assert policy("grants: [{id: a, tool: s/t, args: {x: {max: 3, null: ok}}}]").rules


def test_project_is_the_directory_of_the_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\ngrants: [{id: a, tool: s/t, args: {path: {under: $project}}}]\n")
    assert load_policy(path, home=HOME).variables == {"project": str(tmp_path)}
    other = load_policy(path, variables={"project": "/srv/x"}, home=HOME)
    assert other.variables == {"project": "/srv/x"}


def test_a_mandate_takes_project_from_the_policy_only(tmp_path: Path) -> None:
    path = tmp_path / "mandate.yaml"
    path.write_text("version: 1\ntask: t\nexpires: 1h\ngrants: [{id: a, tool: s/t, args: {path: {under: $project}}}]\n")
    with pytest.raises(InputError, match=r"\$project"):
        load_mandate(path, home=HOME)
    assert load_mandate(path, variables={"project": "/srv/x"}, home=HOME).rules


def test_a_file_that_cant_be_read_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't read"):
        load_policy(tmp_path / "none.yaml", home=HOME)
    with pytest.raises(InputError, match="can't read"):
        load_policy(tmp_path, home=HOME)


@pytest.mark.parametrize("value", ["", "  ", "/", "//", "/./", "/a/..", "a\nb", " / "])
def test_a_variable_is_never_empty_nor_the_root(value: str) -> None:
    with pytest.raises(InputError, match="variable `where`"):
        policy("grants: []", where=value)


def test_a_variables_name_is_a_word() -> None:
    with pytest.raises(InputError, match="can't be a variable's name"):
        load_text(b"version: 1", file="p", kind="policy", variables={"a b": "x"})


def test_the_digest_is_about_what_is_said_not_how_it_is_laid_out() -> None:
    block = policy("grants:\n  - id: a  # a comment\n    tool: s/t\n    args: any\n")
    flow = policy('grants: [{tool: "s/t", args: any, id: a}]')
    other = policy("grants: [{id: a, tool: s/u, args: any}]")
    assert block.digest == flow.digest != other.digest
    assert len(block.digest) == 64


def test_the_digest_covers_the_variables_that_are_used_and_only_those() -> None:
    text = "grants: [{id: a, tool: s/t, args: {path: {under: $project}}}]"
    assert policy(text).digest == policy(text, unused="1").digest
    assert policy(text).digest != policy(text, project="/srv/other").digest


def test_the_digest_tells_policy_from_mandate_and_home_from_home() -> None:
    text = b"version: 1\ngrants: [{id: a, tool: s/t, args: {path: {under: ~/x}}}]\n"
    here = load_text(text, file="p", kind="policy", home="/home/u").digest
    assert here != load_text(text, file="p", kind="policy", home="/home/v").digest


def test_a_span_runs_from_when_the_authority_was_bound() -> None:
    assert Authority((mandate("", expires="2h"),), started=NOON).deadlines == (NOON + timedelta(hours=2),)
    moment = Authority((policy(""), mandate("", expires="2026-12-31T01:00:00+01:00"))).deadlines
    assert moment == (None, datetime(2026, 12, 31, tzinfo=UTC))


def test_a_span_without_its_start_binds_nothing() -> None:
    with pytest.raises(ValueError, match="started"):
        Authority((mandate("", expires="2h"),))


@pytest.mark.parametrize("kinds", ["mp", "pp", "mm", "pmm"])
def test_an_authority_is_a_policy_and_then_a_mandate(kinds: str) -> None:
    documents = {"p": policy(""), "m": mandate("")}
    with pytest.raises(ValueError, match="an authority is"):
        Authority(tuple(documents[kind] for kind in kinds))
