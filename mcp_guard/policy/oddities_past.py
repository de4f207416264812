"""Rules that ask for labels which nothing gives. Part of `oddities.py`."""

from __future__ import annotations

from collections.abc import Iterator

from mcp_guard.model import UNTRUSTED
from mcp_guard.policy.document import Authority
from mcp_guard.policy.rules import Rule


def labels_that_nothing_gives(rule: Rule, authority: Authority) -> Iterator[str]:
    """A rule that asks for a label which no session can get: misspelt, most likely."""
    if rule.when is None:
        return
    given = {one.label for facts in authority.tools.values() for one in facts.gives}
    given |= {UNTRUSTED}.union(*authority.says.values())
    for label in (*rule.when.labels, *rule.when.no_labels):
        if label not in given:
            yield f"no entry under `tools` gives the label `{label}`, so that no session ever has it"
