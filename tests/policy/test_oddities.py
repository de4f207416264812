"""What `check` points out: found where it is, and not found where it isn't."""

from __future__ import annotations

import pytest

from mcp_guard.policy.document import Authority
from mcp_guard.policy.oddities import looks_like_a_shell, oddities, strangers
from tests.policy.scene import NOON, Still, mandate, policy, under

KNOWN = {"files": ["read", "write"], "sys": ["run_command", "info"], "web": ["fetch"]}


def said(text: str, known: dict[str, list[str]] | None = None) -> list[tuple[str, str]]:
    found = oddities(under(text), KNOWN if known is None else known, now=NOON)
    return [(oddity.rule, oddity.message) for oddity in found]


def test_a_sound_policy_has_no_oddities() -> None:
    text = """\
tools: {web/fetch: {effect: egress}}
grants:
  - {id: a, tool: files/read, args: {path: {under: $project}}}
  - {id: b, tool: files/write, args: {path: {under: $project}}, until: 2027-01-01T00:00:00Z}
  - {id: c, tool: web/fetch, args: {url: any}}
deny:
  - {id: d, tool: files/write, args: {path: {under: $project/secret}}}
  - {id: e, tool: 'web/*', args: {url: {matches: 'x'}}}
  - {id: f, effect: spend, when: {principal: 'local:eve'}}
"""
    assert said(text) == []


def test_a_grant_that_a_deny_covers_entirely_is_pointed_out_with_both_places() -> None:
    text = "grants: [{id: a, tool: [files/read, files/write], args: any}]\ndeny: [{id: d, tool: 'FILES/*'}]"
    found = oddities(under(text), KNOWN)
    assert [(odd.rule, odd.file, odd.line, odd.column) for odd in found] == [("a", "policy.yaml", 2, 10)]
    assert "deny `d` (policy.yaml:3:8) covers all of it" in found[0].message


def test_a_grant_that_is_covered_only_in_part_is_not() -> None:
    text = "grants: [{id: a, tool: [files/read, files/write], args: any}]\ndeny: [{id: d, tool: files/read}]"
    assert said(text) == []


@pytest.mark.parametrize(
    "deny", ["{id: d, tool: files/read, args: {path: x}}", "{id: d, tool: files/read, when: {principal: 'local:x'}}"]
)
def test_a_deny_with_conditions_covers_nothing_entirely(deny: str) -> None:
    assert said(f"grants: [{{id: a, tool: files/read, args: any}}]\ndeny: [{deny}]") == []


def test_a_deny_by_effect_covers_undescribed_tools() -> None:
    text = "grants: [{id: a, tool: files/read, args: any}]\ndeny: [{id: d, effect: spend}]"
    assert [rule for rule, _ in said(text)] == ["a"]
    assert said("tools: {files/read: {effect: read}}\n" + text) == []


def test_a_deny_by_effect_covers_nothing_of_a_server_that_has_not_said_what_it_has() -> None:
    text = "grants: [{id: a, tool: files/read, args: any}]\ndeny: [{id: d, effect: spend}]"
    assert oddities(under(text), {"files": None}) == []
    assert oddities(under(text), {}) == []
    described = "tools: {files/read: {effect: spend}}\n" + text
    assert [odd.rule for odd in oddities(under(described), {"files": None})] == ["a"]


def test_a_policys_deny_covers_a_mandates_grant() -> None:
    both = Authority(
        (policy("deny: [{id: d, tool: files/*}]"), mandate("grants: [{id: m, tool: files/read, args: any}]"))
    )
    assert [(odd.rule, odd.file) for odd in oddities(both, KNOWN)] == [("m", "mandate.yaml")]


def test_a_grant_for_a_tool_that_no_server_has_is_pointed_out_with_what_was_meant() -> None:
    assert said("grants: [{id: a, tool: files/raed, args: any}]") == [
        ("a", "no server has the tool `files/raed`; did you mean `read`?")
    ]
    assert said("grants: [{id: a, tool: fils/read, args: any}]") == [
        ("a", "no server is called `fils`; did you mean `files`?")
    ]
    assert said("grants: [{id: a, tool: 'files/get_*', args: any}]") == [("a", "no server has the tool `files/get_*`")]


def test_without_known_servers_names_are_not_judged() -> None:
    assert said("grants: [{id: a, tool: files/raed, args: any}]", {}) == []


