"""The one sentence that a person reads aloud."""

from __future__ import annotations

from mcp_guard.drafting.spoken import spoken
from mcp_guard.drafting.text import as_mandate


def said(rules: str, expires: str = "30m") -> str:
    return spoken(as_mandate(f"version: 1\ntask: Pay it.\nexpires: {expires}\n{rules}", "m.yaml"))


def test_free_and_asked_tools_are_told_apart_and_nothing_else_is_there() -> None:
    grants = (
        "grants:\n  - {id: a, tool: [b/x, b/y], args: any}\n  - {id: c, tool: b/z, args: any, ask: true}\n"
        "  - {id: d, effect: read, args: any}\n"
    )
    assert said(grants) == (
        'For the next 30 minutes, to "Pay it", it may use b/x, b/y and every tool that can only read, '
        "b/z only if a person agrees each time, nothing else."
    )


def test_where_every_tool_is_asked_for_the_sentence_says_so() -> None:
    assert "it may use b/z only if a person agrees each time, nothing else." in said(
        "grants:\n  - {id: c, tool: b/z, args: any, ask: true}\n"
    )


def test_a_mandate_without_grants_says_so_and_a_deny_is_not_kept_quiet() -> None:
    assert said("", "2026-01-02T03:04:05Z") == 'Until 2026-01-02T03:04:05Z, to "Pay it", it may use nothing.'
    assert "and 1 deny and 0 asks hold" in said("deny:\n  - {id: n, tool: b/x}\n")
