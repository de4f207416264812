"""What a report reads: decisions and words about questions, in the order of the record.

Core. Texts are as the record has them, so any name may be an attacker's; `sections.named` is the way to show one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


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


@dataclass(frozen=True, slots=True)
class Said:
    """A question was put (`asked`), or became something: approved, refused, lapsed, withdrawn, standing."""

    question: str  # the id of the entry that asked
    what: str
    time: datetime
    rules: tuple[str, ...] = ()  # the keys of the rules that ask; with `asked` alone


Event = Seen | Exposed | Loaded | Said
