"""The written form of a document: which keys stand where, and what plain value each takes.

Strict models with nothing extra allowed. Constraints are left as they were read; `building.py` gives everything
meaning. Messages of the checks are whole sentences of ours; those that pydantic makes are re-worded in
`form_errors.py`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mcp_guard.model import EffectClass
from mcp_guard.policy.form_base import Form as Form
from mcp_guard.policy.form_base import said as said
from mcp_guard.policy.form_budgets import BudgetForm, Groups, Rate, Who, a_count
from mcp_guard.policy.form_hints import day_hint, effect_hint, moment_hint
from mcp_guard.policy.form_results import obligations, only_true
from mcp_guard.policy.times import DAYS, parse_clock, parse_moment, parse_span
from mcp_guard.policy.yaml_source import quoted

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
ASKED_OF = ("client", "person", "console")
"""Who may answer an ask, in rising strictness."""
SERVER_REQUESTS = ("elicitation", "roots", "sampling")
"""What a server may be granted to ask of the client."""
KNOWN_METHODS = frozenset(
    {
        *("initialize", "ping", "server/discover", "subscriptions/listen", "logging/setLevel", "completion/complete"),
        *("tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/templates/list"),
        *("resources/read", "resources/subscribe", "resources/unsubscribe"),
        *("name", "arguments", "_meta", "requestState"),
    }
)
"""Methods and members that have grants of their own, or none: as an extension they would pass uninspected.

