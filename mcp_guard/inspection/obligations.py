"""What a grant wants done to what a server answers, and how the wishes of several grants add up.

Core. A lattice: adding wishes up never loses one, in any order, however often (DESIGN section 7). Knows nothing of how
they are met; that is `results.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

TYPES = ("text", "image", "audio", "binary", "link")
"""What a part of an answer can be. Of a part with bytes in it, both what it says it is and what its bytes look like
count; structured content is text."""


@dataclass(frozen=True, slots=True)
class Obligations:
    """The wishes. A new one needs its place in `stricter`, `in_words` and `results.py`; a test holds them together."""

    redact: bool = False  # known kinds of secrets, and `patterns`
    patterns: tuple[tuple[str, str], ...] = ()  # name and expression, sorted
    truncate: int | None = None  # characters of text
    strip_hidden: bool = False
    quarantine: bool = False
    max_size: int | None = None  # bytes of the whole answer, as the client would get it
    types: frozenset[str] | None = None  # None: every one

    def __bool__(self) -> bool:
        return self is not NOTHING and self != NOTHING

    def __or__(self, other: Obligations) -> Obligations:
        """Both: what one of them wants is done, and of two limits the stricter one counts."""
        if other is NOTHING or self == other:
            return self
        return Obligations(
            self.redact or other.redact,
            tuple(sorted({*self.patterns, *other.patterns})),
            _least(self.truncate, other.truncate),
            self.strip_hidden or other.strip_hidden,
            self.quarantine or other.quarantine,
            _least(self.max_size, other.max_size),
            other.types if self.types is None else self.types if other.types is None else self.types & other.types,
        )

    def covers(self, other: Obligations) -> bool:
        """Is all that the other wants done by these, too?"""
        return self | other == self

    @property
    def in_passing(self) -> Obligations:
        """What can be done to one line of many (progress, a log message, a question): all but limits of a whole."""
        return replace(self, quarantine=False, max_size=None, types=None)

    def in_words(self) -> Iterator[str]:
        """Each wish as documents write it: what an entry says, and a sentence to a person."""
        if self.redact:
            yield "redact"
        yield from (f"redact {name}" for name, _ in self.patterns)
        if self.strip_hidden:
            yield "strip_hidden"
        if self.types is not None:
            yield f"types {', '.join(sorted(self.types)) or 'none'}"
        if self.truncate is not None:
            yield f"truncate {self.truncate}"
        if self.max_size is not None:
            yield f"max_size {self.max_size}"
        if self.quarantine:
            yield "quarantine"


NOTHING = Obligations()


def _least(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)
