"""A document, rewritten twice for calls of which only types and digests are known: never milder, and never stricter.

Core. The stricter one says nothing in a grant and fires in an ask or a deny wherever it can't be told; the milder one
the other way round. What the document itself would have said lies between the two, or is both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mcp_guard.model import Answer, Facts
from mcp_guard.policy.document import Document
from mcp_guard.policy.rules import Arguments, Limit, Rule
from mcp_guard.report.recorded import Recorded, Told, goes_by_sources, told
from mcp_guard.report.slack import Digest

_Answers = Callable[[Told], Answer]


def bound(document: Document, digest: Digest | None, *, strict: bool, names_known: bool) -> Document:
    """One of the two. Without `names_known`, arguments of names that weren't kept were given: any of the listed ones
    may have been.
    """
    kept = [_rule(rule, digest, strict=strict, names_known=names_known) for rule in document.rules]
    return replace(document, rules=tuple(rule for rule in kept if rule is not None))


def _rule(rule: Rule, digest: Digest | None, *, strict: bool, names_known: bool) -> Rule | None:
    """The rule as it can be judged; None: in this bound it never speaks."""
    speaks = rule.is_grant != strict  # where something can't be told
    if _goes_by_what_is_not_kept(rule) and not speaks:
        return None
    answers = _of_grant(strict) if rule.is_grant else _of_deny(strict)
    uri = None if rule.uri is None else _limit(rule.uri, digest, answers)  # where a path leads isn't kept either
    rule = replace(_without_what_is_not_kept(rule), uri=uri)
    if rule.arguments is None:
        return rule
    if not names_known:
        return replace(rule, arguments=None) if speaks else None
    return replace(rule, arguments=_arguments(rule.arguments, digest, answers))


def _goes_by_what_is_not_kept(rule: Rule) -> bool:
    """History beyond counts of calls, secrets, sums and different values; and how often people agreed."""
    counted = rule.budget is not None and bool(rule.budget.counted)
    return rule.remembers or rule.deny_secrets or counted or (rule.asks and bool(rule.counts))


def _without_what_is_not_kept(rule: Rule) -> Rule:
    budget = rule.budget
    if budget is not None and budget.counted:
        budget = None if budget.calls is None else replace(budget, sums={}, distinct={})
    when = None if rule.when is None else replace(rule.when, labels=(), no_labels=())
    return replace(rule, budget=budget, when=when, after=None, once=False, deny_secrets=False)


def _of_grant(strict: bool) -> _Answers:
    fitting = {Told.YES} if strict else {Told.YES, Told.UNKNOWN}
    return lambda said: Answer.YES if said in fitting else Answer.NO


def _of_deny(strict: bool) -> _Answers:
    if strict:
        return lambda said: Answer.NO if said is Told.NO else Answer.UNSURE
    return lambda said: Answer.YES if said is Told.YES else Answer.NO


def _arguments(limits: Arguments, digest: Digest | None, answers: _Answers) -> Arguments:
    listed = {name: _limit(limit, digest, answers) for name, limit in limits.listed.items()}
    optional = {name: _limit(limit, digest, answers) for name, limit in limits.optional.items()}
    return replace(limits, listed=listed, optional=optional)


def _limit(limit: Limit, digest: Digest | None, answers: _Answers) -> Limit:
    def check(value: object, facts: Facts) -> Answer:
        if isinstance(value, Recorded) and value.value and not goes_by_sources(limit.constraint):
            return limit.check(value.value[0], facts)
        return answers(told(limit.constraint, value, digest))

    return Limit(limit.constraint, check)
