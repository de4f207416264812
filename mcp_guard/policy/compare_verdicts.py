"""What a comparison found: per direction and target, a witness or an unknown; nothing is a proof.

Core.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mcp_guard.model import Effect, RuleRef
from mcp_guard.policy.compare_witness import Witness


class Verdict(StrEnum):
    """The answer to "does one side permit what the other doesn't?"."""

    PROVED = "proved"  # it permits nothing more
    WITNESS = "witness"  # it does, and here is a call
    UNKNOWN = "unknown"  # neither could be shown


@dataclass(frozen=True, slots=True)
class Finding:
    """One target on which more is permitted, or may be."""

    target: str  # `server/tool`, a resource's server, or `any other tool`; empty: the documents as wholes
    effect: Effect  # what the wider side says: ALLOW or ASK
    rules: tuple[RuleRef, ...]  # of the wider side, the deciding one first
    witness: Witness | None = None
    why: str = ""  # it is unknown

    @property
    def verdict(self) -> Verdict:
        return Verdict.UNKNOWN if self.witness is None else Verdict.WITNESS


@dataclass(frozen=True, slots=True)
class Direction:
    """All findings of one direction; none is a proof."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """A witness settles the question, whatever else is unknown."""
        verdicts = {finding.verdict for finding in self.findings}
        return next((one for one in (Verdict.WITNESS, Verdict.UNKNOWN) if one in verdicts), Verdict.PROVED)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the new documents permit that the old ones didn't, and the reverse."""

    gained: Direction
    lost: Direction

    @property
    def wider(self) -> bool:
        """Could the new documents permit more? Unknown counts as yes."""
        return self.gained.verdict is not Verdict.PROVED
