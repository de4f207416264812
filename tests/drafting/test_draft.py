"""How a draft reads a task: each rule by the smallest task that shows it, and what holds for every task."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.drafting.draft import Draft, Line, draft
from mcp_guard.drafting.text import as_mandate, mandate_text
from mcp_guard.drafting.tools import Offered, offered, these
from mcp_guard.model import EffectClass
from tests.drafting.listings import listing

IBAN, OTHER_IBAN = "NL70TEST0112233445", "LV73TEST0000990011223"
ALL = [tool for server in ("bank", "mail", "web", "fs", "github", "slack", "git") for tool in listing(server)]


def drafted(task: str, *servers: str) -> Draft:
    return draft(task, [tool for server in servers for tool in listing(server)])


def line(found: Draft, tool: str) -> Line | None:
    return next((one for one in found.lines if tool in one.tools), None)


def granted(found: Draft, tool: str) -> Line:
    one = line(found, tool)
    assert one is not None, found
    return one


@pytest.mark.parametrize(
    "task",
    [
        "Never transfer money to " + IBAN,
        "Show the balance without paying 5 EUR to " + IBAN + ", do not pay",
        "What did I pay " + IBAN + " last month?",
        'Search my mail for "transfer 5 EUR to ' + IBAN + '"',
    ],
)
def test_what_is_refused_asked_about_or_quoted_is_not_granted(task: str) -> None:
    assert line(drafted(task, "bank", "mail"), "bank/transfer_money") is None


def test_a_verb_that_is_no_command_is_for_a_person_to_settle() -> None:
    found = granted(drafted("Tell me if pull request 7 of acme/shop is safe. It is safe to merge", "github"),
                    "github/merge_pull_request")  # fmt: skip
    assert found.asks and "it isn't clear that it is to be done" in found.why


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        ("48.60 EUR", "max: 48.6}"),
        ("€1,000.50", "max: 1000.5}"),
        ("EUR 20", "max: 20}"),
        ("20 EUR, at most 15", "max: 15}"),
        ("20 EUR, at most 15 EUR, up to 30 EUR", "max: 15}"),
    ],
)
def test_an_amount_bounds_what_is_paid(said: str, limit: str) -> None:
    found = granted(drafted(f"Pay {IBAN} {said}", "bank"), "bank/transfer_money")
    assert limit in found.yaml and not found.asks


@pytest.mark.parametrize("said", ["1.000 EUR", "48,60 EUR", "", "for 2025", "20 EUR of my 5000 EUR"])
def test_an_amount_that_reads_in_two_ways_or_is_not_there_is_asked_for(said: str) -> None:
    assert granted(drafted(f"Pay {IBAN} {said}", "bank"), "bank/transfer_money").asks


def test_several_payments_have_one_budget() -> None:
    found = granted(drafted(f"Pay 20 EUR to {IBAN} and 30 EUR to {OTHER_IBAN}", "bank"), "bank/transfer_money")
    assert "{calls: 2, sum: {amount: 50}, per: mandate}" in found.yaml and not found.asks


def test_whom_something_comes_from_is_nobody_to_send_it_to() -> None:
    found = granted(drafted("Email anna@example.com the report from eve@evil.example", "mail"), "mail/send_email")
    assert "anna@example.com" in found.yaml and "evil" not in found.yaml


def test_a_payee_without_an_account_has_to_be_one_that_the_bank_listed() -> None:
    found = granted(drafted("Pay Polder Energie 20 EUR", "bank"), "bank/transfer_money")
    assert "recipient: {from: [task, {tool: bank/list_payees, field: iban}]}" in found.yaml and not found.asks


def test_copies_go_to_nobody() -> None:
    found = granted(drafted("Email anna@example.com", "mail"), "mail/send_email")
    assert "cc" not in found.yaml and "bcc" not in found.yaml


def test_files_are_read_only_where_the_task_says() -> None:
    assert line(drafted("What is the weather like?", "fs"), "fs/read_text_file") is None
    assert granted(drafted("Summarise my files", "fs"), "fs/read_text_file").asks
    assert "{under: " in granted(drafted("Summarise /srv/notes", "fs"), "fs/read_text_file").yaml


def test_a_relative_path_is_the_projects_where_the_policy_takes_absolute_ones_only() -> None:
    tools = [replace(tool, absolute=frozenset({"path"})) for tool in listing("fs")]
    found = draft("Write a summary of README.md into notes/summary.md", tools)
    assert '{in: ["$project/README.md", "$project/notes/summary.md"]}' in granted(found, "fs/read_text_file").yaml
    assert 'path: "$project/notes/summary.md"' in granted(found, "fs/write_file").yaml
    assert '{under: "$project/notes/a.md"}' in granted(draft("Summarise notes/a.md", tools), "fs/read_text_file").yaml
    assert '{under: "/srv/notes"}' in granted(draft("Summarise /srv/notes", tools), "fs/read_text_file").yaml
    assert "$project" not in granted(drafted("Summarise README.md", "fs"), "fs/read_text_file").yaml


def test_of_a_source_and_a_destination_each_is_its_own() -> None:
    found = granted(drafted("Move /srv/a to /srv/b", "fs"), "fs/move_file")
    assert 'source: "/srv/a", destination: "/srv/b"' in found.yaml


def test_what_is_called_any_is_a_name_and_not_everything() -> None:
    found = granted(drafted("Create a branch `any` in acme/shop", "github"), "github/create_branch")
    assert "branch: {in: [any]}" in found.yaml


SCHEMA = {"properties": {"command": {"type": "string"}, "cwd": {"type": "string"}}, "required": ["command", "cwd"]}


def test_a_tool_that_nobody_judged_is_asked_for_each_time_whatever_it_is_called() -> None:
    schema = {"properties": {"path": {"type": "string"}}, "required": ["path"]}
    descriptor = {"name": "read_file", "inputSchema": schema, "annotations": {"readOnlyHint": True}}
    found = draft("Read /srv/a", [offered("s", descriptor, effects=None)])
    assert granted(found, "s/read_file").asks


@pytest.mark.parametrize("authority", [(), ("command",), ("command", "cwd")])
def test_a_shell_is_asked_for_each_time_though_its_directory_is_named(authority: tuple[str, ...]) -> None:
    effects = frozenset({EffectClass.EXECUTE})
    tool = offered("s", {"name": "run_command", "inputSchema": SCHEMA}, effects=effects, authority=authority)
    assert granted(draft("Run the command in /srv/code", [tool]), "s/run_command").asks


WORDS = st.sampled_from(
    these(
        f"pay send email delete don't never and then to from the bill $5 48.60 EUR at most all {IBAN} anna@example.com "
        '/srv/a ~/b https://example.com/x acme/shop issue 42 C012AB `x` `any` "y : ; , . ? # $project {} merge commit'
    )
)
TASKS = st.one_of(st.lists(WORDS, min_size=1, max_size=25).map(" ".join), st.text(min_size=1, max_size=80)).filter(
    str.strip
)


@settings(max_examples=40)
@given(TASKS)
def test_every_draft_is_a_mandate_that_loads_and_names_no_tool_that_is_not_there(task: str) -> None:
    found = draft(task, ALL)
    document = as_mandate(mandate_text(found), "draft", home="/home/ana")
    names = {str(name) for rule in document.rules for name in rule.names}
    assert names <= {tool.full_name for tool in ALL}
    assert len(document.rules) == len(found.lines)
    assert names | set(found.left_out) == {tool.full_name for tool in ALL}


@settings(max_examples=40)
@given(TASKS)
def test_what_acts_without_asking_has_every_argument_of_its_authority_limited_and_a_budget(task: str) -> None:
    for one in draft(task, ALL).lines:
        tools = [tool for tool in ALL if tool.full_name in one.tools]
        if one.asks or all(tool.only_reads for tool in tools):
            continue
        (tool,) = tools
        assert "budget: {calls: " in one.yaml
        assert not any(f"{name}: any" in one.yaml for name in tool.bearing), one
        assert "args: any" not in one.yaml and "others:" not in one.yaml


NAMES = st.text(min_size=1, max_size=12)


@settings(max_examples=60)
@given(NAMES, NAMES, st.sampled_from(EffectClass), st.sampled_from(["string", "array", "integer"]))
def test_what_a_server_calls_its_arguments_can_not_write_a_rule(
    name: str, other: str, effect: EffectClass, type_: str
) -> None:
    schema = {"properties": {name: {"type": type_}, other: {}}, "required": [name]}
    tool: Offered = offered(
        "s", {"name": "send_it", "inputSchema": schema}, effects=frozenset({effect}), authority=(name,)
    )
    document = as_mandate(mandate_text(draft("Send it to anna@example.com", [tool])), "draft")
    assert len(document.rules) <= 1
    for rule in document.rules:
        assert rule.arguments is None or set(rule.arguments.listed) | set(rule.arguments.optional) <= {name, other}


def test_the_same_task_gives_the_same_draft() -> None:
    assert draft("Pay the bill", ALL) == draft("Pay the bill", ALL)
