"""Law 3 for what servers ask: the same grants decide in both eras, and say what a server is told that it may ask."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard import offers
from mcp_guard.eras import CLIENT_CAPABILITIES_KEY, Era
from mcp_guard.guard import judge
from mcp_guard.model import Call, Kind
from tests.guards import Scene
from tests.properties.test_one_judge import QUICK, in_a_scene

METHODS = {"elicitation/create": "elicitation", "roots/list": "roots", "sampling/createMessage": "sampling"}
OFFERED: dict[str, Any] = {kind: {} for kind in METHODS.values()}
GRANTS = st.lists(
    st.tuples(
        st.sampled_from(["raw", "other"]),
        st.sets(st.sampled_from(sorted(OFFERED)), min_size=1),
        st.booleans(),
        st.sampled_from(["", ", until: 2020-01-01T00:00:00Z", ", until: 2099-01-01T00:00:00Z"]),
    ),
    max_size=3,
)


def document(grants: Any, head: str = "version: 1") -> str:
    lines = [head, "grants:", "  - {id: t, tool: raw/read, args: any}"]
    for at, (server, kinds, ask, until) in enumerate(grants):
        said = f"server_requests: {{server: {server}, allow: [{', '.join(sorted(kinds))}]}}"
        lines.append(f"  - {{id: g{at}, {said}, ask: {str(ask).lower()}{until}}}")
    return "\n".join(lines)


DOCUMENTS = st.builds(document, GRANTS)
MANDATES = st.builds(lambda grants: document(grants, "version: 1\ntask: t\nexpires: 30m"), GRANTS)


@given(DOCUMENTS, st.none() | MANDATES, st.sampled_from(sorted(METHODS)))
@QUICK
def test_a_question_is_shown_exactly_if_the_judge_allows_it(policy: str, mandate: str | None, method: str) -> None:
    def allowed(scene: Scene) -> bool:
        kind = METHODS[method]
        call = Call("local:me", method, "raw", kind, {"message": "x"}, Kind.SERVER_REQUEST)
        guard = scene.guard
        return judge(guard.authority, guard.protection, call, None, scene.gateway.context.facts("raw")).allowed

    async def legacy(scene: Scene) -> None:
        server: Any = scene.servers[0]
        answers: list[dict[str, Any]] = []
        scene.gateway.server_asked(server, method, {"message": "x"}, answers.append, None)
        assert bool(scene.asked) == allowed(scene)
        assert bool(answers) != allowed(scene)
        told = offers.handshake(scene.gateway.context, "raw", {"capabilities": OFFERED})["capabilities"]
        assert not scene.asked or METHODS[method] in told

    async def modern(scene: Scene) -> None:
        asked = {"q": {"method": method, "params": {"message": "x"}}}
        scene.servers[0].replies["tools/call"] = {
            "result": {"resultType": "input_required", "inputRequests": asked, "content": []}
        }
        answer = await scene.call("read", _meta={CLIENT_CAPABILITIES_KEY: OFFERED})
        assert ("inputRequests" in answer["result"]) == allowed(scene)

    in_a_scene(legacy, policy=policy, mandate=mandate)
    # The call itself needs its grant, which every document here has.
    in_a_scene(modern, policy=policy, mandate=mandate, era=Era.MODERN)
