"""Which targets a rule names: `server/target`, with `*` for any run of characters inside one of the two names.

Grants compare exactly, so that nothing new slips under an old name. Asks and denies compare loosely (case,
compatibility forms, invisible characters): a tool that looks like a denied one is denied.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcp_guard.policy.canonical import loose


@dataclass(frozen=True, slots=True)
class NamePattern:
    """One entry of `tool:` or `prompt:`, split at its first `/`; a server's own name may hold further ones."""

    server: str
    target: str
    loose_server: str
    loose_target: str

    @classmethod
    def of(cls, name: str) -> NamePattern:
        """Split `server/target`; the text was checked when the document was."""
        server, _, target = name.partition("/")
        return cls(server, target, loose(server), loose(target))

    @classmethod
    def exactly(cls, server: str, target: str) -> NamePattern:
        """A server, and a target whose name may have a `/` of its own."""
        return cls(server, target, loose(server), loose(target))

    @property
    def exact(self) -> bool:
        """No `*`: the rule means this one target, whenever it appears."""
        return "*" not in self.server and "*" not in self.target

    def matches(self, server: str, target: str) -> bool:
        """The question of a grant: is it this name, to the letter?"""
        return fits(self.server, server) and fits(self.target, target)

    def covers(self, loose_server: str, loose_target: str) -> bool:
        """The question of an ask or a deny, on names that are already loose."""
        return fits(self.loose_server, loose_server) and fits(self.loose_target, loose_target)

    def __str__(self) -> str:
        return f"{self.server}/{self.target}"


def fits(pattern: str, text: str) -> bool:
    """Does `text` fit `pattern`? Linear: each piece between two `*` is looked for once, from the left."""
    if "*" not in pattern:
        return pattern == text
    head, *middle, tail = pattern.split("*")
    if len(text) < len(head) + len(tail) or not text.startswith(head) or not text.endswith(tail):
        return False
    at, end = len(head), len(text) - len(tail)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
