"""What each lane asked, and what came of it. Every request ends once: answered, given up, or lost with its guard."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """Shared by all lanes of one run."""

    asked: int = 0
    longest: float = 0.0  # seconds that an answer took
    ends: Counter[str] = field(default_factory=Counter)  # results, errors, given up, left behind
    faults: Counter[str] = field(default_factory=Counter)  # what was done to whom
    unanswered: dict[str, str] = field(default_factory=dict)  # what it was, and its nonce if it had one
    seen: dict[str, str] = field(default_factory=dict)  # of those: what client and guard held when it was noticed
    twice: list[str] = field(default_factory=list)  # answers to what was answered, or never asked
    broken: list[str] = field(default_factory=list)  # what no client should see: no JSON, a wrong status
    remote: Counter[str] = field(default_factory=Counter)  # texts that reached the HTTP servers

    @property
    def answered(self) -> int:
        return self.ends["result"] + self.ends["error"]

    def end(self, answer: dict[str, object]) -> None:
        """One request was answered."""
        self.ends["error" if "error" in answer else "result"] += 1
