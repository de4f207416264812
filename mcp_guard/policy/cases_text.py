"""A case as one line of a case file, ready to paste."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from mcp_guard.model import Call, Kind
from mcp_guard.policy.cases import NOW, PRINCIPAL, Case, Step
from mcp_guard.policy.suggest import scalar

_LONGEST = 60  # characters of one letter that are written out; more are given by their number
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


def written(case: Case, mandate: str = "") -> str:
    """`- {why: ..., call: ..., args: {...}, expect: deny}`; of its mandate what `mandate` says, YAML in one line."""
    parts = [f"why: {scalar(case.why)}"]
    parts += [f"mandate: {mandate}"] if mandate else []
    parts += [f"labels: {_flow(sorted(case.labels))}"] if case.labels else []
    if case.before:
        parts.append(f"after: [{', '.join(_step(step, case.at) for step in case.before)}]")
    parts += _call(case.call)
    parts += [f"at: {case.at:{_MOMENT}}"] if case.at != NOW else []
    parts += [f"principal: {scalar(case.call.principal)}"] if case.call.principal != PRINCIPAL else []
    parts += [f"links: {_flow(dict(case.links))}"] if case.links else []
    parts.append(f"expect: {case.expect.name.lower()}")
    parts += [f"rule: {scalar(case.rule)}"] if case.rule is not None else []
    parts += [f"reason: {case.reason}"] if case.reason is not None else []
    parts += [f"obligations: {_flow(list(case.obligations))}"] if case.obligations is not None else []
    return f"- {{{', '.join(parts)}}}"


def _step(step: Step, at: datetime) -> str:
    parts = [
        *_call(step.call),
        *([f"times: {step.times}"] if step.times > 1 else []),
        *([] if step.at == at else _at(step.at)),
        *([] if step.result is None else [f"result: {_flow(step.result)}"]),
    ]
    return f"{{{', '.join(parts)}}}"


def _at(at: datetime) -> list[str]:
    return [f"at: {at:{_MOMENT}}"]


def _call(call: Call) -> list[str]:
    if call.kind is Kind.RESOURCE:
        return [f"resource: {{server: {scalar(call.server)}, uri: {scalar(call.target)}}}"]
    if call.kind in (Kind.SERVER_REQUEST, Kind.EXTENSION):
        return [f"{'server_request' if call.kind is Kind.SERVER_REQUEST else 'extension'}: {scalar(call.name)}"]
    long = {name: value for name, value in call.arguments.items() if _is_long(value)}
    short = {name: value for name, value in call.arguments.items() if name not in long}
    parts = [f"{'call' if call.kind is Kind.TOOL else 'prompt'}: {scalar(call.name)}", f"args: {_flow(short)}"]
    lengths = {name: len(value) for name, value in long.items()}
    return [*parts, f"long: {_flow(lengths)}"] if lengths else parts


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > _LONGEST and value == "x" * len(value)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{scalar(name)}: {_flow(inner)}' for name, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(inner) for inner in value)}]"
    return scalar(value) if isinstance(value, str) else json.dumps(value)
