"""The documents and calls that are measured: a large policy of many servers, a mandate beside it, and a history."""

from __future__ import annotations

from typing import Any

from mcp_guard.model import Call

TOOL = "bank/transfer_money"
ARGUMENTS: dict[str, Any] = {"amount": 25, "recipient": "DE02120300000000202051", "subject": "December"}


def policy(rules: int, *, edited: bool = False) -> str:
    """A policy of `rules` rules: three for the tool that is called, the others for tools of fifty servers.

    One in ten of those is a deny with a pattern, one in twenty an ask. `edited`: as after a review, with some limits
    moved, a grant more and a deny less.
    """
    grants = [
        "  - {id: small, tool: bank/transfer_money, args: {amount: {above: 0, max: 100}, recipient: {matches: "
        "'[A-Z]{2}[0-9]{20}'}}, optional: {subject: {max_length: 140}}, "
        "budget: {calls: 500, sum: {amount: 20000}, distinct: {recipient: 50}, per: day}, rate: 400/m}",
    ]
    asks = ["  - {id: large, tool: bank/transfer_money, args: {amount: {above: 50}}}"]
    denies = ["  - {id: abroad, tool: 'bank/transfer_*', args: {recipient: {matches: 'XX.*'}}}"]
    for number in range(rules - 3):
        server = f"server{number % 50}"
        if number % 10 == 0:
            if not (edited and number == 30):
                denies.append(f"  - {{id: d{number}, tool: '{server}/delete_{number}*', advice: Not here.}}")
        elif number % 20 == 1:
            asks.append(f"  - {{id: a{number}, tool: {server}/tool{number - 1}, args: {{size: {{above: {number}}}}}}}")
        else:
            size = number + (5 if edited and number % 40 == 3 else 0)
            args = f"path: {{under: $project/part{number}, not_name: ['*.env']}}, size: {{max: {size}}}"
            rest = "optional: {mode: {in: [r, w]}}, budget: {calls: 20}"
            grants.append(f"  - {{id: g{number}, tool: {server}/tool{number}, args: {{{args}}}, {rest}}}")
    if edited:
        grants.append("  - {id: more, tool: server1/tool_more, args: {path: {under: $project}}}")
    return "\n".join(["version: 1", "grants:", *grants, "ask:", *asks, "deny:", *denies, ""])


MANDATE = """\
version: 1
task: Pay the bills of December.
expires: 90d
grants:
  - id: pay
    tool: bank/transfer_money
    args: {amount: {above: 0, max: 100}, recipient: any}
    others: any
    budget: {calls: 1000000, per: mandate}
  - {id: list, tool: bank/list_payees, args: {}}
"""


def call(tool: str = TOOL, arguments: dict[str, Any] | None = None) -> Call:
    """One tool call of the person who is measured."""
    server, _, target = tool.partition("/")
    given = ARGUMENTS if arguments is None else arguments
    return Call("local:ann", "tools/call", server, target, {"name": target, "arguments": given})
