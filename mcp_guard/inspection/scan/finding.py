"""What the scan says: which rule found what, where, and how bad that is.

Core. A finding withholds or marks; nothing is ever allowed because of one, or because there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How sure it is that the text is an attack."""

    SEVERE = "severe"  # hardly anything honest is written so
    MINOR = "minor"  # honest servers write so, too; a person may want to look


class Place(StrEnum):
    """What a text is in a listing or an answer: some rules are for one of them only."""

    PROSE = "prose"  # a description, a title, instructions: written for the model
    NAME = "name"  # of a parameter
    VALUE = "value"  # an enum's, a default, an example: short, and offered to be sent
    RESULT = "result"  # what a call answered, errors too: anything can be in there, honestly


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `text[start:end]` of the text at `where` is what the rule means."""

    rule: str
    severity: Severity
    reason: str  # a sentence for a person; never the text that was found
    span: tuple[int, int]
    where: str = ""  # a path into the descriptor; empty for a text that stands alone

    def __str__(self) -> str:
        return f"{self.rule} in {self.where or 'its text'}"
