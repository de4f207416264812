"""The starter policy: grants what is known to only read, with paths below `$project`; all else stands in comments.

A comment is ready to paste: without its `# ` it is a rule that loads. Nobody's text ends a line here: names come from
the catalogue and from what servers say of themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mcp_guard.model import EffectClass
from mcp_guard.policy.oddities import looks_like_a_shell
from mcp_guard.starting.tool_views import ServerView, ToolView, names_a_repository
from mcp_guard.starting.yaml_text import comment, mapping, sequence, text

_NAMEABLE = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""A tool's name that can stand in a rule and means this one tool only: no `*`."""
_SECRETS = '["*.env", ".env.*", "*.pem", "*.key"]'
_BELOW = f"{{under: $project, not_name: {_SECRETS}}}"
_WIDER = [one for one in EffectClass if one is not EffectClass.READ]
_WIDTH = 120  # characters of a line
_MOST = 60
"""Tools of one server that get a line each; what goes beyond is counted."""

_READING = f"""\
  # Whatever isn't known to only read stays out, also where a grant names it: a tool whose description is no longer the
  # one that was judged counts as doing everything. To open a wider grant above, take its classes out of this list.
  - id: only-reading
    effect: {sequence(one.value for one in _WIDER)}
    advice: Only reading is granted here so far; a person can widen the policy.
"""
_TAINTED = """\
  # What reaches out is closed by the rule above. Once it is open, this keeps it from sessions that have read what
  # strangers wrote, as a page that is fetched: the next fetch is closed, too. To be asked instead, move it to `ask:`.
  - id: no-tainted-egress
    effect: [egress, spend]
    when: {labels: [untrusted]}
    advice: This session has read what strangers may have written; begin a new one to reach out.
"""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one grant would say of one tool, and why it can't be granted yet (empty: it can)."""

    tool: ToolView
    limits: Mapping[str, str]  # `args`, `optional`, `others`: as they are written
    kind: str  # for its id
    why: str


def policy_text(heading: Iterable[str], servers: Sequence[ServerView], *, project: bool) -> str:
    """A whole policy. `project`: is there a directory that `$project` can stand for?"""
    names: set[str] = {"only-reading", "no-tainted-egress"}
    parts = [lines for server in servers for lines in _server(server, names, project=project, granting=True)]
    granted = any(line.startswith("  - ") for line in parts)
    head = [
        *(comment(line) for line in heading),
        "version: 1",
        "grants:" if granted else "# grants:   # with the first grant, this line counts too",
    ]
    deny = ["deny:", _READING.rstrip("\n")]
    if any(tool.effects is None or EffectClass.EGRESS in tool.effects for server in servers for tool in server.tools):
        deny.append(_TAINTED.rstrip("\n"))
    return "\n".join([*head, *parts, *deny]) + "\n"


def suggestions(heading: Iterable[str], servers: Sequence[ServerView], *, project: bool) -> str:
    """Comments to add to a policy that a person may have edited: it isn't widened behind their back."""
    names: set[str] = set()
    parts = [lines for server in servers for lines in _server(server, names, project=project, granting=False)]
    return "\n".join([*(comment(line) for line in heading), *parts]) + "\n"


def _server(server: ServerView, names: set[str], *, project: bool, granting: bool) -> Iterator[str]:
    yield comment(f"{server.name}: {server.about}", "  ")
    rules = [_rule(tool, project=project) for tool in server.tools if _NAMEABLE.fullmatch(tool.name)]
    for rules_alike in _alike([rule for rule in rules if not rule.why]):
        if granting:
            yield from _block(server.name, rules_alike, names)
        else:
            yield f"  # {_line(server.name, rules_alike, names)}"
    wider = [rule for rule in rules if rule.why]
    for rule in wider[:_MOST]:
        yield f"  # {_line(server.name, [rule], names)}   {comment(rule.why)}"
    if len(wider) > _MOST:
        yield comment(f"and {len(wider) - _MOST} more, which `mcp-guard check` lists", "  ")
    if not rules:
        example = (
            f"- {{id: {_free(_slug(server.name), names)}, tool: {text(f'{server.name}/TOOL')}, args: {{NAME: any}}}}"
        )
        yield f"  # {example}"
    if not rules or any(rule.tool.effects is None for rule in rules):
        fact = mapping({f"{server.name}/TOOL": "{effect: read}"})
        yield comment(f"to grant such a tool, say what it does, at the top: tools: {fact}", "  ")


