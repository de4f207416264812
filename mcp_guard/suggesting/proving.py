"""Edits made, and proved: the document that comes out permits nothing that the present one doesn't.

Core. All edits at once if that is proved; else one after the other, each alternative in turn, and what can't be proved
is left as it was. Nothing comes out of here without a proof of the whole.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_verdicts import Verdict
from mcp_guard.policy.document import Document
from mcp_guard.suggesting.edits import REMOVED, Alternative, Edit

Load = Callable[[Mapping[str, Any]], "Document | None"]
"""The plain values of a document as one; None if that is no document."""


@dataclass(frozen=True, slots=True)
class Made:
    """One edit in the form in which it was made."""

    edit: Edit
    alternative: Alternative


@dataclass(frozen=True, slots=True)
class Proved:
    """The tighter document, what was done to it, and what couldn't be proved and wasn't."""

    plain: Mapping[str, Any]
    document: Document
    made: tuple[Made, ...]
    left: tuple[Edit, ...] = ()


@dataclass(slots=True)
class _Trial:
    plain: Mapping[str, Any]
    present: Document
    load: Load
    made: list[Made] = field(default_factory=list)

    def proved(self, made: Sequence[Made]) -> Document | None:
        """The document with these edits, if it is proved to permit no more."""
        found = self.load(applied(self.plain, made))
        if found is None or compare((self.present,), (found,)).gained.verdict is not Verdict.PROVED:
            return None
        return found

    def add(self, edit: Edit) -> bool:
        for alternative in edit.alternatives:
            more = [*self.made, Made(edit, alternative)]
            if self.proved(more) is not None:
                self.made = more
                return True
        return False


def tightest(plain: Mapping[str, Any], present: Document, edits: Sequence[Edit], load: Load) -> Proved:
    """As many of the edits as are proved together."""
    trial = _Trial(plain, present, load)
    at_once = [Made(edit, edit.alternatives[0]) for edit in edits]
    document = trial.proved(at_once)
    if document is not None:
        return Proved(applied(plain, at_once), document, tuple(at_once))
    left = tuple(edit for edit in edits if not trial.add(edit))
    document = trial.proved(trial.made) if trial.made else present
    assert document is not None  # noqa: S101 - each step was proved
    return Proved(applied(plain, trial.made), document, tuple(trial.made), left)


def applied(plain: Mapping[str, Any], made: Sequence[Made]) -> dict[str, Any]:
    """The plain values of the document with these edits."""
    found: dict[str, Any] = copy.deepcopy(dict(plain))
    rules = {str(rule["id"]): rule for rule in found.get("grants", [])}
    gone: set[str] = set()
    for one in made:
        for at, value in one.alternative.changes.items():
            if not at:
                gone.add(one.edit.rule)
            else:
                _put(rules[one.edit.rule], at, value)
    if "grants" in found:
        found["grants"] = [rule for rule in found["grants"] if str(rule["id"]) not in gone]
    return found


def _put(rule: dict[str, Any], at: tuple[str, ...], value: Any) -> None:
    *way, last = at
    holder = rule
    for step in way:
        holder = holder.setdefault(step, {})
    if value is not REMOVED:
        holder[last] = copy.deepcopy(value)
        return
    holder.pop(last, None)
    if way and not holder:
        rule.pop(way[0], None)
