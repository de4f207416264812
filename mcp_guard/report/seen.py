"""What a report reads: decisions and words about questions, in the order of the record.

Core. Texts are as the record has them, so any name may be an attacker's; `sections.named` is the way to show one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Seen:
    """One decision. An entry that stands for many like refusals has their number in `count`."""

    entry: str
    time: datetime
    session: str
    name: str  # `server/target`
    effect: str  # allow, ask, deny
    reason: str = ""
    rules: tuple[str, ...] = ()  # keys, the deciding one first
    given: Mapping[str, str] = field(default_factory=dict)  # the arguments' types by name
    values: Mapping[str, str] = field(default_factory=dict)  # keyed digests of their values, by name
    gives: tuple[str, ...] = ()  # labels that the session has from here on
    digest: str = ""  # keyed, of the whole call
    count: int = 1
    flags: tuple[str, ...] = ()  # what the monitor and scanners said of it, each as `kind: reason`
    known: Mapping[str, Any] = field(default_factory=dict)  # the arguments whose values were kept, and are as they were
    approved: bool = False  # a person agreed
    authority: str = ""  # digest of the documents that judged
    candidate: str = ""  # what a candidate would have said instead: an effect
    candidate_why: str = ""
    sent: bool = True  # an allowed call of which no byte was sent wasn't made

    @property
    def wholly_known(self) -> bool:
        """Is every argument's value here?"""
        return self.known.keys() == self.given.keys()


@dataclass(frozen=True, slots=True)
class Reported:
    """A person said that the call of this entry should not have been allowed; `values`: digests by argument."""

    entry: str
    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Exposed:
    """A session has these labels from here on (`cleared`: it has them no more), by something that isn't a call."""

    session: str
    labels: tuple[str, ...]
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document binds from here on, with these grants (`RuleRef.key`)."""

    file: str
    grants: tuple[str, ...]
    kind: str = "policy"
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A question was put (`asked`), or became something: approved, refused, lapsed, withdrawn, standing."""

    question: str  # the id of the entry that asked
    what: str
    time: datetime
    rules: tuple[str, ...] = ()  # the keys of the rules that ask; with `asked` alone


Event = Seen | Exposed | Loaded | Said | Reported