@pytest.mark.parametrize("tool", ["sys/run_command", "'sys/*'", "'*/*'"])
def test_a_grant_to_a_shell_is_pointed_out_by_name_and_by_pattern(tool: str) -> None:
    [(rule, message)] = said(f"grants: [{{id: a, tool: {tool}, args: {{x: any}}}}]")
    assert (rule, message[:17]) == ("a", "`sys/run_command`")


def test_a_grant_to_what_is_described_as_executing_is_pointed_out() -> None:
    text = "tools: {sys/info: {effect: [read, execute]}}\ngrants: [{id: a, tool: sys/info, args: any}]"
    assert [rule for rule, _ in said(text)] == ["a"]
    assert [rule for rule, _ in said("grants: [{id: a, effect: [read, execute], args: any}]")] == ["a"]


@pytest.mark.parametrize(
    "name",
    [
        "bash",
        "shell",
        "exec",
        "run_command",
        "eval",
        "python",
        "terminal",
        "execute_sql",
        "executePython",
        "Bash",
        "run-shell",
        "code_interpreter",
        "RunPowerShell",
        "python3",
    ],
)
def test_names_of_shells_are_known(name: str) -> None:
    assert looks_like_a_shell(name)


@pytest.mark.parametrize(
    "name", ["read_file", "evaluate_model", "send_email", "list_commands", "executive_summary", "pythonic", ""]
)
def test_names_that_only_resemble_are_not_shells(name: str) -> None:
    assert not looks_like_a_shell(name)


def test_rules_that_are_over_or_say_the_same_are_pointed_out() -> None:
    text = """\
grants:
  - {id: a, tool: files/read, args: {path: any, n: 1}, until: 2026-11-20T12:00:00Z}
  - {id: b, tool: files/write, args: {path: any, n: 1}}
  - {id: c, tool: files/write, args: {n: 1, path: any}, advice: Again.}
  - {id: d, tool: files/write, args: {n: 2, path: any}}
"""
    assert said(text) == [
        ("a", "it never counts: it ended at 2026-11-20T12:00:00Z"),
        ("c", "it says the same as `b` (policy.yaml:4:5)"),
    ]
    assert [odd.rule for odd in oddities(under(text), KNOWN)] == ["c"]


IDLE = "it has no effect for now: nothing grants what it names"


@pytest.mark.parametrize("tool", ["mail/send", "files/move_*", "'*/remove'", "sys/read"])
def test_a_deny_of_what_nothing_grants_is_pointed_out(tool: str) -> None:
    assert said(f"grants: [{{id: a, tool: files/read, args: any}}]\ndeny: [{{id: d, tool: {tool}}}]") == [("d", IDLE)]


@pytest.mark.parametrize(
    ("granted", "denied"),
    [
        ("'files/*'", "files/read"),
        ("'files/re*'", "'files/*ad'"),
        ("files/read", "'FILES/R*'"),
        ("'*/read'", "'files/*'"),
    ],
)
def test_a_deny_that_may_meet_a_grant_has_an_effect(granted: str, denied: str) -> None:
    deny = f"{{id: d, tool: {denied}, args: {{path: x}}}}"
    assert said(f"grants: [{{id: a, tool: {granted}, args: any}}]\ndeny: [{deny}]", {}) == []


def test_a_deny_has_an_effect_on_what_only_the_mandate_or_an_effect_grants() -> None:
    both = Authority(
        (
            policy("deny: [{id: d, tool: files/read, args: {path: x}}]"),
            mandate("grants: [{id: m, tool: files/read, args: any}]"),
        )
    )
    assert oddities(both, KNOWN) == []
    text = "grants: [{id: a, effect: read, args: any}]\ndeny: [{id: d, tool: files/read, args: {path: x}}]"
    assert said(text) == []


ARGUMENTS = {"files/read": ["path", "head"], "files/write": ["path", "content"]}


@pytest.mark.parametrize(
    ("grant", "message"),
    [
        ("tool: files/read, args: {pth: any}", "`files/read` has no argument `pth`; did you mean `path`?"),
        (
            "tool: [files/read, files/write], args: {path: any, content: any}",
            "`files/read` has no argument `content`",
        ),
        (
            "tool: 'files/r*', args: {path: any}, optional: {heads: any}",
            "`files/read` has no argument `heads`; did you mean `head`?",
        ),
    ],
)
def test_an_argument_that_the_tool_does_not_have_is_pointed_out(grant: str, message: str) -> None:
    found = oddities(under(f"grants: [{{id: a, {grant}}}]"), KNOWN, arguments=ARGUMENTS)
    assert [(odd.rule, odd.message) for odd in found] == [("a", message)]


