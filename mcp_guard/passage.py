"""The path of one judged request, from judgement to recorded outcome. Read this after `gateway.py`.

Judged, charged and recorded in one transaction; only then sent, or refused (law 2). What the server answers is recorded
before the client sees it. It is carried by callbacks: the client's line starts it, the server's line ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from mcp_guard import inspecting, log, members, outcomes, refusal, releasing, remembering, rounds
from mcp_guard.answers import ASKING, look_alikes
from mcp_guard.approvals import in_band, showing
from mcp_guard.approvals.asking import Asked
from mcp_guard.approvals.port import RECALLED_NOTHING, Question, Recalled, Unsettled
from mcp_guard.catalog import Tool
from mcp_guard.context import Context, guarded
from mcp_guard.downstream import Downstream
from mcp_guard.eras import strip_own_meta, strip_own_reply
from mcp_guard.errors import ServerGone
from mcp_guard.guard import without_made_up_names
from mcp_guard.handles import Opened
from mcp_guard.inspecting import Inspection, Job
from mcp_guard.inspection.results import Inspected
from mcp_guard.looking_again import look_again
from mcp_guard.model import Approval, Call, Decision, Effect, Kind, Outcome, Reason
from mcp_guard.offers import may_extend
from mcp_guard.patience import patiently
from mcp_guard.policy.approved import call_digest
from mcp_guard.record import questions
from mcp_guard.record.entries import Entry, Request
from mcp_guard.record.sightings import Read
from mcp_guard.record.usage import UsageView
from mcp_guard.scans import noted
from mcp_guard.session import InFlight
from mcp_guard.translation import questions as translated
from mcp_guard.unwatched import UNWATCHED, Unwatched
from mcp_guard.wire import keyed_digest

Refuse = Callable[[Decision, "str | None"], dict[str, Any]]
"""What the client gets for a decision and the id of its entry."""
Takes = Callable[[Entry, "dict[str, Any]", rounds.Delivered], bool]
"""Reads a server's answer instead of the passage, and says later what the client may see; False: it doesn't."""

_UNSEEN = "where its values come from could not be recorded"
_SAID = frozenset({Outcome.OK, Outcome.TOOL_ERROR, Outcome.ERROR})
"""Outcomes whose answer is the server's own words."""