def _alike(rules: Iterable[_Rule]) -> list[list[_Rule]]:
    """Tools with the same limits share a grant."""
    found: dict[str, list[_Rule]] = {}
    for rule in rules:
        found.setdefault(str(rule.limits), []).append(rule)
    return list(found.values())


def _line(server: str, rules: list[_Rule], names: set[str]) -> str:
    """A grant on one line, which is easily put in force."""
    parts = {"id": _id(server, rules, names), "tool": " ".join(_tools(server, rules)), **rules[0].limits}
    return f"- {{{', '.join(f'{key}: {value}' for key, value in parts.items())}}}"


def _block(server: str, rules: list[_Rule], names: set[str]) -> Iterator[str]:
    """A grant on lines that are easily read."""
    yield f"  - id: {_id(server, rules, names)}"
    line = "    tool:"
    for word in _tools(server, rules):
        if len(line) + len(word) >= _WIDTH:
            yield line
            line = "     "
        line += f" {word}"
    yield line
    yield from (f"    {key}: {value}" for key, value in rules[0].limits.items())


def _tools(server: str, rules: list[_Rule]) -> list[str]:
    """`[a/x,`, `a/y]`: the words of the list, so that a line can end between them."""
    words = [text(f"{server}/{rule.tool.name}") for rule in rules]
    return words if len(words) == 1 else f"[{', '.join(words)}]".split(" ")


def _id(server: str, rules: list[_Rule], names: set[str]) -> str:
    return _free(_slug(f"{server}-{rules[0].tool.name if len(rules) == 1 else rules[0].kind}"), names)


def _rule(tool: ToolView, *, project: bool) -> _Rule:
    limits = _limits(tool)
    kind = "-".join(["read", *(name for name in tool.paths)])
    return _Rule(tool, limits, kind, _why_not(tool, project=project))


def _limits(tool: ToolView) -> Mapping[str, str]:
    """`args: {path: {under: $project}}, others: any`. An argument that may be optional is required: that tightens."""
    paths = {name: _below(tool, name) for name in tool.paths}
    if not paths:
        return {"args": "any"}
    needed = {name: limit for name, limit in paths.items() if name not in tool.optional}
    optional = {name: limit for name, limit in paths.items() if name in tool.optional}
    rest = tool.required is None or set(tool.required) | set(tool.optional) != set(paths)
    found = {"args": mapping(needed)}
    if optional:
        found["optional"] = mapping(optional)
    if rest:
        found["others"] = "any"
    return found


def _below(tool: ToolView, argument: str) -> str:
    if names_a_repository(argument) and not tool.is_list(argument):
        return "$project"  # itself, not what lies below: git runs commands that a repository's own settings name
    return f"{{each: {_BELOW}}}" if tool.is_list(argument) else _BELOW


def _why_not(tool: ToolView, *, project: bool) -> str:
    if tool.effects is None:
        return f"{tool.why}: it counts as doing everything"
    if not tool.only_reads:
        wider = sorted(one.value for one in tool.effects if one is not EffectClass.READ)
        confines = "; no limit on arguments confines it" if EffectClass.EXECUTE in tool.effects else ""
        return f"it also has the effects {', '.join(wider)}{confines}"
    if looks_like_a_shell(tool.name):
        return "its name says that it executes something: look at it first"
    if tool.addresses:
        return f"`{tool.addresses[0]}` can name any file"
    if tool.paths and not project:
        return "no project was chosen: set `project` in guard.yaml"
    return ""


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50] or "rule"


def _free(wanted: str, names: set[str]) -> str:
    name = next(one for one in (wanted, *(f"{wanted}-{n}" for n in range(2, len(names) + 3))) if one not in names)
    names.add(name)
    return name
