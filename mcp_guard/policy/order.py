"""Order: what has to have been admitted in a session before, for a rule to speak.

Core. In a grant every named tool and grant has to have carried a call; in an ask or a deny any of them will do, and
`times` says how often together. Both are the cautious reading of a list (law 4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcp_guard.model import Admitted
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.names import NamePattern


@dataclass(frozen=True, slots=True)
class After:
    """Tools by name or pattern, and grants of the same document by key (`policy/read`)."""

    tools: tuple[NamePattern, ...] = ()
    grants: tuple[str, ...] = ()
    times: int = 1  # of asks and denies: how often, all that is named taken together
    meanings: tuple[str, ...] = ()  # what each of the grants says: under an old id another one is another order

    def met(self, admitted: Admitted) -> bool:
        """The question of a grant: has each of them carried a call, to the letter?"""
        return all(
            any(calls > 0 and _is(name, tool) for tool, calls in admitted.tools.items()) for name in self.tools
        ) and all(admitted.grants.get(key, 0) > 0 for key in self.grants)

    def may_be_met(self, admitted: Admitted) -> bool:
        """The question of an ask or a deny: did they carry `times` calls together? Names count case-folded."""
        by_tool = {tool for tool in admitted.tools if any(_covers(name, tool) for name in self.tools)}
        tools = sum(admitted.tools[tool] for tool in by_tool)
        return tools + sum(admitted.grants.get(key, 0) for key in self.grants) >= self.times

    def missing(self, admitted: Admitted) -> Iterator[str]:
        """What a grant still waits for, as the document calls it."""
        for name in self.tools:
            if not any(calls > 0 and _is(name, tool) for tool, calls in admitted.tools.items()):
                yield str(name)
        yield from (key.partition("/")[2] for key in self.grants if admitted.grants.get(key, 0) < 1)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that is named, as the document calls it."""
        return (*map(str, self.tools), *(key.partition("/")[2] for key in self.grants))


def _is(name: NamePattern, tool: str) -> bool:
    server, _, target = tool.partition("/")
    return name.matches(server, target)


def _covers(name: NamePattern, tool: str) -> bool:
    server, _, target = tool.partition("/")
    return name.covers(loose(server), loose(target))
