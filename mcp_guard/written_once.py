"""`written_once`: a dataclass that nobody changes once it is made, as far as the type checker sees. Core.

Python's own frozen dataclasses refuse a change while the program runs, for which they set every field by a call: one of
a dozen fields takes as long to make as a rule to judge, and each call makes several. The type checker refuses the same
changes before anything runs. For what is made several times a call; all else is frozen in Python's way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def written_once(cls: type[T]) -> type[T]:
    """The class as a dataclass with slots, whose fields may be read and never set."""
    return dataclass(slots=True)(cls)
