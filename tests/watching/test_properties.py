"""Whatever scanners and the monitor say, and whatever a person has approved: no decision becomes milder by it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.model import Approval, By, Call, Decision, Effect, Reason, RuleRef
from mcp_guard.monitor.flags import Deviation, Flag, OnFlag, Watching
from mcp_guard.monitor.severity import Severity
from mcp_guard.policy.approved import call_digest
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.scanners.settings import On, Raised, Scanner
from mcp_guard.watch import Watch, Watched
from tests.watching.stage import ECHO

AUTHORITY = Authority((load_text(ECHO.encode(), file="policy.yaml", kind="policy", home="/home/me"),))
CALL = Call("me", "tools/call", "raw", "echo", {"name": "echo", "arguments": {}})
GRANT = RuleRef("policy", "say", Effect.ALLOW, "policy.yaml", 2, 3)
SAID = [
    Decision(Effect.ALLOW, rules=(GRANT,)),
    Decision(Effect.ASK, Reason.NEEDS_APPROVAL, rules=(RuleRef("policy", "big", Effect.ASK, "policy.yaml", 3, 3),)),
    Decision(Effect.DENY, Reason.NO_GRANT),
]
RAISED = st.builds(
    Raised,
    st.sampled_from("ab").map(lambda name: Scanner(name, On.ARGUMENTS, Severity.HIGH, ("guard.yaml", 1, 1))),
    st.sampled_from(Severity),
)
FLAGS = st.lists(st.sampled_from(Deviation), max_size=3).map(lambda them: tuple(Flag(one, "why") for one in them))
KEYS = ["policy/big", "scanner/a", "scanner/b", *(f"monitor/{one}" for one in Deviation)]
APPROVALS = st.lists(
    st.builds(
        Approval,
        st.sampled_from([call_digest(CALL), "another"]),
        st.frozensets(st.sampled_from(KEYS)),
        st.sampled_from([AUTHORITY.digest, "others"]),
        st.just("me"),
        st.just("e-1"),
        st.sampled_from(By),
    ),
    max_size=2,
)


def narrowed(
    said: Decision, raised: list[Raised], flags: tuple[Flag, ...], on_flag: OnFlag, approvals: list[Approval]
) -> Decision:
    monitor = SimpleNamespace(watching=Watching(10, on_flag), flags=lambda *_: flags)
    context = SimpleNamespace(guard=SimpleNamespace(authority=AUTHORITY), session=SimpleNamespace(key="s1"))
    watched = Watched(Watch(monitor=cast("Any", monitor)), cast("Any", context), None, _raised=tuple(raised))
    return watched.narrowed(said, CALL, cast("Any", SimpleNamespace(now=datetime.now(UTC))), approvals)


@given(st.sampled_from(SAID), st.lists(RAISED, max_size=3), FLAGS, st.sampled_from(OnFlag), APPROVALS)
def test_no_decision_becomes_milder(
    said: Decision, raised: list[Raised], flags: tuple[Flag, ...], on_flag: OnFlag, approvals: list[Approval]
) -> None:
    found = narrowed(said, raised, flags, on_flag, approvals)
    assert found.effect >= said.effect
    worst = max((one.severity for one in raised), default=Severity.LOW)
    if worst is Severity.HIGH or (flags and on_flag is OnFlag.FREEZE):
        assert found.effect is Effect.DENY
    asked = {f"scanner/{one.scanner.name}" for one in raised if one.severity is Severity.MEDIUM}
    asked |= {f"monitor/{one.deviation}" for one in flags} if on_flag is OnFlag.ASK else set()
    fitting = [one for one in approvals if one.call == call_digest(CALL) and one.authority == AUTHORITY.digest]
    settled = {key for one in fitting if one.tier >= By.PERSON for key in one.asks}
    if not asked <= settled:
        assert found.effect is not Effect.ALLOW
    if found.halts:
        assert found.effect is Effect.DENY


@given(st.sampled_from(SAID), APPROVALS, st.sampled_from(OnFlag))
def test_where_nothing_is_said_nothing_changes(said: Decision, approvals: list[Approval], on_flag: OnFlag) -> None:
    assert narrowed(said, [], (), on_flag, approvals) == said
