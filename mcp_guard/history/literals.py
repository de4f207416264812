"""What documents themselves say: the units of a mandate's task, and the values that a policy's grants list.

Core. What the person wrote word for word is theirs: a word, a name of several words, an address, a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mcp_guard.history.units import unit_of, units_within
from mcp_guard.model import Unit
from mcp_guard.policy.constraint_kinds import All, Constraint, Each, Fields, OneOf, OrNull
from mcp_guard.policy.document import Document

MAX_WORDS = 5  # of one name in a task

_SENTENCE_ENDS = re.compile(r"[\r\n;]+|[.!?:](?=\s|$)")
_ENUMERATOR = re.compile(r"(?:^|(?<=[\r\n.!?:;]))[ \t]*\(?[0-9]{1,3}[.)](?=\s)")  # "1. Pay": it only counts the orders
_AROUND = " \t,;:.!?()[]{}<>\"'`*_\u2018\u2019\u201c\u201d\u00ab\u00bb"
_QUOTED = re.compile(r"\"([^\"\r\n]{1,300})\"|`([^`\r\n]{1,300})`|(?<!\w)'([^'\r\n]{1,300})'(?!\w)")
# Words that every task is full of. A name that is one of them has to stand in quotes, so that no account that somebody
# opened under such a name is in every task.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a about after again all also am an and any are as at be because been before but by can check could "
        "did do does each else ever every find first for from get give had has have he her here him his how i "
        "if in into is it its just last let look make many may me more most my need new next no not now of "
        "off on one only or other our out over pay please put read said same say see send she should show so "
        "some sure take tell than that the their them then there these they this to today tomorrow too up us "
        "use user want was we were what when where which who why will with would yes yet you your",
    )
)


def task_units(task: str) -> frozenset[Unit]:
    """All that a task names: addresses and the like, numbers, what it quotes, its words and names of several words."""
    return frozenset(unit for text in _named(task) if (unit := unit_of(text)) is not None) | frozenset(
        units_within(task)
    )


def _named(task: str) -> Iterator[str]:
    for match in _QUOTED.finditer(task):
        yield next(text for text in match.groups() if text is not None)
    for part in _SENTENCE_ENDS.split(_ENUMERATOR.sub("\n", task)):
        words = part.split()
        for start in range(len(words)):
            for end in range(start + 1, min(start + MAX_WORDS, len(words)) + 1):
                text = " ".join(words[start:end]).strip(_AROUND)
                text = text.removesuffix("'s").removesuffix("\u2019s")
                if text and text.lower() not in _COMMON and (len(text) > 1 or text.isdigit()):
                    yield text


def literals_of(document: Document) -> frozenset[Unit]:
    """The values that a document's grants list word for word. What a deny or an ask names is no permission."""
    found: set[Unit] = set()
    for rule in document.rules:
        if rule.is_grant and rule.arguments is not None:
            limits = (*rule.arguments.listed.values(), *rule.arguments.optional.values())
            texts = (value for limit in limits for value in _listed(limit.constraint))
            found.update(unit for value in texts if (unit := unit_of(value)) is not None)
    return frozenset(found)


def _listed(constraint: Constraint) -> Iterator[str | int | float | bool]:
    match constraint:
        case OneOf():
            yield from constraint.values
        case Each(element=inner) | OrNull(other=inner):
            yield from _listed(inner)
        case All(parts):
            for part in parts:
                yield from _listed(part)
        case Fields(named):
            for _, part in named:
                yield from _listed(part)
        case _:
            return
