"""What a comparison wants of a value: that a constraint says yes, doesn't, says no, or doesn't.

Core. Constraints have three answers, so "allowed" is a yes to a grant and a clear no to a deny; comparing two
documents means asking whether one value could satisfy several such wishes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mcp_guard.model import Answer
from mcp_guard.policy.constraints import Constraint


class Want(Enum):
    """Which answers are wished for."""

    YES = "yes"
    NOT_YES = "not yes"
    NO = "no"
    NOT_NO = "not no"

    def fits(self, answer: Answer) -> bool:
        """Is this one of them?"""
        match self:
            case Want.YES:
                return answer is Answer.YES
            case Want.NOT_YES:
                return answer is not Answer.YES
            case Want.NO:
                return answer is Answer.NO
            case Want.NOT_NO:
                return answer is not Answer.NO

    @property
    def flipped(self) -> Want:
        """The same wish where yes and no have changed places."""
        flips = {Want.YES: Want.NO, Want.NO: Want.YES, Want.NOT_YES: Want.NOT_NO, Want.NOT_NO: Want.NOT_YES}
        return flips[self]


@dataclass(frozen=True, slots=True)
class Literal:
    """One wish about one value."""

    constraint: Constraint
    want: Want

    @property
    def clear(self) -> bool:
        """Does it wish for a clear answer, which a value of another JSON type never gets?"""
        return self.want is Want.YES or self.want is Want.NO
