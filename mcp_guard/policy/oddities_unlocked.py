"""What `check` says of patterns that stop short of tools which destroy, send or spend, as long as no lock has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mcp_guard.model import EVERY_EFFECT, GRAVE, EffectClass, Facts
from mcp_guard.policy.rules import Rule

MOST = 5  # tools that are named


def not_reached(
    rule: Rule,
    targets: Iterable[tuple[str, str]],
    classes: Callable[[str, str], frozenset[EffectClass]],
    facts: Facts | None,
) -> Iterator[str]:
    """One sentence for a grant by pattern or effect that doesn't reach some of its tools; nothing without `facts`."""
    if not rule.is_grant or facts is None:
        return
    short = [
        f"`{server}/{tool}`"
        for server, tool in targets
        if not rule.names_exactly(server, tool)
        and (classes(server, tool) or EVERY_EFFECT) & GRAVE
        and not facts.locked(server, tool)
    ]
    if short:
        more = f" and {len(short) - MOST} more" if len(short) > MOST else ""
        yield (
            f"it doesn't reach {', '.join(short[:MOST])}{more}, which may destroy, send or spend: name them exactly, "
            "say under `tools:` what they do, or write a lock with `mcp-guard lock`"
        )
