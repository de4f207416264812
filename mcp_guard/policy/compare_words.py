"""What a comparison found, in sentences that fit a review, and as data.

Core. Values in it are invented by the comparison; names of tools, rules and files come from the documents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mcp_guard.model import EVERY_EFFECT, Decision, Effect, Kind, Origin, Reason, RuleRef
from mcp_guard.policy.compare_supposed import ANY_DAY
from mcp_guard.policy.compare_verdicts import Comparison, Direction, Finding, Verdict
from mcp_guard.policy.compare_witness import Witness
from mcp_guard.policy.constraint_kinds import Source
from mcp_guard.policy.constraint_words import source_words

MAX_FINDINGS = 60  # of one direction, in words; all of them are in the data
MAX_SHOWN = 160  # characters of a text, or elements of a list, in a sentence

_REASONS = {
    Reason.NO_GRANT: "no grant covers it",
    Reason.EXPIRED: "what granted it is over by then",
    Reason.BUDGET_SPENT: "its budget is used up by then",
    Reason.TOO_OFTEN: "its rate or budget is used up by then",
    Reason.NO_MANDATE: "it wants a mandate",
    Reason.NO_AUTHORITY: "it grants nothing",
    Reason.HISTORY: "what the session has met or done closes it",
}


def headline(found: Comparison) -> str:
    """The answer in one line."""
    gained, lost = found.gained.verdict, found.lost.verdict
    if gained is Verdict.WITNESS:
        return "WIDER: the new one permits what the old one did not."
    if gained is Verdict.UNKNOWN:
        return "UNKNOWN, which counts as wider: not proved that the new one permits no more."
    if lost is Verdict.PROVED:
        return "THE SAME, proved: both permit the same calls."
    return "NOT WIDER, proved: the new one permits nothing that the old one did not."


def sections(found: Comparison) -> Iterator[tuple[str, list[list[str]]]]:
    """Both directions, each with a title and the sentences of its findings: the first one, then what belongs to it."""
    gained, lost = found.gained, found.lost
    yield _title(gained, "Permitted now and not before"), _findings(gained, "before")
    yield _title(lost, "Permitted before and not now"), _findings(lost, "now")


def as_data(found: Comparison) -> dict[str, Any]:
    """The whole answer for programs: `gained` and `lost` with `verdict` and `findings`."""
    return {
        "wider": found.wider,
        "gained": _direction_data(found.gained),
        "lost": _direction_data(found.lost),
    }


def _title(direction: Direction, what: str) -> str:
    return f"{what}: nothing (proved)" if direction.verdict is Verdict.PROVED else what


def _findings(direction: Direction, other: str) -> list[list[str]]:
    """What differs for several tools by the same rules, under the same circumstances, is said once."""
    groups: dict[object, list[Finding]] = {}
    for one in direction.findings[:MAX_FINDINGS]:
        groups.setdefault(_alike(one), []).append(one)
    said = [_finding(group, other) for group in groups.values()]
    left = len(direction.findings) - MAX_FINDINGS
    return [*said, [f"and {left} more, which `--json` shows"]] if left > 0 else said


def _alike(finding: Finding) -> object:
    witness = finding.witness
    if witness is None:
        return id(finding)
    return finding.rules, witness.new.effect, tuple(_supposed(witness)), _why(witness.old)


def _finding(group: Sequence[Finding], other: str) -> list[str]:
    finding = group[0]
    rules = ", ".join(_rule(rule) for rule in finding.rules)
    if finding.witness is None:
        target = f"{finding.target}: " if finding.target else ""
        return [f"{target}unknown{f', for {rules}' if rules else ''}: {finding.why}"]
    witness = finding.witness
    verb = "asked about" if witness.new.effect is Effect.ASK else "allowed"
    names = list(dict.fromkeys(_name(one) for one in group))
    which = f" ({_name(finding)})" if len(names) > 1 else ""
    return [
        f"{', '.join(names)}: {verb} by {rules}",
        f"such as {_call(witness)}{which}",
        *(f"supposing {one}" for one in _supposed(witness)),
        f"{other}: {_why(witness.old)}",
    ]


def _name(finding: Finding) -> str:
    name = finding.witness.name if finding.witness is not None else finding.target
    return name if finding.target == name else f"{name} (of {finding.target})"


def _rule(rule: RuleRef) -> str:
    return f"`{rule.id}` ({rule.file}:{rule.line}:{rule.column})"


def _call(witness: Witness) -> str:
    call = witness.call
    if call.kind is Kind.RESOURCE:
        return shown(call.target)
    return shown(call.params["arguments"])


def _why(decision: Decision) -> str:
    rules = ", ".join(_rule(rule) for rule in decision.rules)
    if decision.effect is Effect.ASK:
        return f"a person was asked by {rules}" if rules else "a person was asked"
    if decision.reason is Reason.DENIED:
        return f"denied by {rules}" if rules else "denied"
    return _REASONS.get(decision.reason, "refused") if decision.reason is not None else "refused"


def _supposed(witness: Witness) -> Iterator[str]:
    """The circumstances without which the difference wouldn't show."""
    supposed, call = witness.supposed, witness.call
    if supposed.now != ANY_DAY:
        yield f"it is {supposed.now:%Y-%m-%dT%H:%M:%SZ} ({supposed.now:%A})"
    if call.principal != "somebody":
        yield f"it is for {json.dumps(call.principal, ensure_ascii=False)}"
    for path, target in supposed.links.items():
        yield f"{path} is a link to {target}"
    for rule in supposed.usage:
        of, rate, _ = rule.partition(" rate")
        yield f"the {'rate' if rate else 'budget'} of {of} is used up"
    for label in sorted(supposed.exposed):
        yield f"the session has the label {label}"
    for done in sorted([*supposed.done.tools, *supposed.done.grants]):
        yield f"{done} was used in the session before"
    if not supposed.first_seen:
        yield "the tool was not there at first sight of its server"
    elif not supposed.lock:
        yield "no lock has the tool, so that a pattern reaches it only if it can neither destroy, send nor spend"
    if supposed.classes and supposed.classes != EVERY_EFFECT:
        yield f"the tool's effects include {', '.join(sorted(supposed.classes))}"
    if supposed.catalogued != EVERY_EFFECT:
        yield f"the effects catalogue knows the tool as {', '.join(sorted(supposed.catalogued))}"
    if supposed.origin is not None:
        yield f"its values come from {_origin(supposed.origin)}"


