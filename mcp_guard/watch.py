"""What watches calls beside the rules: scanners, the monitor, telemetry. All of them together, as one guard has them.

None of them can make a decision milder: what they say is one more layer, and the strictest layer counts. A guard whose
guard.yaml names none of them has no `Watch`, and its calls pass none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp_guard import log
from mcp_guard.context import Context, guarded
from mcp_guard.eras import MODERN_REVISIONS, REVISION_KEY
from mcp_guard.model import UNTRUSTED, Approval, Call, Decision, Effect, Outcome, Reason, RuleRef, strictest
from mcp_guard.monitor.flags import OnFlag
from mcp_guard.monitor.habits import Habits
from mcp_guard.monitor.severity import Severity
from mcp_guard.patience import patiently
from mcp_guard.policy.approved import approved, is_trace, settled_for
from mcp_guard.record.entries import Entry, Request
from mcp_guard.record.usage import UsageView
from mcp_guard.scanners.settings import On, Raised
from mcp_guard.session import InFlight
from mcp_guard.unwatched import Unwatched

if TYPE_CHECKING:
    from mcp_guard.monitoring import Monitor
    from mcp_guard.scanners.scanning import Scanners
    from mcp_guard.telemetry.port import Span, Telemetry

_MONITOR = RuleRef("monitor", "flag", Effect.ASK, "guard.yaml", 1, 1)


@dataclass(slots=True)
class Watch:
    """Of one guard process."""

    scanners: Scanners | None = None
    monitor: Monitor | None = None
    telemetry: Telemetry | None = None

    def of(self, context: Context, call: Call, request: InFlight, *, listed: bool) -> Watched:
        """Begin to watch one call. `listed`: its name is one that a server lists, and no client has made it up."""
        try:
            return Watched(self, context, self._span(context, call, request, listed))
        except Exception as error:
            _not_told(error)
            return Watched(self, context, None)

    def _span(self, context: Context, call: Call, request: InFlight, listed: bool) -> Span | None:
        if self.telemetry is None:
            return None
        span = self.telemetry.begin(context.session, call, request, listed=listed)
        if request.over is not None:  # the same request, judged anew after a question
            request.over()
        request.over = partial(_tell, span.over)
        return span

    def notified(self, call: Call, then: Callable[[Decision | None], None]) -> None:
        """Scanners look at what a client sends and nobody answers; `then` gets what speaks against it. Where a call
        would be asked about, there is nobody to ask.
        """
        if self.scanners is None:
            return then(None)

        def found(raised: tuple[Raised, ...]) -> None:
            against = [one.says for one in raised if one.severity > Severity.LOW]
            then(Decision(Effect.DENY, Reason.SCANNED, detail="; ".join(against)) if against else None)

        return self.scanners.look(On.ARGUMENTS, call.name, _said(call), found)

    def refused(self, context: Context, method: str, reason: Reason) -> None:
        """Something was refused that never became a call."""
        if self.telemetry is not None:
            _tell(partial(self.telemetry.refused, method, reason))

    def close(self) -> None:
        """End what runs beside the guard."""
        if self.scanners is not None:
            self.scanners.close()
        if self.telemetry is not None:
            self.telemetry.close()


@dataclass(slots=True)
class Watched(Unwatched):
    """One call that is watched."""

    watch: Watch
    context: Context
    span: Span | None
    habits: Habits = field(default_factory=Habits)
    _raised: tuple[Raised, ...] = ()
    _note: str = ""  # what scanners said of the answer

    # --- before the judgement

    def traced(self, call: Call) -> Call:
        """The server gets the guard's span as its parent, where there is one."""
        try:
            return call if self.span is None else self.span.carried_by(call)
        except Exception as error:
            _not_told(error)
            return call

    @property
    def takes_time(self) -> bool:
        return self.watch.scanners is not None

    def looked_at(self, call: Call, request: InFlight, then: Callable[[], None]) -> None:
        """Scanners look at all that the client says."""
        if self.watch.monitor is not None:
            self.habits = self.watch.monitor.habits(call)
        if self.watch.scanners is None:
            return then()

        def found(raised: tuple[Raised, ...]) -> None:
            self._raised = raised
            if request.waiting:
                guarded(request, then)

        return self.watch.scanners.look(On.ARGUMENTS, call.name, _said(call), found)

    def described(self, request: Request) -> Request:
        return request if self.watch.monitor is None else replace(request, habits=self.habits.told())

    # --- the judgement

    def narrowed(self, decision: Decision, call: Call, view: UsageView, approvals: Collection[Approval]) -> Decision:
        try:
            return self._narrowed(decision, call, view, approvals)
        except Exception as error:  # unclear means no (law 4)
            log.warning("what watches a call failed, which denies it", error=type(error).__name__)
            return Decision(Effect.DENY, Reason.INTERNAL, detail=type(error).__name__)

    def _narrowed(self, decision: Decision, call: Call, view: UsageView, approvals: Collection[Approval]) -> Decision:
        flags = [one.says for one in self._raised]
        layers = [decision]
        if decision.effect is not Effect.DENY:
            layers += self._scanned(call, approvals)
        if self.watch.monitor is not None and strictest(layers).effect is not Effect.DENY:
            session = self.context.session.key
            found = self.watch.monitor.flags(call, session, self.habits, view.now)
            flags += [one.says for one in found]
            if found:
                layers += self._flagged([one.deviation.value for one in found], call, approvals)
        if flags:
            return replace(strictest(layers), flags=tuple(flags))
        return decision

    def _scanned(self, call: Call, approvals: Collection[Approval]) -> list[Decision]:
        worst = max((one.severity for one in self._raised), default=Severity.LOW)
        if worst is Severity.HIGH:
            said = "; ".join(one.says for one in self._raised)
            return [Decision(Effect.DENY, Reason.SCANNED, detail=said)]
        refs = [one.scanner.ref for one in self._raised if one.severity is Severity.MEDIUM]
        return self._asks(refs, call, approvals) if refs else []

    def _flagged(self, deviations: list[str], call: Call, approvals: Collection[Approval]) -> list[Decision]:
        match self.watch.monitor.watching.on_flag if self.watch.monitor is not None else OnFlag.NOTE:
            case OnFlag.FREEZE:
                why = f"monitor: {', '.join(deviations)}"
                return [Decision(Effect.DENY, Reason.STOPPED, detail=why, halts=why)]
            case OnFlag.ASK:
                return self._asks([replace(_MONITOR, id=name) for name in deviations], call, approvals)
            case _:
                return []

    def _asks(self, refs: list[RuleRef], call: Call, approvals: Collection[Approval]) -> list[Decision]:
        """An ask that an approval of this very call settles, as it settles those of rules."""
        asking = Decision(Effect.ASK, Reason.NEEDS_APPROVAL, rules=tuple(refs))
        return [approved(asking, (), settled_for(self.context.guard.authority, call, approvals))]

    def decided(self, call: Call, entry: Entry) -> None:
        monitor = self.watch.monitor
        if monitor is not None and entry.decision.allowed:
            _tell(partial(monitor.learn, call, entry.session, self.habits, entry.time))
        if self.span is not None:
            _tell(partial(self.span.decided, entry))

    # --- what came back

    def answered(self, call: Call, reply: Mapping[str, Any], then: Callable[[str], None]) -> None:
        if self.watch.scanners is None or "gone" in reply:
            return then("")

        def found(raised: tuple[Raised, ...]) -> None:
            self._note = "; ".join(one.says for one in raised)
            worst = max((one.severity for one in raised), default=Severity.LOW)
            if worst is Severity.HIGH:
                return then("a scanner that a person set up spoke against it")
            if worst is Severity.MEDIUM:
                return self._exposed(call, raised, then)
            return then("")

        said = {name: reply[name] for name in ("result", "error") if name in reply}
        try:
            return self.watch.scanners.look(On.RESULTS, call.name, said, found)
        except Exception as error:  # what a server says must never leave a client waiting
            log.warning("an answer could not be scanned", error=type(error).__name__)
            return then("it could not be scanned")

    def _exposed(self, call: Call, raised: tuple[Raised, ...], then: Callable[[str], None]) -> None:
        """The session has read something that a scanner distrusts: rules that go by the label see it from here on."""
        why = next(one.says for one in raised if one.severity is Severity.MEDIUM)

        def step() -> None:
            self.context.guard.record.exposed(self.context.session.key, call.server, frozenset({UNTRUSTED}), why)
            then("")

        patiently(step, lambda: then("what a scanner said of it could not be recorded"))

    def settled(self, outcome: Outcome, answer: Mapping[str, Any], note: str) -> str:
        self.ended(outcome, answer)
        return "; ".join(filter(None, (note, self._note)))

    def ended(self, outcome: Outcome, answer: Mapping[str, Any]) -> None:
        if self.span is not None:
            _tell(partial(self.span.ended, outcome, answer))

    def budgets(self, view: UsageView, decision: Decision) -> None:
        if self.span is not None:
            _tell(partial(self.span.budgets, self.context.guard.authority, view, decision))


def _tell(step: Callable[[], object]) -> None:
    """Tell telemetry, or have the monitor learn: what fails there fails no call."""
    try:
        step()
    except Exception as error:
        _not_told(error)


def _not_told(error: Exception) -> None:
    log.warning("what watches calls could not be told of one", error=type(error).__name__)


def _said(call: Call) -> dict[str, Any]:
    """All that the client says in a call: not a server's own state that comes back, nor what the protocol fixes."""
    said = {name: value for name, value in call.params.items() if not (name == "requestState" and call.continues)}
    meta = said.get("_meta")
    if isinstance(meta, Mapping):
        said["_meta"] = {name: value for name, value in meta.items() if not _is_fixed(name, value)}
    return said


def _is_fixed(name: str, value: object) -> bool:
    """Is it by its form, and not just by its name, what the protocol has there? The link replaces a progress token."""
    if name == "traceparent":
        return is_trace(value)
    return name == "progressToken" or (name == REVISION_KEY and value in MODERN_REVISIONS)
