"""The written form of how much may be used (`budget`, `rate`) and of who may use it (`groups`, and who is in one)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from mcp_guard.policy.form_base import Form, said
from mcp_guard.policy.yaml_source import quoted

RATE = re.compile(r"([1-9]\d{0,5})/([smhd])", re.ASCII)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_GROUP = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ABSENT: Any = None


@dataclass(frozen=True, slots=True)
class InGroup:
    """`{group: accountants}`: everybody whom the policy puts there. A mapping, so that it is nobody's name."""

    name: str


def a_count(value: object) -> int:
    if type(value) is not int or value < 1:
        raise said(f"{quoted(value)} isn't a number of calls", "write a whole number from 1; to forbid, write a deny")
    return value


def _amount(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise said(f"{quoted(value)} isn't an amount", "write a number above 0, without quotes or unit")
    return value


def _some_sums(sums: dict[str, Any]) -> dict[str, Any]:
    if not sums:
        raise said("an empty `sum` limits nothing", "write sum: {argument: limit}")
    return sums


def _several(value: object) -> int:
    if type(value) is not int or value < 1:
        raise said(f"{quoted(value)} isn't a number of values", "write a whole number from 1")
    return value


def _some_distinct(limits: dict[str, Any]) -> dict[str, Any]:
    if not limits:
        raise said("an empty `distinct` limits nothing", "write distinct: {argument: how many values}")
    return limits


def _rate(value: object) -> str:
    if not isinstance(value, str) or not RATE.fullmatch(value):
        raise said(f"{quoted(value)} isn't a rate", "write 10/m: so many calls in any s, m, h or d")
    return value


def _who(value: object) -> str | InGroup:
    if isinstance(value, dict):
        name = value.get("group")
        if set(value) != {"group"} or not isinstance(name, str):
            raise said(f"{quoted(value)} is nobody", "write a name, or {group: NAME}")
        return InGroup(name)
    if not isinstance(value, str):
        raise said("`principal` must be text", "put it in quotes")
    if not value.strip():
        raise said("an empty text says nothing", "write a name, or leave the key out")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise said(f"{quoted(value)} isn't a name", "write who is in the group, as `mcp-guard log` shows principals")
    return value


def _members(value: object) -> object:
    if isinstance(value, list) and not value:
        raise said("a group of nobody", "name at least one, or leave the group out")
    return value


def _groups(value: dict[str, list[str]]) -> dict[str, list[str]]:
    for name in value:
        if not _GROUP.fullmatch(name):
            hint = "use up to 64 of a-z, 0-9, `.`, `_`, `-`, starting with a letter or digit"
            raise said(f"{quoted(name)} can't be a group's name", hint)
    return value


def _one_or_more(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _somebody(values: list[Any]) -> list[Any]:
    if not values:
        raise said("an empty list says nothing", "name at least one, or leave the key out")
    return values


Who = Annotated[list[Annotated[Any, BeforeValidator(_who)]], BeforeValidator(_one_or_more), AfterValidator(_somebody)]
Groups = Annotated[
    dict[
        str,
        Annotated[
            list[Annotated[str, BeforeValidator(_name)]], BeforeValidator(_members), BeforeValidator(_one_or_more)
        ],
    ],
    AfterValidator(_groups),
]
Rate = Annotated[str, BeforeValidator(_rate)]


class BudgetForm(Form):
    """`budget: {calls, sum, distinct, per}`."""

    calls: Annotated[int, BeforeValidator(a_count)] = _ABSENT
    sum: Annotated[dict[str, Annotated[Any, BeforeValidator(_amount)]], AfterValidator(_some_sums)] = _ABSENT
    distinct: Annotated[dict[str, Annotated[int, BeforeValidator(_several)]], AfterValidator(_some_distinct)] = _ABSENT
    per: Literal["session", "mandate", "hour", "day"] = "session"

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if not self.model_fields_set & {"calls", "sum", "distinct"}:
            raise said("this budget limits nothing", "write calls, sum or distinct")
        return self

    @property
    def counts_arguments(self) -> bool:
        """Does it look at what is given?"""
        return self.sum is not None or self.distinct is not None