def _origin(origin: Origin) -> str:
    named = origin.tool and origin.tool != "some/tool"
    return source_words([Source("tool", origin.tool, origin.field) if named else Source(origin.source)])


def shown(value: Any) -> str:
    """A value as JSON, long texts and lists cut."""
    return json.dumps(_cut(value), ensure_ascii=False)


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_SHOWN:
        return f"{value[:20]}... ({len(value)} characters)"
    if isinstance(value, list):
        kept = [_cut(one) for one in value[:MAX_SHOWN]]
        return kept if len(kept) == len(value) else [*kept[:3], f"... ({len(value)} elements)"]
    if isinstance(value, Mapping):
        return {name: _cut(one) for name, one in value.items()}
    return value


def _direction_data(direction: Direction) -> dict[str, Any]:
    return {"verdict": direction.verdict.value, "findings": [_finding_data(one) for one in direction.findings]}


def _finding_data(finding: Finding) -> dict[str, Any]:
    return {
        "target": finding.target,
        "verdict": finding.verdict.value,
        "effect": finding.effect.name.lower(),
        "rules": [_rule_data(rule) for rule in finding.rules],
        "why": finding.why,
        "witness": None if finding.witness is None else _witness_data(finding.witness),
    }


def _witness_data(witness: Witness) -> dict[str, Any]:
    call, supposed = witness.call, witness.supposed
    return {
        "principal": call.principal,
        "method": call.method,
        "server": call.server,
        "target": call.target,
        "arguments": call.params.get("arguments"),
        "supposing": {
            "now": supposed.now.isoformat(),
            "links": dict(supposed.links),
            "used_up": list(supposed.usage),
            "labels": sorted(supposed.exposed),
            "came_before": sorted([*supposed.done.tools, *supposed.done.grants]),
            "first_seen": supposed.first_seen,
            "locked": supposed.lock,
            "effects": sorted(supposed.classes),
            "from": None if supposed.origin is None else _origin(supposed.origin),
            "catalogued": None if supposed.catalogued == EVERY_EFFECT else sorted(supposed.catalogued),
        },
        "other": {
            "effect": witness.old.effect.name.lower(),
            "reason": str(witness.old.reason),
            "rules": [_rule_data(rule) for rule in witness.old.rules],
        },
    }


def _rule_data(rule: RuleRef) -> dict[str, Any]:
    return {"id": rule.id, "layer": rule.layer, "file": rule.file, "line": rule.line, "column": rule.column}
