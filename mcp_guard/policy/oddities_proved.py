"""Rules without which a document would permit the same: proved by the comparison of documents, never guessed.

A rule that can't fire, one that another covers, a grant that a deny closes: all of them change nothing when they are
taken out. Apart from `oddities.py`, since the comparison isn't imported where nobody asks for it.

Core.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from mcp_guard.model import Effect
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_verdicts import Verdict
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.oddities import Oddity, oddity
from mcp_guard.policy.rules import Rule

MOST_RULES = 60
"""Rules of one document that are looked at: it takes one comparison for each."""
_GONE = {"denied-anyway", "nothing-granted", "over", "duplicate"}


def needless(authority: Authority, known: Collection[Oddity] = ()) -> list[Oddity]:
    """The rules of each document that change nothing of what it permits, all together.

    Those that `known` has are taken for gone already: of two that say the same, one is needed.
    """
    gone = {(one.file, one.rule) for one in known if one.code in _GONE}
    return [one for layer in authority.layers if len(layer.rules) <= MOST_RULES for one in _of(layer, gone)]


def _of(layer: Document, gone: Collection[tuple[str, str]]) -> Iterator[Oddity]:
    needed = {key for rule in layer.rules if rule.after is not None for key in rule.after.grants}
    left = replace(layer, rules=tuple(rule for rule in layer.rules if (layer.file, rule.ref.id) not in gone))
    for rule in left.rules:
        without = replace(left, rules=tuple(one for one in left.rules if one is not rule))
        if rule.key in needed or not _changes_nothing(left, without, rule):
            continue
        left = without
        if rule.ref.effect is Effect.DENY:
            yield oddity(rule, "for now it refuses nothing that would be permitted without it", "guards-nothing")
        elif rule.is_grant:
            said = "it permits nothing: all of it is permitted by other rules, denied, or can't be"
            yield oddity(rule, said, "changes-nothing")
        else:
            yield oddity(rule, "it asks about nothing that would be allowed without it", "changes-nothing")


def _changes_nothing(layer: Document, without: Document, rule: Rule) -> bool:
    """Without a grant no less is permitted; without an ask or a deny, no more."""
    found = compare((without,), (layer,)) if rule.is_grant else compare((layer,), (without,))
    return found.gained.verdict is Verdict.PROVED
