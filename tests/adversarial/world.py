"""Servers of a small office as doubles, and guards in front of them: one record, a person and sessions for each run.

Schemas take everything, so that what stops a call is the guard's documents and not its server's care.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from mcp_guard.approvals.port import Answered, Question, Unsettled
from mcp_guard.eras import Era
from mcp_guard.gateway import Gateway
from mcp_guard.guard import Guard
from mcp_guard.policy.document import Authority, Document, load_text
from mcp_guard.protection import Protection
from mcp_guard.record.store import Record
from mcp_guard.session import Session
from tests.adversarial.corpus import Do, Ledger
from tests.guards import RecordingDownstream
from tests.patience import PATIENCE

OFFERED = {
    "bank": ["payees", "search", "pay", "register", "refund", "limit"],
    "mail": ["read", "send", "draft", "forward"],
    "files": ["read", "write", "delete", "move", "find"],
    "web": ["fetch", "post"],
    "git": ["commit", "push", "log"],
    "desk": ["case", "close", "note", "customer"],
    "shell": ["run"],
}


class Office(RecordingDownstream):
    """A server that does what it is told; what it says can be set for each tool."""

    def __init__(self, name: str, done: Ledger) -> None:
        super().__init__(name, [{"name": one, "inputSchema": {"type": "object"}} for one in OFFERED[name]])
        self.says: dict[str, Any] = {}
        self.done = done
        self.replies["tools/call"] = self._do

    def _do(self, params: dict[str, Any]) -> dict[str, Any]:
        said = self.says.get(params["name"], {})
        if isinstance(said, str):
            return {"result": {"content": [{"type": "text", "text": said}]}}
        if "raw" in said:
            return {"result": said["raw"]}
        return {"result": {"content": [{"type": "text", "text": json.dumps(said)}], "structuredContent": said}}

    def request(self, method: str, params: Any, answer: Any, progress: Any = None) -> Any:
        if method == "tools/call":
            self.done.append((f"{self.name}/{params['name']}", params.get("arguments") or {}))
        return super().request(method, params, answer, progress)


class Person:
    """Says yes to the first questions, and no to the rest."""

    def __init__(self, yes: int) -> None:
        self.left = yes

    def ask(self, question: Question, answered: Answered) -> Callable[[], None]:
        self.left -= 1
        answered(question.yes("a person") if self.left >= 0 else Unsettled.NO)
        return lambda: None


@lru_cache(maxsize=64)
def _document(text: str, kind: Any) -> Document:
    return load_text(text.encode(), file=f"{kind}.yaml", kind=kind, home="/home/me")


class World:
    """One person's sessions, each with a guard and servers of its own; what all servers did is in `done`."""

    def __init__(self, record: Record, home: Path, number: int, policy: str, mandate: str, yes: int) -> None:
        self.record, self.home, self.number = record, home, number
        self.done: Ledger = []
        self.layers = [_document(self.placed(policy), "policy")]
        if mandate:
            self.layers.append(_document(self.placed(mandate), "mandate"))
        self.mandated = bool(mandate)
        self.person = Person(yes)
        self.sessions: dict[int, Gateway] = {}
        self._ids = 0

    def placed(self, value: Any) -> Any:
        """`@home` as the directory that it stands for."""
        if isinstance(value, str):
            return value.replace("@home", str(self.home))
        if isinstance(value, list):
            return [self.placed(one) for one in value]
        if isinstance(value, dict):
            return {self.placed(name): self.placed(one) for name, one in value.items()}
        return value

    def gateway(self, session: int = 0) -> Gateway:
        if session not in self.sessions:
            self.sessions[session] = self._connected(f"w{self.number}s{session}", f"local:p{self.number}")
        return self.sessions[session]

    def _connected(self, key: str, principal: str) -> Gateway:
        guard = Guard(
            authority=Authority(
                tuple(self.layers), self.record.started(f"mandate:{principal}") if self.mandated else None
            ),
            record=self.record,
            specs=(),
            prefixed=True,
            protection=Protection([str(self.home / "guarded")], [str(self.home)]),
            session_key=key,
            clock=lambda: datetime.now(UTC),
            approver=self.person,
        )
        session = Session(principal, key, lambda method, params: None, lambda *_: lambda reason: None)
        session.era = Era.LEGACY
        session.settled = session.listening = True
        doubles: list[Any] = [Office(name, self.done) for name in OFFERED]
        session.servers.extend(doubles)
        return Gateway(guard, session)

    def server(self, name: str, session: int = 0) -> Any:
        return next(one for one in self.gateway(session).session.servers if one.name == name)

    def start(self, step: Do) -> asyncio.Future[dict[str, Any]]:
        server, _, name = step.tool.partition("/")
        if step.says is not None:
            self.server(server, step.session).says[name] = self.placed(step.says)
        self._ids += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        params = {"name": step.exposed or f"{server}__{name}", "arguments": self.placed(step.arguments)}
        self.gateway(step.session).request(
            "tools/call",
            {**params, **self.placed(step.beside)},
            id=self._ids,
            answer=answer.set_result,
            notify=lambda name, body: None,
        )
        return answer

    async def call(self, step: Do) -> bool:
        """Was it done? Read from the servers."""
        before = len(self.done)
        async with asyncio.timeout(PATIENCE):
            await self.start(step)
        return len(self.done) > before
