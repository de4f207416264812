"""What is left of a server's answer: nothing that obligations take out, and otherwise the very object that came."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.inspection.obligations import NOTHING, Obligations
from mcp_guard.inspection.results import Inspected, inspect
from tests.inspection.samples import AWS, GITHUB, PRIVATE_KEY, SECRETS, answer, encoded, text

REDACT = Obligations(redact=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
SCATTERED = {
    "in a text": answer(f"the key is {AWS}."),
    "over content parts": answer(AWS[:7], AWS[7:]),
    "over three parts": answer(f"x {AWS[:7]}", AWS[7:12], f"{AWS[12:]} y"),
    "in a name of structured content": answer("x", structuredContent={AWS: 1, "rows": [{"k": AWS}]}),
    "in meta": answer("x", _meta={"vendor/debug": {"env": [f"KEY={AWS}"]}}),
    "in a part's meta": answer({"type": "text", "text": "x", "_meta": {"k": AWS}}),
    "in an error": {"error": {"code": -1, "message": f"bad key {AWS}", "data": {"trace": [AWS]}}},
    "in a base64 part": answer({"type": "resource", "resource": {"uri": "a:b", "blob": encoded(f"k {AWS}")}}),
    "in a blob that was read": {
        "result": {"contents": [{"uri": "a:b", "mimeType": "text/plain", "blob": encoded(AWS)}]}
    },
    "in UTF-16": {"result": {"contents": [{"uri": "a:b", "blob": encoded(f"k {AWS}".encode("utf-16"))}]}},
    "in bytes that claim to be an image": answer({"type": "image", "mimeType": "image/png", "data": encoded(AWS)}),
    "in a real image": answer(
        {"type": "image", "mimeType": "image/png", "data": encoded(b"\x89PNG\r\n\x1a\n\0\xff" + AWS.encode())}
    ),
    "in base64 inside of a text": answer(f"data: {encoded(f'the key of it is {AWS}')} end"),
    "in wrapped base64": answer(base64.encodebytes(("x" * 50 + AWS + "y" * 50).encode()).decode()),
    "in a link's query": answer({"type": "resource_link", "name": "n", "uri": f"https://x.example/?k={AWS}"}),
    "in a link's user": answer({"type": "resource_link", "name": "n", "uri": f"https://me:{AWS}@x.example/"}),
    "in a prompt": {"result": {"messages": [{"role": "user", "content": text(AWS)}]}},
    "in a task": {"result": {"taskId": "t", "result": {"content": [text(AWS)]}}},
    "once more, in other forms": answer(
        AWS, "\n".join(AWS), f"{AWS[:6]}\n{AWS[6:]}", encoded("ab" + AWS), AWS.replace("A", "A\u200b")
    ),
}


def done(reply: dict[str, Any], wanted: Obligations, **ways: Any) -> Inspected:
    return inspect(reply, wanted, may_read=lambda uri: True, **ways)


def readings(value: Any) -> str:
    """All that a reader could read in it: strings, names, and what base64 says; white space and hidden taken out."""
    said: list[str] = []
    texts: list[str] = []  # of parts, which somebody may read as one

    def read(item: Any) -> None:
        if isinstance(item, dict):
            texts.append(str(item.get("text", "")))
            for name, inner in item.items():
                said.append(name)
                read(inner)
        elif isinstance(item, list):
            for inner in item:
                read(inner)
        elif isinstance(item, str):
            said.append(item)
            for word in [item, *item.split()]:
                try:
                    raw = base64.b64decode("".join(word.split()), validate=True)
                except ValueError:
                    continue
                said.extend(raw.decode(encoding, "ignore") for encoding in ("latin-1", "utf-16"))

    read(value)
    return "".join("".join([*said, *texts]).split()).replace("\u200b", "")


@pytest.mark.parametrize("where", SCATTERED)
def test_a_secret_is_taken_out_wherever_it_stands(where: str) -> None:
    found = done(SCATTERED[where], REDACT)
    assert AWS in readings(SCATTERED[where])  # else this says nothing
    assert AWS not in readings(found.answer)
    assert "[redacted:" in readings(found.answer)
    assert sum(found.done.values()) >= 1
    assert AWS not in found.note
    assert not found.withheld


@pytest.mark.parametrize("secret", SECRETS)
def test_what_was_taken_out_is_said_by_its_kind_and_the_rest_stays(secret: str) -> None:
    found = done(answer(f"before {secret} after"), REDACT)
    assert found.answer == answer(f"before [redacted: {SECRETS[secret]}] after")
    assert found.note == f"redacted {SECRETS[secret]} 1"


def test_a_private_key_goes_as_a_whole() -> None:
    assert done(answer(f"a\n{PRIVATE_KEY}\nb"), REDACT).answer == answer("a\n[redacted: private key]\nb")
    cut = PRIVATE_KEY.partition("-----END")[0]
    assert "MIIE" not in readings(done(answer(cut), REDACT).answer)


def test_text_in_base64_is_written_anew_and_decodes() -> None:
    part = {"type": "resource", "resource": {"uri": "a:b", "mimeType": "text/plain", "blob": encoded(f"k: {AWS}!")}}
    (block,) = done(answer(part), REDACT).answer["result"]["content"]
    assert base64.b64decode(block["resource"]["blob"]) == b"k: [redacted: aws access key]!"


@given(JSON)
def test_without_an_obligation_or_a_finding_the_very_object_passes(value: Any) -> None:
    reply = {"result": {"content": [text("x")], "structuredContent": value, "other": value}}
    assert inspect(reply, NOTHING).answer is reply
    assert done(reply, Obligations(redact=True, truncate=10**6, max_size=10**6)).answer == reply


@given(JSON, st.sampled_from(sorted(SECRETS)), st.randoms(use_true_random=False))
def test_a_secret_anywhere_in_json_never_passes_and_types_stay(value: Any, secret: str, random: Any) -> None:
    def planted(item: Any) -> Any:
        if isinstance(item, dict):
            return {
                name if random.random() < 0.7 else f"{name} {secret}": planted(inner) for name, inner in item.items()
            }
        if isinstance(item, list):
            return [planted(inner) for inner in item]
        return f"{item} {secret} ." if isinstance(item, str) and random.random() < 0.5 else item

    def kinds(item: Any) -> Any:
        if isinstance(item, dict):
            return [kinds(inner) for inner in item.values()]
        return [kinds(inner) for inner in item] if isinstance(item, list) else type(item)

    reply = answer("x", structuredContent=planted(value))
    found = done(reply, REDACT)
    assert secret not in json.dumps(found.answer)
    assert kinds(found.answer) == kinds(reply)


def test_own_patterns_are_found_in_texts_and_a_number_of_them_withholds() -> None:
    wanted = Obligations(redact=True, patterns=(("employee", "E?[0-9]{6}"),))
    assert done(answer("it is E123456"), wanted).answer == answer("it is [redacted: employee]")
    found = done(answer("x", structuredContent={"id": 123456}), wanted)
    assert "a number" in found.withheld
    assert "123456" not in found.withheld


def test_structured_content_that_would_break_its_schema_is_withheld() -> None:
    reply = answer("x", structuredContent={"key": AWS})
    assert done(reply, REDACT, fits=lambda content: content["key"].startswith("[redacted")).withheld == ""
    assert "schema" in done(reply, REDACT, fits=lambda content: False).withheld
    untouched = answer("x", structuredContent={"key": "fine"})
    assert done(untouched, REDACT, fits=lambda content: False).withheld == ""  # what the server broke is not ours


def test_texts_share_the_limit_in_their_order() -> None:
    found = done(answer("abcdef", "ghijkl", "mno"), Obligations(truncate=8))
    texts = [block["text"] for block in found.answer["result"]["content"]]
    assert texts == ["abcdef", "gh[truncated: 4 more characters]", "[truncated: 3 more characters]"]
    assert found.note == "truncated 2"


def test_no_way_around_the_limit_of_text() -> None:
    long = "x" * 5000
    reply = answer(
        {"type": "resource", "resource": {"uri": "a:b", "blob": encoded(long)}},
        {"type": "resource_link", "uri": "a:b", "name": "n", "description": long},
        structuredContent={"rows": [long]},
        _meta={"k": long},
    )
    assert len(readings(done(reply, Obligations(truncate=10)).answer)) < 600
    error = {"error": {"code": -1, "message": long, "data": {"k": long}}}
    assert len(readings(done(error, Obligations(truncate=10)).answer)) < 200


def test_structured_content_that_is_promised_is_not_cut_but_withheld() -> None:
    found = done(answer("x", structuredContent={"k": "y" * 100}), Obligations(truncate=10), fits=lambda content: True)
    assert "can't be cut" in found.withheld


def test_a_secret_at_the_edge_of_the_limit_is_redacted_before_it_is_cut() -> None:
    found = done(answer(f"{'x' * 10} {AWS}"), Obligations(redact=True, truncate=20))
    assert AWS[:6] not in readings(found.answer)


def test_what_nobody_sees_is_stripped_in_texts_names_and_base64() -> None:
    hidden = "a\u200b\u202eb"
    part = {"type": "resource", "resource": {"uri": "a:b", "blob": encoded(hidden)}}
    found = done(answer(hidden, part, structuredContent={hidden: hidden}), Obligations(strip_hidden=True))
    assert "\u200b" not in json.dumps(found.answer, ensure_ascii=False)
    assert found.answer["result"]["structuredContent"] == {"ab": "ab"}
    assert base64.b64decode(found.answer["result"]["content"][1]["resource"]["blob"]) == b"ab"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": "image", "mimeType": "image/png", "data": encoded(b"\x89PNG\r\n\x1a\n")}, "image"),
        ({"type": "resource", "resource": {"uri": "a:b", "blob": encoded(b"MZ\0\0\xff")}}, "binary"),
        ({"type": "text", "text": "x", "data": encoded(b"MZ\0\0\xff")}, "binary"),
        ({"type": "resource_link", "uri": "a:b", "name": "n"}, "link"),
        ({"type": "hologram", "text": "x"}, "hologram"),
        ({"type": "image", "mimeType": "image/png", "data": "%%%"}, "what can't be read"),
    ],
)
def test_parts_of_other_types_are_replaced_by_a_word_about_them(part: dict[str, Any], said: str) -> None:
    found = done(answer("x", part), Obligations(types=frozenset({"text"})))
    first, second = found.answer["result"]["content"]
    assert first == text("x")
    assert second == text(f"[withheld: {said}]")


def test_text_that_claims_to_be_an_image_is_both() -> None:
    part = {"type": "image", "mimeType": "image/png", "data": encoded("ignore all")}
    for types in ({"image"}, {"text"}):
        found = done(answer(part), Obligations(types=frozenset(types)))
        assert found.answer["result"]["content"][0]["text"].startswith("[withheld: ")
    assert done(answer(part), Obligations(types=frozenset({"image", "text"}))).answer == answer(part)


def test_structured_content_is_text() -> None:
    assert done(answer(structuredContent={"a": 1}), Obligations(types=frozenset({"image"}))).withheld


def test_a_link_to_what_may_not_be_read_is_taken_out() -> None:
    links = [{"type": "resource_link", "uri": uri, "name": "n"} for uri in ("a:yes", "a:no")]
    found = inspect(answer(*links), REDACT, may_read=lambda uri: uri == "a:yes")
    first, second = found.answer["result"]["content"]
    assert first == links[0]
    assert "a:no" not in json.dumps(second)
    assert second["type"] == "text"


def test_what_is_too_large_after_all_is_withheld() -> None:
    assert done(answer("x" * 500), Obligations(max_size=300)).withheld == "it is larger than 300 bytes"
    assert not done(answer("x" * 500), Obligations(max_size=300, truncate=20)).withheld


def test_kinds_that_were_found_together_are_counted_by_name_alone() -> None:
    assert done(answer(AWS, GITHUB, AWS), REDACT).note == "redacted aws access key 2, redacted github token 1"
