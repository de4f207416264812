"""Tools that nobody describes, under documents that go by what tools do: they count as doing everything.

Core.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mcp_guard.model import Facts, Kind
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.oddities import Oddity

_MOST = 5  # tools that are named


def undescribed(
    authority: Authority, known_tools: Mapping[str, Iterable[str] | None], facts: Facts
) -> Iterator[Oddity]:
    """One for the first document with a rule by effect or label, if it grants tools by name that nobody describes."""
    for layer in authority.layers:
        place = _goes_by_effects(layer)
        if place is None:
            continue
        names = [
            f"{server}/{tool}"
            for server, tools in known_tools.items()
            for tool in sorted(tools or ())
            if _granted(layer, server, tool)
            and f"{server}/{tool}" not in authority.tools
            and facts.described(server, tool) is None
        ]
        if names:
            more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
            listed = ", ".join(f"`{name}`" for name in names[:_MOST])
            said = f"nobody says what {listed}{more} can do, so that rules by effect or label take it to do everything"
            yield Oddity(said, "", layer.file, *place, "unknown-effects")
        return


def _goes_by_effects(layer: Document) -> tuple[int, int] | None:
    for rule in layer.rules:
        if rule.effects or (rule.when is not None and (rule.when.labels or rule.when.no_labels)):
            return rule.ref.line, rule.ref.column
    return None


def _granted(layer: Document, server: str, tool: str) -> bool:
    return any(rule.is_grant and rule.kind is Kind.TOOL and rule.names_exactly(server, tool) for rule in layer.rules)
