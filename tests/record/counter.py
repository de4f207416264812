"""A guard process that judges by a document: `python -m tests.record.counter DIRECTORY SESSION TRIES`. Speaks lines."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from mcp_guard.guard import LiveFacts
from mcp_guard.model import Call, Decision
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.record.entries import Entry
from mcp_guard.record.store import Record
from mcp_guard.record.usage import UsageView
from tests.record.examples import insist, request

POLICY = b"""\
version: 1
grants:
  - {id: day, tool: bank/day, args: {amount: any, to: any}, budget: {calls: 5, sum: {amount: 12}, per: day}}
  - {id: few, tool: bank/few, args: {amount: any, to: any}, budget: {distinct: {to: 4}, per: day}}
  - {id: pace, tool: bank/pace, args: {amount: any, to: any}, rate: 3/d}
"""
AUTHORITY = Authority((load_text(POLICY, file="policy.yaml", kind="policy"),))


def make(record: Record, tool: str, amount: int, to: str, session: str, authority: Authority = AUTHORITY) -> Entry:
    """One call, judged and charged in one step of the record."""
    call = Call("ann", "tools/call", "bank", tool, {"name": tool, "arguments": {"amount": amount, "to": to}})

    def judge(view: UsageView) -> Decision:
        return decide(authority, call, LiveFacts(view.now, view, {}, {}, key=record.key))

    return record.step(request(principal="ann", session=session, target=tool), judge)


if __name__ == "__main__":
    directory, session, tries = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    with Record.open(directory, session=session, clock=lambda: datetime.now(UTC)) as opened:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(tries):
            for name in ("day", "few", "pace"):
                amount, to = number % 3 + 1, f"payee {(number + len(session)) % 9}"
                entry = insist(lambda name=name, amount=amount, to=to: make(opened, name, amount, to, session))  # type: ignore[misc]
                if entry.decision.allowed:
                    print(name, session, amount, to, flush=True)
