"""The written form of a case file: which keys stand where, and what plain value each takes.

The same strictness as documents (`form.py`): nothing extra, nothing empty, no value of another type. `cases.py` gives
it meaning.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mcp_guard.model import Effect, Reason
from mcp_guard.policy.canonical import why_not_absolute
from mcp_guard.policy.form import SERVER_REQUESTS, Effects, Form, Moment, Text, asked_of, rule_id, said
from mcp_guard.policy.times import parse_moment
from mcp_guard.policy.yaml_source import quoted

MAX_TIMES = 1_000
MAX_LONG = 2_000_000  # characters; the longest `max_length` in use is 1,000,000

EFFECTS = {"allow": Effect.ALLOW, "ask": Effect.ASK, "deny": Effect.DENY}
REASONS = {  # those that documents can give; the others come from servers, the record and the wire
    Effect.ALLOW: (),
    Effect.ASK: (Reason.NEEDS_APPROVAL,),
    Effect.DENY: (
        *(Reason.NO_GRANT, Reason.DENIED, Reason.EXPIRED, Reason.BUDGET_SPENT, Reason.TOO_OFTEN),
        *(Reason.NOT_CANONICAL, Reason.NO_MANDATE, Reason.HISTORY),
    ),
}
TARGETS = frozenset({"call", "prompt", "resource", "server_request", "extension"})
_TARGETS_SAID = "call, prompt, resource, server_request and extension"
_ABSENT: Any = None


def _name(name: str) -> str:
    server, slash, target = name.partition("/")
    if not (server and slash and target):
        raise said(f"{quoted(name)} isn't a name", "write `server/name`")
    if "*" in name:
        raise said(f"{quoted(name)} isn't one name", "a case calls one tool; several are a list in `[]`")
    return name


def _asked(name: str) -> str:
    name = _name(name)
    if name.partition("/")[2] not in SERVER_REQUESTS:
        kinds = ", ".join(SERVER_REQUESTS)
        raise said(f"{quoted(name)} isn't something a server asks for", f"write `server/`, and one of {kinds}")
    return name


def _one_or_more(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _some(values: list[Any]) -> list[Any]:
    if not values:
        raise said("an empty list says nothing", "name at least one, or leave the key out")
    return values


def _arguments(value: object) -> object:
    if not isinstance(value, dict):
        raise said(f"arguments can't be {quoted(value)}", "write the arguments of the call: {path: /srv/project/a.md}")
    return value


def _expected(value: object) -> Effect:
    if not isinstance(value, str) or value not in EFFECTS:
        raise said(f"{quoted(value)} can't be expected", f"write {', '.join(EFFECTS)}")
    return EFFECTS[value]


def _reason(value: object) -> Reason:
    known = [reason for reasons in REASONS.values() for reason in reasons]
    if not isinstance(value, str) or value not in known:
        raise said(f"{quoted(value)} isn't a reason that documents give", f"reasons are {', '.join(known)}")
    return Reason(value)


def _times(value: object) -> int:
    if type(value) is not int or not 1 <= value <= MAX_TIMES:
        raise said(f"{quoted(value)} isn't a number of calls", f"write a whole number from 1 to {MAX_TIMES}")
    return value


def _length(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_LONG:
        raise said(f"{quoted(value)} isn't a length", f"write a number of characters up to {MAX_LONG}")
    return value


def _year(text: str) -> str:
    moment = parse_moment(text)
    if moment is None or not 2000 <= moment.year < 3000:  # a span that runs from there must still end
        raise said(f"{quoted(text)} is no time of a case", "write a time in the years 2000 to 2999")
    return text


def _path(value: str) -> str:
    if reason := why_not_absolute(value):
        raise said(f"the path {reason}", "links are written {/srv/project/link: /etc}, both ends absolute")
    return value


def _links(value: dict[str, str]) -> dict[str, str]:
    for link in value:
        _path(link)
    return _some_of(value)


def _some_of(value: dict[str, Any]) -> dict[str, Any]:
    if not value:
        raise said("an empty mapping says nothing", "leave the key out")
    return value


def _tools(value: dict[str, Any]) -> dict[str, Any]:
    for name in value:
        _name(name)
    return _some_of(value)


Names = Annotated[list[Annotated[str, AfterValidator(_name)]], BeforeValidator(_one_or_more), AfterValidator(_some)]
AskedNames = Annotated[
    list[Annotated[str, AfterValidator(_asked)]], BeforeValidator(_one_or_more), AfterValidator(_some)
]
ArgumentSets = Annotated[
    list[Annotated[Any, BeforeValidator(_arguments)]], BeforeValidator(_one_or_more), AfterValidator(_some)
]
At = Annotated[Moment, AfterValidator(_year)]
LabelList = Annotated[
    list[Annotated[str, AfterValidator(rule_id)]], BeforeValidator(_one_or_more), AfterValidator(_some)
]
Lengths = Annotated[dict[str, Annotated[int, BeforeValidator(_length)]], AfterValidator(_some_of)]


class ResourceForm(Form):
    """`resource: {server, uri}`: a resource that is read."""

    server: Text
    uri: Text


class CallForm(Form):
    """What a case and an earlier call share. Exactly one of `call`, `prompt`, `resource`, `server_request` (what a
    server asks of the client) and `extension` (what the guard doesn't know); of the last two only the name is judged.
    """

    call: Names = _ABSENT
    prompt: Names = _ABSENT
    resource: ResourceForm = _ABSENT
    server_request: AskedNames = _ABSENT
    extension: Names = _ABSENT
    args: ArgumentSets = _ABSENT
    long: Lengths = _ABSENT
    at: At = _ABSENT

    @property
    def names(self) -> list[str]:
        """What is called, `server/name` each; a resource goes by its `uri`, and counts as one."""
        return self.call or self.prompt or self.server_request or self.extension or [""]

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        named = self.model_fields_set & TARGETS
        if len(named) != 1:
            what = "calls nothing" if not named else f"has {' and '.join(f'`{key}`' for key in sorted(named))}"
            raise said(f"a case that {what}", f"write exactly one of {_TARGETS_SAID}")
        if self.resource is not None and self.model_fields_set & {"args", "long"}:
            raise said("a resource has no arguments", "its `uri` is all there is")
        if self.model_fields_set & {"server_request", "extension"} and self.model_fields_set & {"args", "long"}:
            raise said("this call has no arguments that a rule could judge", "its name is all there is")
        for name in self.long or {}:
            if any(name in given for given in self.args or []):
                raise said(f"argument {quoted(name)} is both in `args` and `long`", "keep one")
        return self


class StepForm(CallForm):
    """An earlier call of the same session."""

    expect: Annotated[Effect, BeforeValidator(_expected)] = _ABSENT
    times: Annotated[int, BeforeValidator(_times)] = 1
    result: Any = _ABSENT

    @model_validator(mode="after")
    def _is_one_call(self) -> Self:
        if len(self.names) > 1 or len(self.args or [{}]) > 1:
            raise said("several calls in one entry of `after`", "write an entry for each")
        return self


class CaseForm(CallForm):
    """A call and what a person expects of it."""

    why: Text
    expect: Annotated[Effect, BeforeValidator(_expected)]
    rule: Text = _ABSENT
    reason: Annotated[Reason, BeforeValidator(_reason)] = _ABSENT
    after: Annotated[list[StepForm], AfterValidator(_some)] = _ABSENT
    mandate: Any = _ABSENT
    obligations: Annotated[list[Text], BeforeValidator(_one_or_more)] = _ABSENT
    principal: Text = _ABSENT
    labels: LabelList = _ABSENT
    links: Annotated[dict[str, Annotated[str, AfterValidator(_path)]], AfterValidator(_links)] = _ABSENT
    by: Annotated[str, AfterValidator(asked_of)] = _ABSENT

    @model_validator(mode="after")
    def _has_an_answer(self) -> Self:
        if self.obligations is not None and self.expect is Effect.DENY:
            raise said("a call that is denied has no answer", "leave `obligations` out")
        return self

    @model_validator(mode="after")
    def _reason_fits(self) -> Self:
        if self.by is not None and self.expect is not Effect.ASK:
            raise said("`by` says who is asked", "write it with `expect: ask`, or leave it out")
        if self.reason is not None and self.reason not in REASONS[self.expect]:
            fitting = ", ".join(REASONS[self.expect])
            hint = f"with `expect: {self.expect.name.lower()}` write {fitting}" if fitting else "leave `reason` out"
            raise said(f"`{self.reason}` is no reason for `expect: {self.expect.name.lower()}`", hint)
        return self


class CaseFileForm(Form):
    """The whole file."""

    cases: Annotated[list[CaseForm], AfterValidator(_some)]
    set: dict[str, str] = Field(default_factory=dict)
    effects: Annotated[dict[str, Effects], AfterValidator(_tools)] = Field(default_factory=dict)
    gives: Annotated[dict[str, LabelList], AfterValidator(_tools)] = Field(default_factory=dict)
