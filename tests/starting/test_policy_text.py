"""The starter policy: what it grants, what it only mentions, and that nobody's name becomes a rule."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.catalogue import find
from mcp_guard.catalogue.store import INDEX
from mcp_guard.cli.explain import OfflineFacts
from mcp_guard.model import Call, Effect, EffectClass
from mcp_guard.policy.decide import visible
from mcp_guard.policy.document import Authority, Document, load_text
from mcp_guard.policy.oddities import oddities
from mcp_guard.policy.rules import When
from mcp_guard.starting.policy_text import policy_text, suggestions
from mcp_guard.starting.tool_views import ServerView, ToolView, view_of
from mcp_guard.starting.views import view
from tests.starting.homes import NOW

READ = frozenset({EffectClass.READ})
FILES = ["npx", "-y", "@modelcontextprotocol/server-filesystem@2026.8.31", "."]
SECRETS = '["*.env", ".env.*", "*.pem", "*.key"]'


def loaded(text: str) -> Document:
    return load_text(text.encode(), file="policy.yaml", kind="policy", variables={"project": "/p"}, home="/home/iris")


def written(*tools: ToolView, project: bool = True) -> str:
    return policy_text(["Hello."], [ServerView("s", "a server", tools)], project=project)


def granted(text: str) -> dict[str, str]:
    """By tool: the lines of its grant, from `args` on."""
    found = {}
    bare = re.sub(r"(?m)^ *#.*$", "", text.partition("\ndeny:")[0])
    for rule in re.split(r"(?m)^  - ", bare)[1:]:
        for tool in re.findall(r"s/[\w.-]+", rule):
            limits = [line.strip() for line in rule.splitlines() if re.match(r" +(args|optional|others):", line)]
            found[tool.removeprefix("s/")] = ", ".join(limits)
    return found


def in_force(text: str) -> str:
    """The policy once its reader has taken the `# ` away from every rule that it mentions."""
    text = re.sub(r"(?m)^  # (- \{)", r"  \1", text)
    return re.sub(r"(?m)^# grants:", "grants:", text)


def test_a_tool_that_only_reads_is_granted_below_the_project() -> None:
    text = written(ToolView("look", READ, authority=("path",)))
    assert granted(text) == {"look": f"args: {{path: {{under: $project, not_name: {SECRETS}}}}}, others: any"}


@pytest.mark.parametrize("wider", [one for one in EffectClass if one is not EffectClass.READ])
def test_a_tool_that_can_do_more_is_only_mentioned_with_the_reason(wider: EffectClass) -> None:
    text = written(ToolView("act", READ | {wider}))
    assert granted(text) == {}
    assert re.search(rf"  # - \{{id: s-act, tool: s/act, args: any\}}   # it also has the effects {wider.value}", text)


def test_a_tool_that_nobody_judged_is_only_mentioned() -> None:
    text = written(ToolView("get_all", None, "nobody has judged it"))
    assert granted(text) == {}
    assert "# nobody has judged it: it counts as doing everything" in text
    assert "tools: {s/TOOL: {effect: read}}" in text


@pytest.mark.parametrize(
    ("tool", "limits"),
    [
        (ToolView("t", READ), "args: any"),
        (ToolView("t", READ, authority=("query",)), "args: any"),
        (ToolView("t", READ, authority=("repo_path",)), "args: {repo_path: $project}, others: any"),
        (
            ToolView("t", READ, authority=("paths",)),
            f"args: {{paths: {{each: {{under: $project, not_name: {SECRETS}}}}}}}",
        ),
        (ToolView("t", READ, required=(), optional=("filePath",)), "args: {}, optional: {filePath: {under: $project"),
        (ToolView("t", READ, required=("path",), lists=frozenset({"path"})), "args: {path: {each: {under: $project"),
        (ToolView("t", READ, required=("files",)), "args: {files: {under: $project"),
        (ToolView("t", READ, authority=("source", "destination")), "args: {source: {under: $project"),
        (ToolView("t", READ, required=("source",)), "args: any"),
    ],
)
def test_arguments_that_choose_a_path_stay_below_the_project(tool: ToolView, limits: str) -> None:
    assert granted(written(tool))["t"].startswith(limits)


def test_what_can_name_any_file_by_an_address_is_only_mentioned() -> None:
    text = written(ToolView("open", READ, authority=("uri",)))
    assert granted(text) == {}
    assert "# `uri` can name any file" in text


def test_without_a_project_no_path_is_opened() -> None:
    text = written(ToolView("look", READ, authority=("path",)), ToolView("now", READ), project=False)
    assert granted(text) == {"now": "args: any"}
    assert "no project was chosen" in text


def test_whatever_is_not_known_to_only_read_is_denied_though_a_grant_names_it() -> None:
    document = loaded(written(ToolView("look", READ)))
    deny = next(rule for rule in document.rules if rule.ref.effect is Effect.DENY)
    assert deny.effects == frozenset(EffectClass) - READ
    assert deny.unconditional


def test_with_egress_there_is_a_line_about_what_strangers_wrote() -> None:
    for tool in (ToolView("send", frozenset({EffectClass.EGRESS})), ToolView("what", None, "why")):
        document = loaded(written(tool))
        rule = next(rule for rule in document.rules if rule.ref.id == "no-tainted-egress")
        assert rule.effects == {EffectClass.EGRESS, EffectClass.SPEND}
        assert rule.when == When(labels=("untrusted",))
    assert "no-tainted-egress" not in written(ToolView("look", READ))


@pytest.mark.parametrize(
    "command", [FILES, ["uvx", "mcp-server-git"], ["npx", "-y", "@modelcontextprotocol/server-memory"]]
)
def test_every_rule_that_is_only_mentioned_loads_once_its_mark_is_taken_away(command: list[str]) -> None:
    known = find(command)
    assert known is not None
    text = policy_text([], [view("s", command, Path("guard.yaml"))], project=True)
    document = loaded(in_force(text))
    named = {str(name) for rule in document.rules for name in rule.names}
    assert named == {f"s/{tool}" for tool in known.tools}


def test_the_filesystem_server_is_granted_what_reads_and_nothing_else() -> None:
    text = policy_text([], [view("s", FILES, Path("guard.yaml"))], project=True)
    tools = granted(text)
    assert {"read_text_file", "list_directory", "read_multiple_files"} <= set(tools)
    assert not {"write_file", "edit_file", "move_file", "create_directory"} & set(tools)
    assert all("$project" in limits for tool, limits in tools.items() if tool != "list_allowed_directories")


NAMES = st.text(max_size=30) | st.sampled_from(
    ["x\n  - {id: e, tool: 's/*', args: any}", "*", "a/b", "x y", "ä", "a\u2028b"]
)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=4), st.text(max_size=40))
def test_no_name_of_a_tool_or_an_argument_becomes_a_rule(names: list[tuple[str, str]], about: str) -> None:
    """A server says what its tools are called; the policy that is written about them grants nothing for that."""
    tools = tuple(
        view_of({"name": tool, "inputSchema": {"properties": {argument: {}}, "required": [argument]}}, None, (), about)
        for tool, argument in names
    )
    document = loaded(policy_text([about], [ServerView("s", about, tools)], project=True))
    assert {rule.ref.id for rule in document.rules} <= {"only-reading", "no-tainted-egress"}
    more = suggestions([about], [ServerView("s", about, tools)], project=True)
    assert all(line.lstrip().startswith("#") for line in more.splitlines())


@given(st.lists(st.tuples(st.text(max_size=20), NAMES), max_size=4))
def test_names_in_grants_are_read_back_as_they_are(names: list[tuple[str, str]]) -> None:
    tools = tuple(ToolView(tool, READ, authority=(f"{argument} path",)) for tool, argument in names)
    document = loaded(written(*tools))
    named = [str(name) for rule in document.rules for name in rule.names]
    assert set(named) <= {f"s/{tool}" for tool, _ in names}
    assert not any("*" in name for name in named)


def test_suggestions_grant_nothing_and_are_appended_as_comments() -> None:
    text = suggestions(["Later."], [view("s", FILES, Path("guard.yaml"))], project=True)
    assert all(line.lstrip().startswith("#") for line in text.splitlines())
    assert "tool: [s/directory_tree," in text
    assert [rule.ref.id for rule in loaded("version: 1\ngrants: []\n" + text).rules] == []


def test_a_server_with_very_many_tools_does_not_fill_the_policy() -> None:
    text = written(*(ToolView(f"t{n}", None, "why") for n in range(500)))
    assert "and 440 more, which `mcp-guard check` lists" in text


CATALOGUED = sorted(json.loads(INDEX.read_bytes()))


@pytest.mark.parametrize("package", CATALOGUED)
def test_the_starter_policy_of_every_catalogued_server_loads_and_has_nothing_odd(package: str) -> None:
    registry, _, name = package.partition(":")
    command = {
        "npm": ["npx", "-y", name],
        "pypi": ["uvx", name],
        "docker": ["docker", "run", "-i", name],
        "module": ["python", "-m", name],
    }[registry]
    known = find(command)
    if known is None:
        pytest.skip("found under a program's name only")
    document = loaded(policy_text([], [view("s", command, Path("guard.yaml"))], project=True))
    described = {("s", tool): one.described for tool, one in known.tools.items()}
    facts = OfflineFacts(NOW, {}, None, described)
    assert oddities(Authority((document,)), {"s": list(known.tools)}, now=NOW, facts=facts) == []
    for tool, one in known.tools.items():
        call = Call("local:x", "tools/call", "s", tool, {})
        if visible(Authority((document,)), call, facts):
            assert one.described.effects <= READ
