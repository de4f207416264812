"""Texts that name another server's tool: a tool speaks of its own server, and steering others is how one misuses them.

Core. Only names that no ordinary text has count: those of several words (`send_email`, `createIssue`), or any name
behind its server's (`mail__send`, `mail/send`). Whoever names a tool chooses what is found here, in the texts of other
servers, too; so it is told, and withholds nothing unless a person says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from mcp_guard.inspection.scan.finding import Finding, Severity
from mcp_guard.inspection.scan.matching import Rule
from mcp_guard.inspection.scan.names import Named
from mcp_guard.inspection.secrets import expression, plain

NAMES_OTHER_TOOL = Rule(
    "names-other-tool", Severity.MINOR, "It names a tool of another server, which is nothing that it has a say in."
)
RULES = (NAMES_OTHER_TOOL,)

SHORTEST = 8
"""Characters of a name of several words from which on nothing else is called so by chance."""
_SEVERAL_WORDS = r"[A-Za-z0-9]+(?:[_./:-]{1,2}[A-Za-z0-9]+)+|[a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+"
_BETWEEN = re.compile(r"__|[./:]")
LONGEST = 256
"""Characters of such a word that are looked at."""


class References:
    """The names that the servers list, and who has them."""

    def __init__(self, tools: Iterable[Named]) -> None:
        self._owners: dict[str, set[str]] = {}
        self._own: dict[str, set[str]] = {}
        for tool in tools:
            self._own.setdefault(tool.server, set()).add(tool.name.lower())
            spoken = [f"{tool.server}{between}{tool.name}" for between in ("__", "/", ".", ":")]
            if len(tool.name) >= SHORTEST and _expression().fullmatch(tool.name):
                spoken.append(tool.name)
            for one in spoken:
                self._owners.setdefault(one.lower(), set()).add(tool.server)

    def found(self, text: str, server: str, where: str = "") -> Finding | None:
        """The first tool of another server that `text`, which is this server's, names. Linear in the text."""
        if len(self._own) < 2:
            return None
        for word in _expression().finditer(plain(text)):
            if any(self._is_another_ones(name, server) for name in _names(word[0][:LONGEST].lower())):
                rule = NAMES_OTHER_TOOL
                return Finding(rule.id, rule.severity, rule.reason, word.span(), where)
        return None

    def _is_another_ones(self, name: str, server: str) -> bool:
        """Not `update_issue`, said by the server that has `jira_update_issue`."""
        owners = self._owners.get(name)
        if owners is None or server in owners:
            return False
        return not any(own.endswith(name) for own in self._own.get(server, ()))


def _names(word: str) -> Iterator[str]:
    """A word as it is, and its parts where it may be a server's name and a tool's."""
    yield word
    yield from (part for part in _BETWEEN.split(word) if part != word)


@cache
def _expression() -> Any:
    return expression(_SEVERAL_WORDS)
