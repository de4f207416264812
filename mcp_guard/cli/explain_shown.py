"""What `mcp-guard explain` says of documents, of a tool, of an entry's rules, and of the nearest permitted call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mcp_guard.escaping import escaped
from mcp_guard.model import Call, Effect, Kind
from mcp_guard.policy.document import Document
from mcp_guard.policy.nearest import Nearest
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.sentences import rule_sentence, sentence

_LONGEST = 400  # characters of a call that is shown


def documents_as_json(documents: Sequence[Document]) -> dict[str, Any]:
    """Whole documents, for programs."""
    return {
        "documents": [
            {"kind": one.kind, "file": one.file, "digest": one.digest, "says": sentence(one)} for one in documents
        ]
    }


def documents_in_words(documents: Sequence[Document]) -> Iterator[str]:
    """Whole documents, a sentence for each rule."""
    for number, document in enumerate(documents):
        if number:
            yield ""
        yield escaped(f"{document.kind} {document.file}")
        yield from (f"  {escaped(line)}" for line in sentence(document))
        if not document.rules:
            yield "  It has no rule, so it permits nothing."


def about(documents: Sequence[Document], call: Call) -> list[tuple[Rule, str]]:
    """Each rule that may be about what is called, with its sentence."""
    rules = [rule for document in documents for rule in document.rules if rule.kind is call.kind is Kind.TOOL]
    return [(rule, rule_sentence(rule)) for rule in rules if rule.effects or rule.may_name(call.server, call.target)]


def rules_now(documents: Sequence[Document], keys: Iterable[str]) -> Iterator[str]:
    """What the rules that decided an entry say by now: they may have been changed since, or be gone."""
    rules = {rule.key: rule for document in documents for rule in document.rules}
    for key in keys:
        rule = rules.get(key)
        if rule is None:
            yield f"now: there is no {key} any more"
        else:
            yield f"now: {rule_sentence(rule)}  {rule.ref.file}:{rule.ref.line}:{rule.ref.column}"


def nearest_in_words(nearest: Nearest) -> str:
    """One line, cut short where a value is long: the nearest call, and what it differs in."""
    shown = json.dumps(nearest.arguments, ensure_ascii=False)
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    asked = " (a person is asked)" if nearest.effect is Effect.ASK else ""
    return f"The nearest call that is permitted{asked}: {shown}"