`inputResponses` isn't among them: of a round that the guard knows they need no grant, all others are as unknown as any
member. A `requestState` is: what a server gets as its state is what it gave out, whatever a document says.
"""
_ABSENT: Any = None  # the default of a key that isn't there; a key without a value is refused before this is reached


def rule_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise said(
            f"{quoted(text)} can't be an id", "use up to 64 of a-z, 0-9, `.`, `_`, `-`, starting with a letter or digit"
        )
    return text


def _version(value: object) -> int:
    if type(value) is not int or value != 1:
        raise said(f"version {quoted(value)} isn't known", "write `version: 1`")
    return 1


def _one_or_more(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _not_empty(values: list[str]) -> list[str]:
    if not values:
        raise said("an empty list says nothing", "name at least one, or leave the key out")
    return values


def _target(name: str) -> str:
    server, slash, target = name.partition("/")
    if "$" in name:
        raise said(f"{quoted(name)} isn't a name", "variables stand in constraints only")
    if not (server and slash and target):
        raise said(f"{quoted(name)} isn't a name", "write `server/name`; `*` may stand for a part of a name")
    if not name.isprintable() or name != name.strip() or " " in server:
        raise said(f"{quoted(name)} isn't a name", "names have no white space; several names are a list in `[]`")
    return name


def _tool(name: str) -> str:
    if " " in name or "," in name:
        raise said(
            f"{quoted(name)} isn't a tool's name",
            "names have no white space or comma; several names are a list in `[]`",
        )
    if not name.isascii():  # no tool is shown under such a name: a deny with a Cyrillic letter would never fire
        raise said(f"{quoted(name)} isn't a tool's name", "names of tools are ASCII; write the look-alike letter anew")
    return _target(name)


def _server(name: str) -> str:
    if not name or "/" in name or "$" in name or " " in name or not name.isprintable():
        raise said(f"{quoted(name)} isn't a server's name", "write the name that it has in guard.yaml, without `/`")
    return name


def _one_server(name: str) -> str:
    if "*" in name:
        raise said(f"{quoted(name)} isn't one server", "write a grant for each server")
    return _server(name)


def asked_of(name: str) -> str:
    if name not in ASKED_OF:
        raise said(f"{quoted(name)} isn't who can be asked", f"write {', '.join(ASKED_OF)}")
    return name


def _asked_kind(name: str) -> str:
    if name not in SERVER_REQUESTS:
        raise said(f"{quoted(name)} isn't something a server asks for", f"write {', '.join(SERVER_REQUESTS)}")
    return name


def _extension(name: str) -> str:
    if "*" in name or "$" in name or " " in name or not name.isprintable() or not name.isascii():
        raise said(f"{quoted(name)} isn't an extension's name", "write it in full, as client and server do")
    if name in KNOWN_METHODS:
        raise said(f"{quoted(name)} is no extension: the guard knows it", "grant the tool, prompt or resource")
    return name


def _effect(name: object) -> EffectClass:
    classes = [c.value for c in EffectClass]
    if not isinstance(name, str) or name not in classes:
        raise said(f"{quoted(name)} isn't an effect", effect_hint(name, classes))
    return EffectClass(name)


def _moment(text: str) -> str:
    if parse_moment(text) is None:
        raise said(f"{quoted(text)} isn't a point in time", moment_hint(text))
    return text


def _expires(text: str) -> str:
    if parse_span(text) is None and parse_moment(text) is None:
        raise said(f"{quoted(text)} is no span and no point in time", "write 30m, 2h, 7d or 2026-12-31T00:00:00Z")
    return text


def _clock(text: str) -> str:
    if parse_clock(text) is None:
        raise said(f"{quoted(text)} isn't a time of day", 'write "09:00", or "09:00+02:00"')
    return text


def _day(text: str) -> str:
    if text not in DAYS:
        raise said(f"{quoted(text)} isn't a day", day_hint(text))
    return text


def _words(text: str) -> str:
    if not text.strip():
        raise said("an empty text says nothing", "write a sentence, or leave the key out")
    return text


def _arguments(value: object) -> object:
    if not isinstance(value, dict) and value != "any":
        raise said(f"arguments can't be {quoted(value)}", "write `any`, or a mapping of argument to limit: {path: any}")
    return value


def _limits(value: object) -> object:
    if not isinstance(value, dict) or not value:
        raise said(f"`optional` can't be {quoted(value)}", "write a mapping of argument to limit: {path: any}")
    return value


def _absent(value: object) -> object:
    if value != "absent":
        raise said(f"`nulls` can't be {quoted(value)}", "write `nulls: absent`, or `null: ok` in one limit")
    return value


def _came_first(name: str) -> str:
    return _tool(name) if "/" in name else rule_id(name)


def _true(value: object) -> bool:
    if value is not True:
        raise said(f"`once` can't be {quoted(value)}", "write `once: true`, or leave it out")
    return True


def _any(value: object) -> object:
    if value != "any":
        raise said(f"`others` can't be {quoted(value)}", "write `others: any`, or name the arguments under `optional`")
    return value


def _required(value: object) -> object:
    if value != "required":
        raise said(
            f"`mandate` can't be {quoted(value)}",
            "write `mandate: required`, or leave it out; `--mandate FILE` gives one",
        )
    return value


Text = Annotated[str, AfterValidator(_words)]
Id = Annotated[str, AfterValidator(rule_id)]
Tools = Annotated[
    list[Annotated[str, AfterValidator(_tool)]], BeforeValidator(_one_or_more), AfterValidator(_not_empty)
]
Prompts = Annotated[
    list[Annotated[str, AfterValidator(_target)]], BeforeValidator(_one_or_more), AfterValidator(_not_empty)
]
Texts = Annotated[list[Text], BeforeValidator(_one_or_more), AfterValidator(_not_empty)]
Effects = Annotated[
    list[Annotated[EffectClass, BeforeValidator(_effect)]], BeforeValidator(_one_or_more), AfterValidator(_not_empty)
]
Labels = Annotated[
    list[Annotated[str, AfterValidator(rule_id)]], BeforeValidator(_one_or_more), AfterValidator(_not_empty)
]
Before = Annotated[
    list[Annotated[str, AfterValidator(_came_first)]], BeforeValidator(_one_or_more), AfterValidator(_not_empty)
]
Arguments = Annotated[Any, BeforeValidator(_arguments)]
Moment = Annotated[str, AfterValidator(_moment)]
TimeOfDay = Annotated[str, AfterValidator(_clock)]


class TimeForm(Form):
    """`time: {after, before, days}`; `times.Window` says what it means."""

    after: TimeOfDay = _ABSENT
    before: TimeOfDay = _ABSENT
    days: Annotated[
        list[Annotated[str, AfterValidator(_day)]], BeforeValidator(_one_or_more), AfterValidator(_not_empty)
    ] = _ABSENT

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise said("an empty `time` says nothing", "write after, before or days")
        clocks = [parse_clock(text) for text in (self.after, self.before) if text is not None]
        if len(clocks) == 2 and clocks[0] and clocks[1]:
            if clocks[0].at == clocks[1].at:
                raise said("`after` and `before` are the same time", "leave both out for the whole day")
            if clocks[0].offset != clocks[1].offset:
                raise said(
                    "`after` and `before` have different offsets", "write the same offset on both, or on neither"
                )
        return self


class WhenForm(Form):
    """`when: {principal, time, labels, no_labels}`: all must hold."""

    principal: Who = _ABSENT
    time: TimeForm = _ABSENT
    labels: Labels = _ABSENT
    no_labels: Labels = _ABSENT

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise said("an empty `when` says nothing", "write principal, time, labels or no_labels, or leave it out")
        both = sorted({*(self.labels or ())} & {*(self.no_labels or ())})
        if both:
            raise said(f"{quoted(both[0])} is both in `labels` and `no_labels`", "it would never hold: keep one")
        return self


class ResourceForm(Form):
    """`resource: {server, uri}`."""

    server: Annotated[str, AfterValidator(_server)]
    uri: Any = _ABSENT


class ServerRequestsForm(Form):
    """`server_requests: {server, allow}`."""

    server: Annotated[str, AfterValidator(_one_server)]
    allow: Annotated[
        list[Annotated[str, AfterValidator(_asked_kind)]], BeforeValidator(_one_or_more), AfterValidator(_not_empty)
    ]


class ExtensionsForm(Form):
    """`extensions: {server, allow}`."""

    server: Annotated[str, AfterValidator(_one_server)]
    allow: Annotated[
        list[Annotated[str, AfterValidator(_extension)]], BeforeValidator(_one_or_more), AfterValidator(_not_empty)
    ]


class RuleForm(Form):
    """What a grant, an ask and a deny share. Exactly one of `tool`, `effect`, `prompt` and `resource`; a grant may
    have `server_requests` or `extensions` instead, which need no deny: nothing grants them by default."""

    id: Id
    tool: Tools = _ABSENT
    effect: Effects = _ABSENT
    prompt: Prompts = _ABSENT
    resource: ResourceForm = _ABSENT
    args: Arguments = _ABSENT
    targets: ClassVar[frozenset[str]] = frozenset({"tool", "effect", "prompt", "resource"})
    when: WhenForm = _ABSENT
    after: Before = _ABSENT
    advice: Text = _ABSENT
    deny_secrets: Annotated[bool, AfterValidator(only_true)] = False

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        named = self.model_fields_set & self.targets
        if len(named) != 1:
            what = "names nothing" if not named else f"has {' and '.join(f'`{key}`' for key in sorted(named))}"
            raise said(f"a rule that {what}", "write exactly one of tool, effect, prompt and resource")
        if self.resource is not None and self.args is not None:
            raise said("a resource has no `args`", "limit its `uri`")
        return self


class AskForm(Form):
    """`{by: client | person | console}`: who may answer, in rising strictness."""

    by: Annotated[str, AfterValidator(asked_of)]


def _ask(value: object) -> object:
    """`ask: true` asks a person."""
    if not isinstance(value, bool | dict):
        raise said("`ask` must be true or false, or say `by`", "write `ask: true`, or `ask: {by: client}`")
    if isinstance(value, dict) and value and "by" not in value:
        said_so = "a rule under `ask:` at the top, with an id of its own, asks for some arguments only"
        raise said("`ask` in a grant says only `by`", said_so)
    if value is True:
        return {"by": "person"}
    return None if value is False else value


class TighteningForm(RuleForm):
    """A deny, and what an ask has too."""

    times: Annotated[int, BeforeValidator(a_count)] = _ABSENT

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if self.times is not None and self.after is None:
            raise said("`times` without `after` counts nothing", "write `after: [...]`: what is to be counted")
        return self


class AskRuleForm(TighteningForm):
    """An ask, which may say who answers it."""

    by: Annotated[str, AfterValidator(asked_of)] = "person"


class GrantForm(RuleForm):
    """A grant."""

    targets: ClassVar[frozenset[str]] = RuleForm.targets | {"server_requests", "extensions"}
    server_requests: ServerRequestsForm = _ABSENT
    extensions: ExtensionsForm = _ABSENT
    optional: Annotated[Any, BeforeValidator(_limits)] = _ABSENT
    others: Annotated[Any, BeforeValidator(_any)] = _ABSENT
    ask: Annotated[AskForm | None, BeforeValidator(_ask)] = None
    budget: BudgetForm = _ABSENT
    until: Moment = _ABSENT
    disclose: bool = True
    result: Annotated[Any, BeforeValidator(obligations)] = _ABSENT
    once: Annotated[bool, BeforeValidator(_true)] = False
    rate: Rate = _ABSENT
    nulls: Annotated[Any, BeforeValidator(_absent)] = _ABSENT

    @model_validator(mode="after")
    def _arguments_are_said(self) -> Self:
        if self.resource is not None:
            if "uri" not in self.resource.model_fields_set:
                raise said("a grant of resources needs `uri`", 'write uri: {under: "file:///..."}, or uri: any')
            if "*" in self.resource.server:
                raise said("a grant of resources names one server", "write a grant for each server")
            if self.model_fields_set & {"optional", "others", "nulls"} or self._counts_arguments:
                raise said("a resource has no arguments", "limit its `uri`")
        elif self.server_requests is not None or self.extensions is not None:
            if self.model_fields_set & {"args", "optional", "others", "nulls"} or self._counts_arguments:
                raise said("this grant has no arguments to limit", "write `allow`, and a budget of `calls` if need be")
        elif self.args is None:
            raise said("`args` is missing", "write `args: any` to leave the arguments open, `args: {}` to want none")
        elif self.args == "any" and self.model_fields_set & {"optional", "others", "nulls"}:
            hint = "drop them, or list the arguments"
            raise said("`args: any` leaves nothing to `optional`, `others` or `nulls`", hint)
        return self

    @property
    def _counts_arguments(self) -> bool:
        return self.budget is not None and self.budget.counts_arguments


class GivesForm(Form):
    """One entry of `gives`: a label, for the calls whose arguments fit."""

    label: Id
    args: Arguments = _ABSENT


def _gives(value: object) -> object:
    return [
        {"label": item} if isinstance(item, str) else item for item in (value if isinstance(value, list) else [value])
    ]


class ToolForm(Form):
    """One entry of `tools`: what the operator says of a tool."""

    effect: Effects = _ABSENT
    authority: Texts = _ABSENT
    gives: Annotated[list[GivesForm], BeforeValidator(_gives)] = _ABSENT


class DocumentForm(Form):
    """What a policy and a mandate share."""

    version: Annotated[int, BeforeValidator(_version)]
    grants: list[GrantForm] = Field(default_factory=list)
    ask: list[AskRuleForm] = Field(default_factory=list)
    deny: list[TighteningForm] = Field(default_factory=list)


class PolicyForm(DocumentForm):
    """A deployment's standing document."""

    tools: dict[str, ToolForm] = Field(default_factory=dict)
    mandate: Annotated[Any, BeforeValidator(_required)] = _ABSENT
    groups: Groups = Field(default_factory=dict)


class MandateForm(DocumentForm):
    """What a person granted for one task."""

    task: Text
    expires: Annotated[str, AfterValidator(_expires)]
