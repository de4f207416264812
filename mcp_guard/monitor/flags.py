"""What a deviation is called, and what is done about one. Core."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Deviation(StrEnum):
    """In which way a call isn't like those before it."""

    NEW_TOOL = "new_tool"  # of a principal that has used others for a while
    NEW_HOST = "new_host"  # in an argument, of a tool that this principal uses with few hosts
    NEW_DIRECTORY = "new_directory"  # the same of directories
    RATE = "rate"  # many more calls of the tool in a minute than ever before
    SIZE = "size"  # much more in the arguments than ever before
    HOUR = "hour"  # at a time of day at which this principal never calls anything
    SEQUENCE = "sequence"  # after a tool that was always followed by others


class OnFlag(StrEnum):
    """What a flag does. It never allows anything: at the least it is noted."""

    NOTE = "note"
    ASK = "ask"  # a person is asked
    FREEZE = "freeze"  # the call is refused, and the session waits for a person


@dataclass(frozen=True, slots=True)
class Watching:
    """guard.yaml's `monitor`."""

    learn: int = 100  # calls that show what is usual, before anything is flagged
    on_flag: OnFlag = OnFlag.NOTE


@dataclass(frozen=True, slots=True)
class Flag:
    """One deviation, with its reason: names of tools and numbers, never a value of an argument."""

    deviation: Deviation
    why: str

    @property
    def says(self) -> str:
        """As an entry keeps it."""
        return f"{self.deviation.value}: {self.why}"