def test_an_argument_of_one_of_several_tools_may_be_optional_and_an_undescribed_tool_may_have_any() -> None:
    text = """\
grants:
  - {id: a, tool: [files/read, files/write], args: {path: any}, optional: {head: any, content: any}}
  - {id: b, tool: web/fetch, args: {whatever: any}}
"""
    assert oddities(under(text), KNOWN, arguments=ARGUMENTS) == []


def test_a_server_that_did_not_answer_may_have_any_tool() -> None:
    text = "grants: [{id: a, tool: mail/send, args: any}, {id: b, tool: files/raed, args: any}]"
    found = oddities(under(text), {**KNOWN, "mail": None})
    assert [odd.rule for odd in found] == ["b"]


def test_a_server_that_no_rule_is_about_is_pointed_out_with_the_name_that_was_meant() -> None:
    authority = under("grants: [{id: a, tool: files/read, args: any}]")
    (odd,) = strangers(authority, ["file"], wrapped=True)
    assert odd.message == "no rule is about server `file`; the policy names `files`: `--name files`?"
    assert (odd.file, odd.line, odd.column) == ("policy.yaml", 1, 1)
    (odd,) = strangers(authority, ["files", "notes"], wrapped=False)
    assert odd.message == "no rule is about server `notes`, so nothing of it is shown"


@pytest.mark.parametrize("rule", ["tool: 'fi*/read', args: any", "effect: read, args: any"])
def test_a_server_that_a_pattern_or_an_effect_reaches_is_no_stranger(rule: str) -> None:
    assert strangers(under(f"grants: [{{id: a, {rule}}}]"), ["files"], wrapped=True) == []
    assert strangers(Authority(()), ["files"], wrapped=True) == []


@pytest.mark.parametrize(
    ("limits", "odd"),
    [
        ("path: {under: $project}, content: any", True),
        ("path: {under: $project, not_name: [.mcp.json]}, content: any", True),  # .vscode is left
        ("path: {under: $project, not_name: [.mcp.json, .vscode, .cursor]}, content: any", False),
        ("path: {under: $project/notes}, content: {max_length: 1000}", False),
    ],
)
def test_a_grant_to_write_what_starts_servers_in_a_directory_of_the_project_is_pointed_out(
    limits: str, odd: bool
) -> None:
    for tool, pointed_out in (("files/write", odd), ("files/read", False)):
        found = oddities(under(f"grants: [{{id: a, tool: {tool}, args: {{{limits}}}}}]"), KNOWN, facts=Still())
        assert ["a client opened there starts what it says" in one.message for one in found] == [True] * pointed_out


def test_a_tool_that_nothing_grants_is_waited_for_in_vain() -> None:
    """Whether by order or by source; a pattern, a grant by effect and another layer's silence count as they judge."""
    rest = "{id: pay, tool: files/write, args: {to: {from: [{tool: files/read, field: iban}]}}, after: [files/read]}"
    in_vain = [
        ("pay", "`after` names files/read, which nothing grants: it never came before"),
        ("pay", "`to` may come from files/read, which nothing grants: nothing comes from there"),
    ]
    assert said(f"grants: [{rest}]") == in_vain
    assert said(f"grants: [{rest}, {{id: a, tool: files/read, args: any}}]") == []
    assert said(f"grants: [{rest}, {{id: a, effect: read, args: any}}]") == []
    narrow = mandate("grants: [{id: m, tool: files/write, args: any}]")
    layers = Authority((policy(f"grants: [{rest}, {{id: a, tool: files/read, args: any}}]"), narrow), NOON)
    found = [(one.rule, one.message) for one in oddities(layers, KNOWN, now=NOON) if one.code == "waits-in-vain"]
    assert found == in_vain


@pytest.mark.parametrize(
    ("name", "odd"),
    [("ana", True), ("acc-*", True), ("local:ana", False), ("http:9", False), ("*", False), ("*ana", False)],
)
def test_a_principal_whom_nobody_on_this_machine_is_called_is_pointed_out(name: str, odd: bool) -> None:
    for when in (f"groups: {{g: ['{name}']}}\n", ""):
        who = "{group: g}" if when else f"'{name}'"
        found = said(f"{when}grants: [{{id: a, tool: files/read, args: any, when: {{principal: {who}}}}}]")
        assert [message for rule, message in found if rule == "a"] == (
            [f"whoever runs the guard on this machine is called `local:{name}`, never `{name}`"] if odd else []
        )
