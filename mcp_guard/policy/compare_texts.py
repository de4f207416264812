"""Can a text satisfy these wishes? Proves that none can by what two constraints say of each other, and by automata.

Core. Sound for every file system that stands still: a path leads to one place, which has no links in it, and so does
every directory above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from mcp_guard.model import Answer
from mcp_guard.policy.canonical import why_not_absolute
from mcp_guard.policy.compare_automata import Automaton, TooMany, automaton, find_text
from mcp_guard.policy.compare_hosts import all_listed, all_reached, none_reached
from mcp_guard.policy.compare_literals import Literal, Want
from mcp_guard.policy.compare_paths import all_named, is_reached, stays_under
from mcp_guard.policy.compare_regex import (
    EVERY,
    Alt,
    Chars,
    Repeat,
    Seq,
    has_complement,
    literal,
    longest,
    read_pattern,
)
from mcp_guard.policy.compare_supposed import PLAIN
from mcp_guard.policy.constraint_kinds import (
    Constraint,
    DomainIn,
    HostIn,
    Matches,
    MaxLength,
    NotName,
    OneOf,
    Under,
    Within,
)
from mcp_guard.policy.constraint_paths import FILE_URI
from mcp_guard.policy.constraints import compile_check

_ANY_TEXT = Repeat(Chars(EVERY), 0, None)


def no_text(literals: Sequence[Literal]) -> bool:
    """Proved: no text satisfies all of these, which are about texts, whatever the facts."""
    listed = next(
        (one.constraint for one in literals if one.want is Want.YES and isinstance(one.constraint, OneOf)), None
    )
    if listed is None:
        return _contradict(literals) or _no_match(literals)
    return all(_refused(text, listed, literals) for text in listed.texts)


def _refused(text: str, listed: OneOf, literals: Sequence[Literal]) -> bool:
    alone = OneOf((text,), starts=tuple(pair for pair in listed.starts if pair[0] == text))
    wishes = [Literal(alone, Want.YES), *(one for one in literals if (one.constraint, one.want) != (listed, Want.YES))]
    return any(not may_be(text, one) for one in literals) or _contradict(wishes) or _no_match(wishes)


def may_be(text: str, wish: Literal) -> bool:
    """Under some facts, could this text satisfy the wish?"""
    constraint = wish.constraint
    said = compile_check(constraint)(text, PLAIN)
    answers = {said}
    if isinstance(constraint, (Under, NotName, Within)) or _has_path(constraint):
        answers.add(Answer.UNSURE)  # a path may lead elsewhere, or nobody knows where
    if isinstance(constraint, Within) and why_not_absolute(text) is None:
        answers.add(Answer.NO)
    return any(wish.want.fits(answer) for answer in answers)


def _has_path(constraint: Constraint) -> bool:
    return isinstance(constraint, OneOf) and any(text.startswith("/") for text in constraint.texts)


def _contradict(literals: Sequence[Literal]) -> bool:
    return any(_never_both(one, other) or _never_both(other, one) for one, other in combinations(literals, 2))


def _never_both(one: Literal, other: Literal) -> bool:
    """One text can't satisfy both, looked at from `one`, which is a wish for a clear answer."""
    a, b = one.constraint, other.constraint
    match one.want, other.want:
        case Want.YES, Want.NOT_YES:
            return a == b or _implies(a, b)
        case Want.YES, Want.NO:
            return a == b or _reaches(a, b)
        case Want.YES, Want.NOT_NO:
            return _excludes(a, b)
        case Want.NO, Want.NOT_NO:
            return a == b or _refuses(a, b)
        case _:
            return False


def _implies(a: Constraint, b: Constraint) -> bool:
    """A clear yes of `a` is a clear yes of `b`."""
    match a, b:
        case (OneOf(texts=(text,), starts=first), OneOf(texts=texts, starts=then)):
            begin = dict(then).get(text, "")
            return text in texts and (not begin or begin == dict(first).get(text, ""))
        case (OneOf(texts=(text,), starts=starts), Under()):
            return stays_under(Under(text, start=dict(starts).get(text, "")), b, exactly=True)
        case Under(), Under():
            return stays_under(a, b)
        case NotName(inner), NotName(outer):
            return all_named(outer, inner)
        case MaxLength(inner), MaxLength(outer):
            return inner <= outer
        case Matches(pattern), MaxLength(outer):
            tree = read_pattern(pattern)
            length = None if tree is None else longest(tree)
            return length is not None and length <= outer
        case (DomainIn() | HostIn(), DomainIn() | HostIn()):
            return all_listed(a, b)
        case _:
            return False


