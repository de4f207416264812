"""Decisions of the record as calls that can be judged again (`mcp_guard.report.replay`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcp_guard.model import Effect, Kind
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.events import loaded, seen
from mcp_guard.record.query import Row
from mcp_guard.record.values import Reader
from mcp_guard.report.replay import EFFECTS, Past


def past_calls(rows: Iterable[Row], kept: Reader | None = None) -> Iterator[Past]:
    """In the order of the rows; what names no target was never a call that a policy speaks about."""
    mandated: set[str] = set()  # chains of guards that a mandate bound
    for row in rows:
        chain = str(row.body.get("chain"))
        if row.kind is EntryKind.LOADED and any(one.kind == "mandate" for one in loaded(row)):
            mandated.add(chain)
        elif row.kind is EntryKind.DECISION and row.server and row.target:
            yield _past(row, kept, mandated=chain in mandated)


def _watched(row: Row) -> bool:
    """Did a scanner or the monitor have a person asked? What they would say again, no policy tells."""
    approvals = row.body.get("approvals")
    agreed = [key for one in approvals for key in one.get("asks", ())] if isinstance(approvals, list) else []
    asking = row.rules if row.effect == "ask" else ()
    return any(str(key).startswith(("scanner/", "monitor/")) for key in (*agreed, *asking))


def _past(row: Row, kept: Reader | None, *, mandated: bool) -> Past:
    known = seen(row, kept)
    agreed = bool(row.body.get("approvals"))
    cut = "…" in row.target or "…" in row.principal or row.detail.startswith("not inspected")
    return Past(
        entry=row.id,
        time=row.time,
        session=row.session,
        principal=row.principal,
        method=row.method,
        server=row.server,
        target=row.target,
        kind=Kind(row.body.get("target_kind", "tool")),
        effect=Effect.ASK if agreed else EFFECTS.get(row.effect, Effect.DENY),
        reason=row.reason,
        given=known.given,
        values=known.values,
        known=known.known,
        count=row.count,
        certain=not cut and not _watched(row),
        mandated=mandated,
        refunded=row.outcome == "not_sent",
    )
