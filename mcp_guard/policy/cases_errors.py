"""What is wrong with a case file's form, in our words and with its place: the first thing in reading order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mcp_guard.errors import InputError
from mcp_guard.policy.cases_form import CaseFileForm, CaseForm, ResourceForm, StepForm
from mcp_guard.policy.form_errors import SHAPES, did_you_mean, subject, value_at
from mcp_guard.policy.yaml_source import Path, Source, quoted

_LATER: dict[type[BaseModel], set[str]] = {CaseForm: {"result"}}
_ONLY = {
    (StepForm, "why"): "only the case itself says why",
    (StepForm, "mandate"): "a mandate binds the whole case: write it beside `call`",
    (StepForm, "principal"): "one principal makes all calls of a case: write it beside `call`",
    (StepForm, "rule"): "only the last call of a case names the rule",
    (StepForm, "after"): "earlier calls stand in one list",
    (StepForm, "labels"): "what the session had at its start stands beside `call`; the tools' `gives` add to it",
    (CaseForm, "no_labels"): "a session has only the labels that it is given: leave it out",
    (CaseForm, "times"): "only an earlier call is repeated",
    (CaseFileForm, "version"): "a case file has no version: leave it out",
    (CaseFileForm, "tools"): "did you mean `effects`? It is written {server/tool: [read]}",
}
_MEANT = {
    "tool": "call",
    "server_requests": "server_request",
    "extensions": "extension",
    "arguments": "args",
    "expected": "expect",
    "name": "why",
    "time": "at",
    "before": "after",
}
_EXAMPLES = {"why": "what it shows", "expect": "deny", "server": "files", "uri": '"file:///srv/a"'}


def first_error(source: Source, errors: ValidationError) -> InputError:
    """The error that stands first in the file, as one sentence."""
    found = errors.errors(include_url=False, include_input=False)
    wrong = [one for one in found if one["type"] != "missing"] or found  # what is missing may stand there misspelt
    return _said(source, min(wrong, key=lambda error: _place(source, error)))


def _place(source: Source, error: ErrorDetails) -> tuple[int, int]:
    return source.place(error["loc"], key=error["type"] == "extra_forbidden")


def _said(source: Source, error: ErrorDetails) -> InputError:
    path, kind = error["loc"], error["type"]
    where = in_case(source, path)
    if kind == "said":
        return source.error(error["ctx"]["message"] + where, path, error["ctx"]["hint"])
    if kind == "extra_forbidden":
        return _unknown_key(source, path, where)
    if kind == "missing":
        hint = "write `cases:`, and a list below it"
        if len(path) > 1:
            hint = f"write `{path[-1]}: {_EXAMPLES.get(str(path[-1]), '...')}`"
        return source.error(f"`{path[-1]}` is missing{where}", path[:-1], hint)
    shape, hint = SHAPES.get(kind, ("something else", "see docs/testing.md"))
    return source.error(f"{subject(path)} must be {shape}{where}", path, hint)


def _unknown_key(source: Source, path: Path, where: str) -> InputError:
    key, form = str(path[-1]), _form_at(path)
    if key in _LATER.get(form, set()):
        message = f"`{key}` isn't in this version yet{where}"
        return source.error(message, path, "take it out: nothing would check it", key=True)
    fields = form.model_fields
    hint = _ONLY.get((form, key))
    if hint is None:
        hint = f"did you mean `{_MEANT[key]}`?" if _MEANT.get(key) in fields else did_you_mean(key, fields)
    return source.error(f"unknown key {quoted(key)}{where}", path, hint, key=True)


def _form_at(path: Path) -> type[BaseModel]:
    """The form whose key `path` ends in."""
    parents: Any = path[:-1]
    if not parents:
        return CaseFileForm
    if parents[-1] == "resource":
        return ResourceForm
    return StepForm if "after" in parents else CaseForm


def in_case(source: Source, path: Path) -> str:
    """`` in case `outside the project` ``, or its number."""
    if len(path) < 2 or path[0] != "cases" or not isinstance(path[1], int):
        return ""
    case = value_at(source.value, path[:2])
    why = case.get("why") if isinstance(case, Mapping) else None
    return f" in case {quoted(why)}" if isinstance(why, str) and why.strip() else f" in case number {path[1] + 1}"
