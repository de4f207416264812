"""What a translation may touch: the protocol's own words, and nothing of what is said in them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.translation.forms import CACHED, bare, envelope_of, enveloped, legacy_reply, modern_reply

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
OWN = {"resultType", "ttlMs", "cacheScope", "_meta", "tools", "structuredContent"}
OBJECTS = st.dictionaries(st.text(max_size=8).filter(lambda name: name not in OWN), VALUES, max_size=4)
ENVELOPE = envelope_of({"capabilities": {"elicitation": {}}, "clientInfo": {"name": "c", "version": "1"}})


@given(OBJECTS, OBJECTS.filter(lambda meta: not any(name.startswith("io.modelcontextprotocol/") for name in meta)))
def test_an_envelope_that_is_put_on_comes_off_and_nothing_else(params: dict[str, Any], meta: dict[str, Any]) -> None:
    said = {**params, **({"_meta": meta} if meta else {})}
    there = enveloped(said, ENVELOPE)
    assert {name: value for name, value in there.items() if name != "_meta"} == params
    assert there["_meta"] == {**meta, **ENVELOPE}
    assert bare(there) == said


@given(OBJECTS)
def test_a_client_cannot_say_of_itself_in_a_request_what_its_handshake_did_not(claimed: dict[str, Any]) -> None:
    there = enveloped({"_meta": dict.fromkeys(ENVELOPE, claimed)}, ENVELOPE)
    assert there["_meta"] == ENVELOPE


@given(OBJECTS, st.sampled_from([*sorted(CACHED), "tools/call", "acme/else"]))
def test_a_result_comes_through_both_ways_as_it_was(result: dict[str, Any], method: str) -> None:
    modern = modern_reply(method, {"result": result})
    assert modern["result"]["resultType"] == "complete"
    assert ("ttlMs" in modern["result"]) == (method in CACHED)
    assert legacy_reply(modern) == {"result": result}


def test_an_answer_that_is_no_complete_one_is_left_to_the_judge() -> None:
    for reply in ({"error": {"code": 1}}, {"gone": "x"}, {"result": {"resultType": "input_required", "ttlMs": 1}}):
        assert legacy_reply(dict(reply)) == reply
        assert modern_reply("tools/call", dict(reply)) == reply


def test_structured_content_that_a_legacy_client_cannot_take_is_left_out_with_its_schema() -> None:
    said = legacy_reply({"result": {"content": [1], "structuredContent": [2], "resultType": "complete"}})
    assert said == {"result": {"content": [1]}}
    objects = {"name": "a", "outputSchema": {"type": "object"}}
    others = {"name": "b", "outputSchema": {"type": "array"}}
    assert legacy_reply({"result": {"tools": [objects, others, 5]}})["result"]["tools"] == [objects, {"name": "b"}, 5]
