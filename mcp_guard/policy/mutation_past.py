"""Weaker conditions on the history, and facts about tools with a label less. Part of `mutation.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

from mcp_guard.policy.clauses import singly
from mcp_guard.policy.document import Document
from mcp_guard.policy.order import After
from mcp_guard.policy.rules import Rule, When


def weaker_past(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """A grant that wants less of the history; an ask or a deny that is about fewer of them."""
    if rule.after is not None:
        yield from _after(rule, rule.after)
    if not rule.is_grant:
        return
    if rule.once:
        yield "more than once", replace(rule, once=False)
    if rule.when is not None:
        yield from ((what, replace(rule, when=when)) for what, when in _labels(rule.when))


def _labels(when: When) -> Iterator[tuple[str, When]]:
    for label in when.labels:
        left = tuple(other for other in when.labels if other != label)
        yield f"without label {label}", replace(when, labels=left)
    for label in when.no_labels:
        left = tuple(other for other in when.no_labels if other != label)
        yield f"also with label {label}", replace(when, no_labels=left)


def _after(rule: Rule, after: After) -> Iterator[tuple[str, Rule]]:
    parts = singly(after)
    if not rule.is_grant:
        yield "after: once more often", replace(rule, after=replace(after, times=after.times + 1))
    if rule.is_grant and len(parts) == 1:
        yield f"without `after: {parts[0].names[0]}`", replace(rule, after=None)
    if len(parts) < 2:
        return
    for part in parts:
        left = [other for other in parts if other is not part]
        tools = tuple(name for one in left for name in one.tools)
        grants = tuple(key for one in left for key in one.grants)
        meanings = tuple(said for one in left for said in one.meanings)
        less = replace(after, tools=tools, grants=grants, meanings=meanings)
        yield f"after: without {part.names[0]}", replace(rule, after=less)


def fewer_labels(document: Document) -> Iterator[tuple[str, str, Document]]:
    """What is weaker, the entry under `tools` that it stands in, and the document."""
    whens = [rule.when for rule in document.rules if rule.when is not None]
    wanted = {label for when in whens for label in (*when.labels, *when.no_labels)}
    for name, facts in document.tools.items():
        for one in facts.gives:
            if one.label in wanted:
                left = replace(facts, gives=tuple(other for other in facts.gives if other is not one))
                tools = MappingProxyType({**document.tools, name: left})
                yield f"doesn't give {one.label}", name, replace(document, tools=tools)
    for server, labels in document.says.items():
        for label in sorted(labels & wanted):
            says = MappingProxyType({**document.says, server: labels - {label}})
            yield f"doesn't give {label}", f"{server}/*", replace(document, says=says)
