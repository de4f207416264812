"""What is wrong with a document's form, in our words and with its place: the first thing in reading order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mcp_guard.errors import InputError
from mcp_guard.policy.form import (
    AskForm,
    AskRuleForm,
    ExtensionsForm,
    GivesForm,
    GrantForm,
    MandateForm,
    PolicyForm,
    ResourceForm,
    ServerRequestsForm,
    TighteningForm,
    TimeForm,
    ToolForm,
    WhenForm,
)
from mcp_guard.policy.form_budgets import BudgetForm
from mcp_guard.policy.yaml_source import Path, Source, quoted

RULE_WORDS = {"grants": "grant", "ask": "ask", "deny": "deny"}

_MEANT = {
    **dict.fromkeys(("arguments", "params", "parameters", "with"), "args"),
    **dict.fromkeys(("allow", "permit", "grant", "rules"), "grants"),
    **dict.fromkeys(("forbid", "block", "denies"), "deny"),
    **dict.fromkeys(("confirm", "approve", "approval", "asks"), "ask"),
    **dict.fromkeys(("message", "reason", "why", "description"), "advice"),
    **dict.fromkeys(("expires", "expiry", "valid_until"), "until"),
    **dict.fromkeys(("limit", "limits"), "budget"),
    "name": "id",
}
_ELSEWHERE: dict[tuple[type[BaseModel], str], str] = {
    (MandateForm, "tools"): "facts about tools stand in the policy",
    (MandateForm, "groups"): "groups stand in the policy",
    (MandateForm, "mandate"): "a policy says `mandate: required`",
    (PolicyForm, "task"): "only a mandate has `task`",
    (PolicyForm, "expires"): "only a mandate has `expires`; a grant in a policy has `until`",
    **{
        (form, key): f"only a grant has `{key}`"
        for form in (TighteningForm, AskRuleForm)
        for key in (
            *("optional", "others", "nulls", "budget", "rate", "until", "disclose", "ask"),
            *("server_requests", "extensions", "result", "once"),
        )
    },
    (PolicyForm, "servers"): "servers stand in guard.yaml, or after `--` on the command line",
    (PolicyForm, "default"): "leave it out: what no grant permits is denied",
    (PolicyForm, "until"): "each grant has its own `until`",
    **dict.fromkeys(
        ((PolicyForm, "set"), (PolicyForm, "variables")), "`--set name=VALUE` or guard.yaml sets variables"
    ),
    **{
        (form, key): hint
        for form in (GrantForm, TighteningForm, AskRuleForm)
        for key, hint in (
            ("server", "write `tool: server/name`"),
            *((key, f"it stands under `when`: `when: {{{key}: ...}}`") for key in ("principal", "labels", "no_labels")),
            *((key, "write `when: {time: {...}}`") for key in ("time", "days", "before")),
        )
    },
    **{
        (GrantForm, key): f"it stands under `budget`: `budget: {{{key}: ...}}`"
        for key in ("calls", "sum", "distinct", "per")
    },
    **{
        (GrantForm, key): f"it stands under `result`: `result: {key if flag else f'{{{key}: ...}}'}`"
        for key, flag in (
            *(("redact", True), ("strip_hidden", True), ("quarantine", True)),
            *(("truncate", False), ("types", False), ("max_size", False)),
        )
    },
    (WhenForm, "group"): "write `principal: {group: NAME}`",
    (
        WhenForm,
        "after",
    ): "times of day stand under `time`; tools that came first stand beside `when`, as `after: [...]`",
    **dict.fromkeys(((WhenForm, "days"), (WhenForm, "before")), "it stands under `time`: `when: {time: {...}}`"),
    **dict.fromkeys(((TimeForm, "from"), (TimeForm, "start")), "did you mean `after`?"),
    **dict.fromkeys(((TimeForm, "to"), (TimeForm, "end"), (TimeForm, "until")), "did you mean `before`?"),
    (GrantForm, "times"): "only an ask or a deny has `times`; a grant has a `budget` of `calls`",
}
_PERIODS = "write session, mandate, hour or day; `rate: 10/m` counts within seconds or minutes"
_SHOWN = 30  # keys of the largest form, and more; of the names that a document gives, there may be any number
_EXAMPLES = {"version": "1", "task": "Say what is to be done.", "expires": "30m"}
_WRITE = {  # where the shape alone wouldn't say what to write
    "budget": "write `budget: {calls: 30, per: hour}`",
    "sum": "write an argument and its limit: `sum: {amount: 150}`",
    "distinct": "write an argument and how many values it may have: `distinct: {to: 5}`",
    "expires": "write 30m, 2h, 7d or 2026-12-31T00:00:00Z",
}
SHAPES = {
    "string_type": ("text", "put it in quotes"),
    "bool_type": ("true or false", "write it without quotes"),
    "list_type": ("a list", "start each entry with `- `"),
    "dict_type": ("a mapping", "write `key: value`"),
    "model_type": ("a mapping", "write `key: value`"),
    "model_attributes_type": ("a mapping", "write `key: value`"),
}


def first_error(source: Source, errors: ValidationError, top: type[BaseModel]) -> InputError:
    """The error that stands first in the document, as one sentence."""
    found = errors.errors(include_url=False, include_input=False)
    return _said(source, min(found, key=lambda error: _place(source, error)), top)


def _place(source: Source, error: ErrorDetails) -> tuple[int, int]:
    return source.place(error["loc"], key=error["type"] == "extra_forbidden")


def _said(source: Source, error: ErrorDetails, top: type[BaseModel]) -> InputError:
    path, kind = error["loc"], error["type"]
    where = in_rule(source, path)
    if kind == "said":
        context = error["ctx"]
        return source.error(context["message"] + where, path, context["hint"])
    if kind == "extra_forbidden":
        return _unknown_key(source, path, _form_at(path, top), where)
    if kind == "missing":
        write = _EXAMPLES.get(str(path[-1]), "...") if len(path) == 1 else "..."
        return source.error(f"`{path[-1]}` is missing{where}", path[:-1], f"write `{path[-1]}: {write}`")
    if path[-1:] == ("per",):
        return source.error(f"a budget has no such period{where}", path, _PERIODS)
    if path[-2:] == ("when", "time"):
        return source.error(f"`time` must be a mapping{where}", path, 'write `{after: "09:00", before: "17:00"}`')
    shape, hint = SHAPES.get(kind, ("something else", "see the policy reference"))
    hint = _hint(path) or hint
    return source.error(f"{subject(path)} must be {shape}{where}", path, hint)


def _hint(path: Path) -> str:
    """What to write at this place; empty where the shape says it."""
    if path[-2:] in (("time", "after"), ("time", "before")):
        return 'write a time of day in quotes: "09:00"'
    return _WRITE.get(str(path[-1]), "") if path else ""


def _unknown_key(source: Source, path: Path, form: type[BaseModel], where: str) -> InputError:
    key = str(path[-1])
    hint = _ELSEWHERE.get((form, key)) or did_you_mean(key, form.model_fields)
    return source.error(f"unknown key {quoted(key)}{where}", path, hint, key=True)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean `x`?``, else the list of what there is."""
    words = sorted(known)
    meant = _MEANT.get(word.lower())
    close = [meant] if meant in words else difflib.get_close_matches(word.lower(), words, 1, 0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"known here: {', '.join(words[:_SHOWN])}{more}"


def _form_at(path: Path, top: type[BaseModel]) -> type[BaseModel]:
    """The form whose key `path` ends in."""
    parents = [part for part in path[:-1] if isinstance(part, str)]
    if not parents:
        return top
    if parents[0] == "tools":
        return GivesForm if "gives" in parents[2:] else ToolForm
    inner: dict[str, type[BaseModel]] = {
        "when": WhenForm,
        "time": TimeForm,
        "budget": BudgetForm,
        "ask": AskForm,
        "resource": ResourceForm,
        "server_requests": ServerRequestsForm,
        "extensions": ExtensionsForm,
    }
    if len(parents) > 1:
        return inner.get(parents[-1], GrantForm)
    if parents[0] == "grants":
        return GrantForm
    return AskRuleForm if parents[0] == "ask" else TighteningForm


def in_rule(source: Source, path: Path) -> str:
    """`` in grant `read-src` ``, or as much of it as can be said."""
    if len(path) > 1 and path[0] in RULE_WORDS and isinstance(path[1], int):
        rule = value_at(source.value, path[:2])
        name = rule.get("id") if isinstance(rule, Mapping) else None
        which = quoted(name) if isinstance(name, str) else f"number {path[1] + 1}"
        return f" in {RULE_WORDS[str(path[0])]} {which}"
    if len(path) > 1 and path[0] == "tools":
        return f" in the facts about {quoted(path[1])}"
    return ""


def value_at(value: Any, path: Path) -> Any:
    """The part of `value` at `path`; None if there is none."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def subject(path: Path) -> str:
    """What stands at `path`, as the subject of a sentence."""
    names = [part for part in path if isinstance(part, str)]
    if len(names) == len(path) == 0:
        return "a document"
    if isinstance(path[-1], int):
        return f"entry {path[-1] + 1} of `{names[-1]}`" if names else "an entry"
    return quoted(path[-1])
