"""One span for each call, with MCP's and GenAI's semantic conventions and the decision: OpenTelemetry fills the port.

No value of an argument, no text of an answer, no principal. Names that a client can make up (unknown tools and methods,
resources) aren't told either: they would be a way out, and fill a collector with series.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from mcp_guard import __version__
from mcp_guard.eras import MODERN_REVISIONS, revision_of
from mcp_guard.model import Call, Decision, Effect, Kind, Outcome, Reason
from mcp_guard.monitor.severity import OWN_CALLS
from mcp_guard.policy.budgets import Budget
from mcp_guard.policy.document import Authority
from mcp_guard.record.entries import EFFECTS, Entry
from mcp_guard.record.usage import UsageView
from mcp_guard.session import InFlight, Session
from mcp_guard.telemetry.collector import Collector
from mcp_guard.telemetry.instruments import Instruments
from mcp_guard.telemetry.outbox import Outbox
from mcp_guard.telemetry.settings import Export
from mcp_guard.telemetry.trace_context import Parent, parent_in, parent_of, with_parent

_KNOWN = OWN_CALLS | {"resources/subscribe", "tasks/get", "tasks/update", "tasks/cancel"}
"""Methods that are named; another one is whatever a client says."""
_CODES = frozenset({-32700, *range(-32603, -32599), *range(-32099, -31999)})
"""Those of JSON-RPC and of MCP. A server can make up others: each would be a series of its own, or a text."""
_FAILED = {
    Outcome.TOOL_ERROR: "tool_error",
    Outcome.UNKNOWN: "timeout",
    Outcome.WITHHELD: "withheld",
    Outcome.NOT_SENT: "unavailable",
    Outcome.CANCELLED: "cancelled",
}
"""`error.type` of what went wrong after the decision."""


class OpenTelemetry:
    """Spans and metrics of one guard process, sent to one collector."""

    def __init__(self, export: Export, *, room: int | None = None) -> None:
        own = {"service.name": export.service, "service.version": __version__}
        resource = Resource({**export.resource, **own})  # and not what the environment says
        collector = Collector(export)
        self.outbox = Outbox(collector, export.every) if room is None else Outbox(collector, export.every, room)
        # Always sampled: the flag that a client sends is its wish, and must not turn the guard's spans off.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, span_limits=SpanLimits(max_attributes=64)
        )
        self._provider.add_span_processor(self.outbox)
        self._tracer = self._provider.get_tracer("mcp_guard", __version__)
        self.instruments = Instruments(Collector(export), resource, export.every, lambda: self.outbox.lost)

    def begin(self, session: Session, call: Call, request: InFlight, *, listed: bool) -> CallSpan:
        """Start the span of a call, under the client's own if it sent one: in the message, else with the HTTP request.

        Where both came, the request's is a link: one is about the call, the other about its transport.
        """
        said, carried = parent_in(call.params), parent_of(request.trace)
        parent = said or carried
        links = [Link(_remote(carried))] if said is not None and carried is not None else []
        about = _about(call, listed=listed)
        target = about.get("gen_ai.tool.name") or about.get("gen_ai.prompt.name")
        method = about["mcp.method.name"]
        seen = {**about, "jsonrpc.request.id": str(request.id)[:64], "network.transport": _transport(session)}
        if (revision := revision_of(call.params)) in MODERN_REVISIONS:
            seen["mcp.protocol.version"] = revision
        span = self._tracer.start_span(
            f"{method} {target}" if target else method,
            context=_context(parent),
            kind=SpanKind.SERVER,
            links=links,
            attributes={**seen, "mcp_guard.session": session.key, "mcp_guard.server": call.server},
        )
        return CallSpan(span, self.instruments, about, parent)

    def refused(self, method: str, reason: Reason) -> None:
        """Something was refused that never became a call: a number, and no span."""
        known = method if method in _KNOWN else "_OTHER"
        said = {"mcp.method.name": known, "mcp_guard.effect": "deny", "mcp_guard.reason": reason.value}
        self.instruments.decisions.add(1, said)

    def close(self) -> None:
        """Send what is left, for a bounded time."""
        self._provider.shutdown()
        self.instruments.close()


class CallSpan:
    """The span of one call, and its part in the metrics."""

    def __init__(
        self, span: trace.Span, instruments: Instruments, about: dict[str, str], parent: Parent | None
    ) -> None:
        self._span = span
        self._instruments = instruments
        self._about = about
        self._parent = parent
        self._started = time.monotonic()
        self._error = ""
        self._pending = False  # allowed, and nothing known of it yet
        self._left: list[tuple[float, dict[str, str]]] = []

    def carried_by(self, call: Call) -> Call:
        own = self._span.get_span_context()
        if not own.is_valid:
            return call
        state = "" if self._parent is None else self._parent.state
        here = Parent(own.trace_id, own.span_id, int(own.trace_flags), state)
        return replace(call, params=with_parent(call.params, here))

    def budgets(self, authority: Authority, view: UsageView, decision: Decision) -> None:
        budgets = {
            rule.key: count
            for layer in authority.layers
            for rule in layer.rules
            for count in rule.counts
            if isinstance(count, Budget)
        }
        self._left = []
        for charge in decision.charges:
            budget = budgets.get(charge.rule)
            if budget is None or charge.seconds != budget.seconds:
                continue
            used = view.used(*charge.count)
            if budget.calls is not None:
                left = budget.calls - used.calls - charge.calls
                self._left.append((left, {"mcp_guard.rule": charge.rule, "mcp_guard.budget": "calls"}))
            for name, amount in charge.sums.items():
                rest = budget.sums[name] - used.sums.get(name, 0) - amount
                self._left.append((float(rest), {"mcp_guard.rule": charge.rule, "mcp_guard.budget": f"sum of {name}"}))

    def decided(self, entry: Entry) -> None:
        decision = entry.decision
        rule = decision.rules[0].key if decision.rules else ""
        said = {"mcp_guard.effect": EFFECTS[decision.effect]}
        if rule:
            said["mcp_guard.rule"] = rule
        if decision.reason is not None:
            said["mcp_guard.reason"] = decision.reason.value
        self._span.set_attributes({**said, "mcp_guard.entry": entry.id})
        self._instruments.decisions.add(1, {"mcp.method.name": self._about["mcp.method.name"], **said})
        if decision.flags:
            self._span.set_attribute("mcp_guard.flags", [flag.partition(":")[0] for flag in decision.flags])
            for flag in decision.flags:
                self._instruments.flags.add(1, {"mcp_guard.flag": flag.partition(":")[0]})
        if decision.effect is Effect.ASK:
            self._instruments.asks.add(1, {"mcp_guard.rule": rule})
        self._pending = decision.allowed
        self._error = "" if decision.allowed else "refused"
        if decision.allowed:
            for left, which in self._left:
                self._instruments.left.set(left, which)

    def ended(self, outcome: Outcome, answer: Mapping[str, Any]) -> None:
        self._pending = False
        self._span.set_attribute("mcp_guard.outcome", outcome.value)
        self._error = _FAILED.get(outcome, "")
        error = answer.get("error")
        if outcome is Outcome.ERROR and isinstance(error, Mapping):
            code = error.get("code")
            self._error = str(code) if type(code) is int and code in _CODES else "_OTHER"
            self._span.set_attribute("rpc.response.status_code", self._error)

    def over(self) -> None:
        if self._pending:  # nobody waits, and nothing is known of it
            self._error = _FAILED[Outcome.CANCELLED]
        seen = dict(self._about)
        if self._error:
            seen["error.type"] = self._error
            self._span.set_attribute("error.type", self._error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._instruments.duration.record(time.monotonic() - self._started, seen)
        self._span.end()


def _about(call: Call, *, listed: bool) -> dict[str, str]:
    """What is told of a call everywhere: its method, and its target where a server names that."""
    method = call.method if call.method in _KNOWN else "_OTHER"
    about = {"mcp.method.name": method}
    if call.method == "tools/call":
        about["gen_ai.operation.name"] = "execute_tool"
        if listed:
            about["gen_ai.tool.name"] = call.target
    elif call.kind is Kind.PROMPT:
        about["gen_ai.prompt.name"] = call.target
    return about


def _transport(session: Session) -> str:
    return "tcp" if session.shared else "pipe"


def _context(parent: Parent | None) -> Context:
    """Of the client's span, or of none: whatever is current in this process is no parent of a call."""
    if parent is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(_remote(parent)), Context())


def _remote(parent: Parent) -> SpanContext:
    return SpanContext(parent.trace, parent.span, is_remote=True, trace_flags=TraceFlags(parent.flags))
