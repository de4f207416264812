"""The one-line grant that would allow one call, ready to paste. Every line was loaded and judged before it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from mcp_guard.errors import InputError
from mcp_guard.model import Call, Facts, Kind
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.policy.yaml_scalars import Unclear, plain_value

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_LONGEST = 80  # characters of a literal; longer text is content, which nobody lists


def granting_line(call: Call, facts: Facts, taken: Collection[str] = ()) -> str:
    """`- {id: allow-transfer-money, tool: bank/transfer_money, args: {amount: 5}}`; empty if no line can allow the
    call.

    As narrow as the language can say it: short values as they are, else each argument `any`, else `args: any`.
    """
    name = _free_id(call, taken)
    for target in _targets(call):
        line = f"- {{id: {name}, {target}}}"
        if _allows(line, call, facts):
            return line
    return ""


def _targets(call: Call) -> list[str]:
    if call.kind is Kind.RESOURCE:
        return [f"resource: {{server: {scalar(call.server)}, uri: {scalar(_dollars(call.target))}}}"]
    if call.kind in (Kind.SERVER_REQUEST, Kind.EXTENSION):
        key = "server_requests" if call.kind is Kind.SERVER_REQUEST else "extensions"
        return [f"{key}: {{server: {scalar(call.server)}, allow: [{scalar(call.target)}]}}"]
    target = f"{'prompt' if call.kind is Kind.PROMPT else 'tool'}: {scalar(call.name)}"
    names = list(call.arguments)
    literal = ", ".join(f"{scalar(name)}: {_limit(call.arguments[name])}" for name in names)
    open_ = ", ".join(f"{scalar(name)}: any" for name in names)
    return [f"{target}, args: {{{literal}}}", f"{target}, args: {{{open_}}}", f"{target}, args: any"]


def _limit(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST and value != "any":
        return scalar(_dollars(value))
    return "any"


def _dollars(text: str) -> str:
    return text.replace("$", "$$")  # a `$` alone would be a variable


def scalar(text: str) -> str:
    """The text as YAML reads it back: as it is where that is certain, else in quotes."""
    return text if _PLAIN.fullmatch(text) and _is_text(text) else json.dumps(text, ensure_ascii=False)


def _is_text(text: str) -> bool:
    try:
        return isinstance(plain_value(text), str)
    except Unclear:
        return False


def _free_id(call: Call, taken: Collection[str]) -> str:
    name = call.server if call.kind is Kind.RESOURCE else call.target
    base = "allow-" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "it")
    return next(free for free in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if free not in taken)


def _allows(line: str, call: Call, facts: Facts) -> bool:
    text = f"version: 1\ngrants:\n  {line}\n"
    try:
        document = load_text(text.encode(), file="suggestion", kind="policy")
    except (InputError, ValueError):
        return False
    return decide(Authority((document,)), call, facts).allowed