@dataclass(slots=True, eq=False)
class Passage:
    """One judged request on its way: who waits, what is asked, of whom, and how a refusal looks."""

    context: Context
    request: InFlight
    call: Call
    server: Downstream
    tool: Tool | None
    refusal: Refuse
    continues: Opened | None = None  # the round whose questions this call answers
    on_result: Callable[[dict[str, Any]], object] = field(default=lambda _: None)  # told of a result that is passed on
    takes: Takes | None = None
    _known: Mapping[str, Any] = field(default_factory=dict)  # where its values come from, if somebody is asked; budgets
    _settled: bool = False
    _recalled: Recalled = RECALLED_NOTHING  # what was answered before about this call
    round: int = 0  # how often its questions were put to the client meanwhile (`translation/questions.py`)
    origin: str = ""  # the entry of the call that this one repeats with answers
    _members: tuple[str, ...] = ()  # those beside the method's own that documents grant by name
    _started: float = 0.0
    _entry: Entry | None = None
    _cancel: Callable[[str | None], None] = field(default=lambda _: None)
    _found: tuple[str, ...] = ()  # by the scan, in all that the server says during this call
    _inspection: Inspection | None = None  # of what the server says, once the call is judged; None: nothing is wanted
    _watched: Unwatched = UNWATCHED

    def __post_init__(self) -> None:
        if self.context.guard.watch is not None:
            self._watched = self.context.guard.watch.of(self.context, self.call, self.request, listed=bool(self.tool))

    def begin(self, beside: Collection[str] = ()) -> None:
        """Judge it, then send or refuse it. `beside` are members of `params` that the method doesn't have."""
        if beside and not all(may_extend(self.context, self.call.server, member) for member in beside):
            return self.refuse(Decision(Effect.DENY, Reason.UNEXPECTED_MEMBER))
        if not self.context.session.has_room(self.request, self.server):
            return self.refuse(Decision(Effect.DENY, Reason.TOO_MANY))
        if self.server.resting:
            return self.refuse(Decision(Effect.DENY, Reason.UNAVAILABLE))
        self._members = tuple(sorted(beside)) if beside else ()
        self.call = self._watched.traced(self.call)
        judge = partial(patiently, self._judge, self._unrecorded)
        if self._watched.takes_time or self.round:
            when = "while its questions were answered" if self.round else "while a scanner looked at the call"
            judge = partial(self._as_listed_now, when, self._judge)
        return self._watched.looked_at(self.call, self.request, judge)

    def refuse(self, decision: Decision) -> None:
        """Refuse it without a judgement, once that is recorded."""

        def step() -> None:
            entry = self.context.guard.record.refuse(self._described(), decision)
            self._watched.decided(self.call, entry)
            self.context.guard.keep_values(entry, self.call, self._argument_names)
            self.request.finish(self.refusal(decision, entry.id))

        patiently(step, self._unrecorded)

    def _described(self) -> Request:
        session = self.context.session
        described = self.context.guard.describe(self.call, session.key, session.client, self._argument_names)
        return self._watched.described(described)

    @property
    def _argument_names(self) -> Mapping[str, Any]:
        """Those that the tool's schema has; others are the client's own, and aren't recorded (law 8)."""
        return self.tool.argument_names if self.tool is not None else {}

    def _judge(self, approvals: Collection[Approval] = ()) -> None:
        guard = self.context.guard
        entry = guard.record.step(self._described(), partial(self._judged, approvals))
        guard.latest = entry.time
        self._watched.decided(self.call, entry)
        guard.keep_values(entry, self.call, self._argument_names)
        if entry.decision.effect is Effect.ASK and not approvals:  # asked once: an ask that is new by then refuses
            return self._ask(entry)
        if not entry.decision.allowed:
            return self.request.finish(self.refusal(entry.decision, entry.id))
        if self.continues is not None:
            guard.handles.spend(self.continues)
        try:
            return self._send(entry)
        except Exception as error:  # it may have left: an error from here on is never a refusal (law 6)
            log.warning("a call could not be sent as it should", error=type(error).__name__)
            why = "The guard could not carry this call."
            return self._settle(entry, Outcome.UNKNOWN, refusal.unknown_outcome(entry.id, why), type(error).__name__)

    def _ask(self, entry: Entry) -> None:
        """Put the question. A yes is judged again, charged and recorded in one step; anything else refuses."""
        guard = self.context.guard
        if self._recalled.refused:
            return self._unsettled(entry, Unsettled.NO)
        question = self._question(entry.decision, self._recalled.entry or entry.id)
        shown = showing.what_is_shown(self.context, self.call, self.tool, entry.decision, self._known)
        patience = showing.Patience(self.request, self.call)
        by_answer = in_band.may_ask_by_answer(self.context, self.request, question)
        question = replace(question, shown=shown, waits=not by_answer)
        take_back: list[Callable[[], None]] = []

        def then(approval: Approval | Unsettled | None) -> None:
            end()
            if approval is Unsettled.PENDING and by_answer:
                asking = in_band.asking_answer(self.context, question, self.continues)
                if asking is not None:
                    return self.request.finish(asking)
            if approval is None or isinstance(approval, Unsettled):
                return self._unsettled(entry, approval)
            if self.request.waiting:
                guarded(self.request, lambda: self._agreed(approval))
            return None

        asked = Asked(question, then)

        def end() -> None:
            patience.end()
            while take_back:
                take_back.pop()()

        def withdraw(_: str | None) -> None:
            end()
            asked.withdraw()

        self.request.sent(withdraw)
        patience.begin()
        asked.put(guard.approver)
        if self.request.waiting and in_band.may_ask_now(self.context, self.request, question):
            take_back.append(in_band.ask_now(self.context, self.request, question))
        return None

    def _question(self, decision: Decision, entry: str) -> Question:
        """What is asked, and what an answer is bound to."""
        guard = self.context.guard
        pin = keyed_digest(guard.record.key, self.tool.descriptor) if self.tool is not None else ""
        return Question(
            entry,
            self.call,
            decision.rules,
            call_digest(self.call),
            guard.authority_digest,
            self._known.get("sources", {}),
            self.context.session.key,
            pin,
        )

    def _unsettled(self, entry: Entry, why: Unsettled | None) -> None:
        """Nobody said yes. What a client reads says whether repeating the call is any use."""
        decision = entry.decision
        if why is Unsettled.NO:
            decision = replace(decision, reason=Reason.NOT_APPROVED)
        elif why is Unsettled.FROZEN:
            decision = replace(decision, reason=Reason.STOPPED)
        answer = self.refusal(decision, entry.id)
        return self.request.finish(refusal.waiting(answer, decision) if why is Unsettled.PENDING else answer)

    def _agreed(self, approval: Approval) -> None:
        """Judge again: the yes was to the tool that was listed then."""
        self._as_listed_now("while a person was asked", lambda: self._judge((approval,)))

    def _as_listed_now(self, when: str, judge: Callable[[], None]) -> None:
        """Judge with what is listed by now, if that is still what was looked at."""

        def again(is_same: bool, now: Tool | None) -> None:
            if not is_same:
                why = f"the tool was changed {when}" if self.tool is not None else f"it may have changed {when}"
                return self.refuse(Decision(Effect.DENY, Reason.UNAVAILABLE, detail=why))
            self.tool = now
            return patiently(judge, self._unrecorded) if self.request.waiting else None

        def looked(is_same: bool, now: Tool | None) -> None:
            guarded(self.request, lambda: again(is_same, now))

        look_again(self.context, self.server, self.call, self.tool, looked)

    def _judged(self, approvals: Collection[Approval], view: UsageView) -> Decision:
        guard = self.context.guard
        if self.continues is not None and guard.handles.spent(self.continues, guard.now()):  # another retry was faster
            return Decision(Effect.DENY, Reason.UNKNOWN_HANDLE)
        approvals = [one for one in approvals if questions.live(view, one)]  # used, taken back, or over by now?
        decision = self._said(view, approvals)
        if decision.effect is Effect.ASK and not approvals:
            self._recalled = guard.memory(view, self._question(decision, ""))
            if self._recalled.approvals:
                decision = self._said(view, self._recalled.approvals)
        if decision.effect is Effect.ASK:
            self._known = showing.read_with(self.context, self.call, decision, view)
        if (candidate := guard.candidate) is not None:
            facts = self.context.facts(self.call.server, view)
            decision = replace(decision, otherwise=candidate.beside(decision, self.call, facts))
        if decision.allowed:
            remembering.carry(self.context, self.call, view)
            self._watched.budgets(view, decision)
            remark = self._remark()
            return replace(decision, detail=remark) if remark != decision.detail else decision
        return without_made_up_names(decision, self.call, self._argument_names)

    def _said(self, view: UsageView, approvals: Collection[Approval]) -> Decision:
        """The one judgement, of the call and of all members beside it."""
        decision = self.context.judged(self.call, view, self.tool, approvals)
        if self._members and decision.effect is not Effect.DENY:
            decision = members.judged(self.context, self.call, decision, self._members, view, approvals)
        return self._watched.narrowed(decision, self.call, view, approvals)

    def _remark(self) -> str:
        """What a person should know of a call that is allowed."""
        if self.continues is not None:
            return f"continues {self.continues.inner['origin']}"
        if self.origin:
            return f"continues {self.origin}"
        if self.call.kind is Kind.EXTENSION:
            return "not inspected"
        return f"not inspected: {', '.join(self._members)}" if self._members else ""

    def _unrecorded(self) -> None:
        self.request.finish(self.refusal(Decision(Effect.DENY, Reason.UNRECORDED), None))

    def _send(self, entry: Entry) -> None:
        """From here on the call counts as made, until the transport says that it took no byte."""
        if not self.request.waiting:  # cancelled while the record was busy
            return self._not_sent(entry, "the client gave up")
        self._started = asyncio.get_running_loop().time()
        self._inspection = inspecting.of_call(self.context, self.call, self.tool, entry.decision.obligations)
        if self._looks_at_released(entry):
            return None
        return self._forward(entry)

    def _forward(self, entry: Entry) -> None:
        try:
            sent = self.server.request(
                self.call.method, dict(self.call.params), partial(self._answered, entry), self._progress
            )
        except ServerGone as gone:
            return self._not_sent(entry, str(gone))
        self._cancel = sent
        if self.request.waiting:
            self.request.at = (self.server.name, sent.id)
            self.request.sent(partial(self._cancelled, entry))
            self._entry = entry
            self.context.guard.under_way.add(self)
            self.server.deadlines.add(self)
        return None

    def _looks_at_released(self, entry: Entry) -> bool:
        """Has a person released the answer of an earlier call like this one? Then that is looked at, and given."""
        if self._inspection is None or (found := releasing.found(self.context, self._inspection, self.call)) is None:
            return False
        self._entry = entry  # a stop ends it, and the client may give up, also while it is looked at
        self.context.guard.under_way.add(self)
        self.request.sent(lambda _: self._given_up(entry))
        deliver, failed = partial(self._deliver_released, entry), partial(self._unreadable, entry)
        releasing.look_at(self.context, self._inspection, self.call, found, deliver, failed)
        return True

    def _deliver_released(self, entry: Entry, origin: str, answer: dict[str, Any] | None) -> None:
        """What may not be passed on, or isn't there any more, doesn't count: the call is made after all."""
        if self._settled or answer is None:
            return None if self._settled else self._forward(entry)
        give = partial(self._give, entry, origin)
        if self.takes is None or not self.takes(entry, strip_own_reply(answer), give):
            give(self._outcome(entry, answer)[1], "")
        return None

    def _given_up(self, entry: Entry) -> None:
        if not self._settled:
            self._settled = True
            self._not_sent(entry, "the client gave up")

    def _give(self, entry: Entry, origin: str, answer: dict[str, Any] | None, why: str) -> None:
        if self._settled:
            return
        self._settled = True
        self.context.guard.under_way.done(self)
        shown = self._withheld(entry, why) if answer is None else answer

        def then() -> None:
            self._watched.ended(Outcome.OK, shown)
            self.request.finish(shown)

        lost = self._withheld(entry, "its outcome could not be recorded")
        note = self._inspection.note if self._inspection is not None else ""
        releasing.give(self.context, entry, origin, note, then, lambda: self.request.finish(lost))

    def _progress(self, params: dict[str, Any]) -> None:
        told = strip_own_meta(params)
        told = told if self._inspection is None else self._inspection.progress(told)
        self._found += self.context.guard.scans.in_passing(told, self.server.name)
        self.request.progress(told)

    def _answered(self, entry: Entry, reply: dict[str, Any]) -> None:
        self.server.deadlines.done(self)
        if "unsent" in reply:  # only a link says that: no connection could be made, so that no byte of it left
            return self._not_sent(entry, str(reply["gone"]))
        if "gone" in reply:
            return self._read(entry, reply)
        self.server.answered()
        return self._watched.answered(self.call, reply, partial(self._scanned, entry, reply))

    def _scanned(self, entry: Entry, reply: dict[str, Any], why: str) -> None:
        """Scanners have looked at the answer: `why` it isn't passed on, or nothing."""
        if why:
            return self.withhold(entry, why)
        looked, failed = partial(self._inspected, entry), partial(self._unreadable, entry)
        return inspecting.look_at(self.context, self._inspection, self.call, reply, looked, failed)

    def _inspected(self, entry: Entry, job: Job, found: Inspected, rules: tuple[str, ...]) -> None:
        if self._settled:  # cancelled while it was looked at
            return None
        self._found += rules
        reply, inspection = found.answer, self._inspection
        if inspection is not None:
            reply = inspection.taken(entry, job, found)
            if inspection.withheld:
                why = inspection.withheld
                note = "" if inspection.held else why
                return self._settle(entry, Outcome.WITHHELD, self._withheld(entry, why), note)
        return self._read(entry, reply)

    def _unreadable(self, entry: Entry, error: Exception) -> None:
        """What a server says must never leave a client waiting."""
        log.warning("an answer could not be read", error=type(error).__name__)
        answer = self._withheld(entry, "the guard could not read it")
        self._settle(entry, Outcome.WITHHELD, answer, type(error).__name__)

    def _read(self, entry: Entry, reply: dict[str, Any]) -> None:
        """What becomes of a reply that may be passed on."""
        try:
            if look_alikes(reply.get("result", {}), ASKING):
                return self._asked(entry, None, "it is written so that readers differ on whether it asks")
            if self.takes is not None and self.takes(entry, strip_own_reply(reply), partial(self._asked, entry)):
                return None
            if translated.are_for_us(self, reply):
                return translated.put(self, entry, strip_own_reply(reply))
            if rounds.is_asking(reply, self.call.method, self.context.session.era):
                shown = partial(self._asked, entry)
                return rounds.deliver(self.context, self.call, entry, strip_own_reply(reply), shown)
            outcome, answer, note = self._outcome(entry, reply)
        except Exception as error:
            return self._unreadable(entry, error)
        if outcome is not Outcome.OK:
            return self._settle(entry, outcome, answer, note)
        if not remembering.reads(self.context, self.call, answer):
            return self._settle(entry, outcome, answer, note)
        then = partial(self._settle, entry, outcome, answer, note)
        return remembering.remember(self.context, entry, self.call, answer, then, lambda: self.withhold(entry, _UNSEEN))

    def _asked(self, entry: Entry, shown: dict[str, Any] | None, why: str) -> None:
        """The server's answer has questions in it: all of them are shown, or none."""
        if shown is None:
            return self.withhold(entry, why)
        outcome = Outcome.OK if "result" in shown else Outcome.ERROR
        return self._settle(entry, outcome, shown, "" if self.takes else "the server asks before it answers")

    def withhold(self, entry: Entry, why: str) -> None:
        """The client gets none of what the server said."""
        self._settle(entry, Outcome.WITHHELD, self._withheld(entry, why), why)

    def note(self, entry: Entry, outcome: Outcome, note: str, then: Callable[[], None]) -> None:
        """Record what became of it, and go on: the client gets its answer elsewhere, or none."""
        duration = (asyncio.get_running_loop().time() - self._started) * 1000
        note = "; ".join(filter(None, (note, noted(dict.fromkeys(self._found)))))

        def step() -> None:
            self.context.guard.record.finish(entry, outcome, duration_ms=duration, note=note)
            self._watched.ended(outcome, {})
            then()

        why = "its outcome could not be recorded"
        patiently(step, lambda: self.request.finish(self._withheld(entry, why)))

    def _cancelled(self, entry: Entry, reason: str | None) -> None:
        self._cancel(reason)
        self._settle(entry, Outcome.CANCELLED, {}, "")

    def scopes(self) -> tuple[str, ...]:
        """Every scope of a stop that this call is in."""
        return self.context.scopes(self.call)

    def stop(self, why: str) -> None:
        """A person has stopped it while it was at the server: that is told, and the outcome isn't known."""
        if self._entry is None:
            return
        self._cancel(why)
        answer = refusal.unknown_outcome(self._entry.id, "A person has stopped this while it was under way.")
        self._settle(self._entry, Outcome.CANCELLED, answer, why)

    def overdue(self) -> None:
        """The server's time is over."""
        if (entry := self._entry) is None:
            return
        self._cancel("timed out")
        self.server.timed_out()
        why = f"The tool server did not answer within {self.server.spec.timeout:g} seconds."
        self._settle(entry, Outcome.UNKNOWN, refusal.unknown_outcome(entry.id, why), "timed out")

    def _settle(
        self, entry: Entry, outcome: Outcome, answer: dict[str, Any], note: str, seen: Read | None = None
    ) -> None:
        if self._settled:  # cancelled while its result was read
            return
        self._settled = True
        self.context.guard.under_way.done(self)
        self.server.deadlines.done(self)
        scanned = noted(dict.fromkeys(self._found)) if self._found and outcome in _SAID else ""
        inspected = self._inspection.note if self._inspection is not None else ""
        if scanned or inspected:
            note = "; ".join(filter(None, (note, scanned, inspected)))
        note = self._watched.settled(outcome, answer, note)
        duration = (asyncio.get_running_loop().time() - self._started) * 1000

        def step() -> None:
            kept = self.context.guard.record.finish(entry, outcome, duration_ms=duration, note=note, seen=seen)
            # Invariant: nobody sees a result whose outcome isn't committed, or the values of which aren't remembered
            self.request.finish(answer if kept else self._withheld(entry, _UNSEEN))

        why = "its outcome could not be recorded"
        patiently(step, lambda: self.request.finish(self._withheld(entry, why)))

    def _not_sent(self, entry: Entry, why: str) -> None:
        """No byte left: the charges go back, and the client learns that nothing happened."""
        self.context.guard.under_way.done(self)
        self.server.deadlines.done(self)
        if self.continues is not None:
            self.context.guard.handles.give_back(self.continues)
        record = self.context.guard.record
        self._watched.ended(Outcome.NOT_SENT, {})

        def tell() -> None:
            self.request.finish(self.refusal(Decision(Effect.DENY, Reason.UNAVAILABLE), entry.id))

        def step() -> None:
            record.finish(entry, Outcome.NOT_SENT, duration_ms=0.0, refund=True, note=why)
            tell()

        patiently(step, tell)

    def _withheld(self, entry: Entry, why: str) -> dict[str, Any]:
        held = self._inspection is not None and self._inspection.held
        if self.call.method == "tools/call":
            return refusal.withheld(entry.id, why, self.context.session.era, held=held)
        return refusal.withheld_request(entry.id, why, held=held)

    def _outcome(self, entry: Entry, reply: dict[str, Any]) -> tuple[Outcome, dict[str, Any], str]:
        return outcomes.of(self.context, self.call, entry, reply, self._withheld, self.on_result)