def _reaches(a: Constraint, b: Constraint) -> bool:
    """A clear yes of `a` is no clear no of `b`."""
    match a, b:
        case Under(), Under():
            return is_reached(a, b)
        case (DomainIn() | HostIn(), DomainIn() | HostIn()):
            return all_reached(a, b)
        case Matches(), Matches():
            return _all_match(a, b)
        case _:
            return _implies(a, b)


def _excludes(a: Constraint, b: Constraint) -> bool:
    """A clear yes of `a` is a clear no of `b`."""
    if isinstance(a, (DomainIn, HostIn)) and isinstance(b, (DomainIn, HostIn)):
        return none_reached(a, b)
    return False


def _refuses(a: Constraint, b: Constraint) -> bool:
    """A clear no of `a` is a clear no of `b`."""
    match a, b:
        case OneOf(), OneOf():
            return not (a.numbers or a.flags or b.numbers or b.flags) and set(b.texts) <= set(a.texts)
        case NotName(inner), NotName(outer):
            return all_named(inner, outer)
        case MaxLength(inner), MaxLength(outer):
            return outer <= inner
        case Matches(one), Matches(other):
            trees = read_pattern(one), read_pattern(other)
            # Letter case is ignored for a no. Where a class is a complement, ignoring case takes letters away.
            known = all(tree is not None and not has_complement(tree) for tree in trees)
            return known and _all_match(b, a)
        case Under(), Under():
            return (a.root, a.uri) == (b.root, b.uri)
        case (DomainIn() | HostIn(), DomainIn() | HostIn()):
            return all_reached(b, a)
        case _:
            return False


def _all_match(a: Matches, b: Matches) -> bool:
    """Every text that `a` matches is one that `b` matches."""
    return _no_match([Literal(a, Want.YES), Literal(b, Want.NOT_YES)])


def _no_match(literals: Sequence[Literal]) -> bool:
    """The texts that the patterns leave, seen as character by character, are none."""
    wished = [one for one in literals if one.want is Want.YES]
    refused = [one for one in literals if one.want is Want.NOT_YES and isinstance(one.constraint, (Matches, OneOf))]
    if not any(isinstance(one.constraint, Matches) for one in (*wished, *refused)):
        return False
    lengths = [one.constraint.limit for one in wished if isinstance(one.constraint, MaxLength)]
    try:
        inside = [found for one in wished if (found := _pattern_of(one.constraint)) is not None]
        # Without its own pattern a refusal says nothing here: leaving it out leaves more texts, never fewer.
        outside = [found for one in refused if (found := _refusal_of(one.constraint)) is not None]
        return bool(inside) and find_text(inside, outside, min(lengths, default=None)) is None
    except TooMany:
        return False


def _pattern_of(constraint: Constraint) -> Automaton | None:
    """Every text that the constraint says yes to, and maybe more."""
    match constraint:
        case Matches(pattern):
            tree = read_pattern(pattern)
            return None if tree is None else automaton(tree)
        case OneOf(texts=texts):
            return automaton(Alt(tuple(literal(text) for text in texts)))
        case Under(root, uri):
            path = literal((FILE_URI if uri else "") + root.rstrip("/"))
            return automaton(Seq((path, Alt((Seq(()), Seq((literal("/"), _ANY_TEXT)))))))
        case _:
            return None


def _refusal_of(constraint: Constraint) -> Automaton | None:
    """Texts that the constraint says yes to for certain."""
    match constraint:
        case Matches(pattern):
            tree = read_pattern(pattern)
            return None if tree is None else automaton(tree)
        case OneOf(texts=texts, starts=starts):
            sure = [text for text in texts if text not in dict(starts)]
            return automaton(Alt(tuple(literal(text) for text in sure))) if sure else None
        case _:
            return None
