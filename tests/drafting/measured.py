"""Drafts a mandate for each task of the set and judges its calls: `python -m tests.drafting.measured`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from mcp_guard.drafting.draft import draft
from mcp_guard.drafting.text import as_mandate, mandate_text
from mcp_guard.model import Call, Effect
from mcp_guard.policy.cases_facts import CaseFacts
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority
from tests.drafting.listings import listing

START = datetime(2026, 1, 2, 10, tzinfo=UTC)
TASKS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "tasks.yaml").read_text())


@dataclass(frozen=True, slots=True)
class Judged:
    """One call of the set under the mandate that was drafted for its task."""

    task: str
    call: str
    meant: bool
    effect: Effect


def mandate_for(task: str, *servers: str) -> str:
    """The text of the mandate."""
    return mandate_text(draft(task, [tool for server in servers for tool in listing(server)]))


def judged() -> list[Judged]:
    """Every call of the set, each in a session of its own."""
    return [one for item in TASKS for one in _judged(item)]


def _judged(item: dict[str, Any]) -> list[Judged]:
    document = as_mandate(mandate_for(item["task"], *item["servers"]), "drafted.yaml", home="/home/ana")
    authority = Authority((document,), START)
    found = []
    for meant, calls in ((True, item["allow"]), (False, item["deny"])):
        for name, arguments in calls:
            facts = CaseFacts(START, "/srv", {}, {}, authority)
            for before, given, result in item.get("after", ()):
                facts.happened(_call(before, given), result)
            effect = decide(authority, _call(name, arguments), facts).effect
            found.append(Judged(item["task"], f"{name} {json.dumps(arguments)}", meant, effect))
    return found


def _call(name: str, arguments: dict[str, Any]) -> Call:
    server, _, tool = name.partition("/")
    return Call("local:ana", "tools/call", server, tool, {"name": tool, "arguments": arguments})


def main() -> None:
    """Print how often what is needed is allowed or asked, and what nobody meant."""
    results = judged()
    for meant in (True, False):
        said = Counter(one.effect.name for one in results if one.meant is meant)
        print("needed" if meant else "not meant", dict(said))
    for one in results:
        if (one.effect is not Effect.ALLOW) == one.meant and (one.meant or one.effect is not Effect.DENY):
            print(f"  {one.effect.name}: {one.task!r}: {one.call}")


if __name__ == "__main__":
    main()
