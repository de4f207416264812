"""What counts as one strict message, and what its canonical bytes are."""

from __future__ import annotations

import contextlib
import hmac
import json
import math
import random
import struct
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.errors import Malformed
from mcp_guard.wire import MAX_DEPTH, Side, canonical, digest, keyed_digest, parse, serialize, shape
from tests.growth import linear

KEY = b"k" * 32
WIDE = 10**300

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def message(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def call(arguments: str) -> bytes:
    """A call whose arguments are exactly this text."""
    return b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":%b}}' % arguments.encode()


def refused(line: bytes, side: Side = "client") -> Malformed:
    with pytest.raises(Malformed) as caught:
        parse(line, side)
    return caught.value


def folds(value: Any) -> bool:
    """Does an object in it have keys that differ only in case?"""
    if isinstance(value, dict):
        return len({key.casefold() for key in value}) < len(value) or any(map(folds, value.values()))
    return isinstance(value, list) and any(map(folds, value))


# --- messages


@given(value=values, spaced=st.booleans(), ascii_only=st.booleans())
def test_what_is_accepted_is_what_every_reader_reads(value: Any, spaced: bool, ascii_only: bool) -> None:
    line = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"v": value}},
        separators=None if spaced else (",", ":"),
        ensure_ascii=ascii_only,
    ).encode()
    if folds(value):
        refused(line)
        return
    found = parse(line)
    sent = serialize(found)
    assert same(found, json.loads(line))
    assert parse(sent) == found
    assert same(json.loads(sent), found)
    assert nearly(orjson.loads(sent), found)


def same(left: Any, right: Any) -> bool:
    """Equal, with types: 1, 1.0 and True are three values."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def nearly(left: Any, right: Any) -> bool:
    """As `same`, but a reader without wide integers may see the nearest float."""
    if type(left) is float and type(right) is int and not -(2**63) <= right < 2**64:
        return left == float(right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(nearly(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(nearly, left, right))
    return same(left, right)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_a_message_or_malformed(line: bytes) -> None:
    for side in ("client", "server"):
        with contextlib.suppress(Malformed):
            assert isinstance(parse(line, side), dict)


FRAMES = [
    call('{"path":"/a/b","n":1.5e3,"deep":[[{"x":null}]],"text":"\\u00e9\\ud83d\\ude00 caf\u00e9"}'),
    message(id="seven", method="initialize", params={"protocolVersion": "2025-11-25", "capabilities": {}}),
    message(method="notifications/progress", params={"progressToken": 1, "progress": 0.5}),
    message(id=3, result={"content": [{"type": "text", "text": "\U0001f600"}], "big": 2**65}),
    message(id=4, error={"code": -32602, "message": "no"}),
]
PIECES = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b"\\u",
        b"\\ud800",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
    ),
    *(b"1e400", b"-0", b"NaN", b"Infinity", b"true", b"null", b'"id":1,', b'"method":"x",', b"9" * 500, b"[" * 2000),
]


def test_twenty_thousand_mutated_frames_are_messages_or_malformed_and_survive_being_sent_again() -> None:
    rng = random.Random(7)
    accepted = 0
    for _ in range(20_000):
        line = bytearray(rng.choice(FRAMES))
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(line) + 1)
            match rng.randrange(4):
                case 0:
                    line[at : at + rng.randint(0, 4)] = b""
                case 1:
                    line[at:at] = rng.choice(PIECES)
                case 2:
                    line[at : at + 1] = bytes([rng.randrange(256)])
                case _:
                    start = rng.randrange(len(line) + 1)
                    line[at:at] = line[start : start + rng.randint(1, 20)]
        try:
            found = parse(bytes(line), rng.choice(["client", "server"]))
        except Malformed:
            continue
        accepted += 1
        assert same(json.loads(bytes(line)), found)
        assert same(parse(serialize(found), "server"), found)
    assert accepted > 500  # or else the mutations only ever break the frame


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":2}',
        '{"deep":[{"a":1,"a":2}]}',
        '{"path":1,"Path":2}',
        '{"s":1,"\\u017f":2}',  # long s: a reader that folds case takes it for s
        '{"k":1,"\\u212a":2}',  # the Kelvin sign
        '{"ss":1,"\u00df":2}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":-Infinity}',
        '{"a":1e400}',
        '{"a":-1e400}',
        f'{{"a":{"9" * 309}}}',  # a whole number, and infinity to a reader with doubles only
        f'{{"a":{"9" * 100_000}}}',
        f'{{"a":0.{"1" * 100_000}}}',
        f'{{"a":1e{"9" * 100_000}}}',
        '{"a":"\\ud800"}',
        '{"\\udc00":1}',
        '{"a":"\\ude00\\ud83d"}',  # a pair the wrong way round
        '{"a":01}',
        '{"a":+1}',
        '{"a":.5}',
        '{"a":1.}',
        '{"a":0x10}',
        '{"a":1,}',
        "{'a':1}",
        '{"a":"\n"}',
        '{"a":"\t"}',
        '{"a":1}/**/',
        '{"a":' + "[" * 70 + "]" * 70 + "}",
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
)
def test_what_two_readers_could_read_differently_is_refused(arguments: str) -> None:
    refused(call(arguments))


def test_what_all_readers_read_alike_is_kept_as_it_is() -> None:
    arguments = {"n": 2**53 + 1, "wide": WIDE, "null": None, "zero": 0.0, "one": 1.0, "text": "\0\x7f\u2028\U0001f600"}
    found = parse(call(json.dumps(arguments)))["params"]["arguments"]
    assert same(found, arguments)
    assert same(json.loads(serialize(found)), arguments)


def test_one_level_too_many_is_refused_and_the_last_allowed_one_is_not() -> None:
    room = MAX_DEPTH - 3  # the message, its params, their arguments
    assert parse(call('{"a":' + "[" * room + "]" * room + "}"))
    refused(call('{"a":' + "[" * (room + 1) + "]" * (room + 1) + "}"))
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"a":%b}}'
    assert parse(answer % (b"[" * (room + 1) + b"]" * (room + 1)), "server")
    refused(answer % (b"[" * (room + 2) + b"]" * (room + 2)), "server")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b"[" + message(id=1, method="ping") + b"]",
        b"\xef\xbb\xbf" + message(id=1, method="ping"),
        message(id=1, method="ping").decode().encode("utf-16"),
        message(id=1, method="ping") + b"x",
        message(id=1, method="ping") + message(id=2, method="ping"),
        message(id=1, method="p\xe9").decode("unicode_escape").encode("latin-1"),
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"\xed\xa0\x80"}}',
    ],
)
def test_what_is_not_one_json_object_in_utf_8_is_refused(line: bytes) -> None:
    assert refused(line).id is None


@pytest.mark.parametrize("id", [None, True, False, 1.5, 1.0, 2**53, -(2**53), 10**400, [], {}, "x" * 257])
def test_an_id_that_two_readers_could_take_for_different_ones_is_refused(id: Any) -> None:
    assert refused(message(id=id, method="tools/call", params={})).id is None
    refused(message(id=id, result={}), "server")


@pytest.mark.parametrize("id", [0, -1, 7, "7", "", 2**53 - 1, "x" * 256])
def test_an_id_that_is_certain_is_kept_with_its_type_and_told_with_a_refusal(id: Any) -> None:
    assert same(parse(message(id=id, method="ping"))["id"], id)
    assert same(refused(message(id=id, method="ping", params=[])).id, id)


@pytest.mark.parametrize(
    "members",
    [
        {"method": "tools/call", "params": {}},  # no id: it would pass for a notification
        {"method": "initialize"},
        {"method": "Notifications/initialized"},
        {"id": 1},
        {"id": 1, "method": ""},
        {"id": 1, "method": None},
        {"id": 1, "method": ["tools/call"]},
        {"id": 1, "method": "m", "params": None},
        {"id": 1, "method": "m", "params": []},
        {"id": 1, "method": "m", "result": {}},
        {"id": 1, "method": "m", "error": {}},
        {"id": 1, "method": "m", "Method": "n"},
        {"id": 1, "method": "m", "extra": 1},
        {"id": 1, "result": {}, "error": {}},
        {"id": 1, "result": {}, "params": {}},
        {"id": 1, "result": []},
        {"id": 1, "result": None},
        {"id": 1, "error": "text"},
        {"result": {}},
        {"id": 1, "jsonrpc": "1.0", "method": "m"},
        {"id": 1, "jsonrpc": 2.0, "method": "m"},
    ],
)
def test_an_envelope_that_is_not_exactly_a_call_or_an_answer_is_refused(members: dict[str, Any]) -> None:
    refused(message(**members))
    refused(message(**members), "server")


def test_an_id_beside_one_in_other_case_is_not_certain() -> None:
    assert refused(message(id=1, Id=2, method="ping")).id is None
    assert refused(message(id=1, method="ping", METHOD="x")).id == 1


def test_a_message_without_a_version_is_refused() -> None:
    refused(b'{"id":1,"method":"ping"}')


def test_case_variants_are_refused_from_a_client_and_pass_as_data_from_a_server() -> None:
    line = message(id=1, result={"structuredContent": {"a": 1, "A": 2}})
    refused(line)
    assert parse(line, "server")["result"]["structuredContent"] == {"a": 1, "A": 2}
    refused(message(id=1, result={}, Result={}), "server")


def test_white_space_and_a_carriage_return_around_a_message_are_not_part_of_it() -> None:
    assert parse(b" \t" + message(id=1, method="ping") + b" \r")["id"] == 1


def test_a_refusal_never_quotes_the_input() -> None:
    for arguments in (
        '{"hunter2":1,"hunter2":2}',
        '{"a":hunter2}',
        '{"a":"hunter2\\ud800"}',
        '{"hunter2":1,"HUNTER2":1}',
    ):
        assert "hunter2" not in str(refused(call(arguments))).lower()


@pytest.mark.parametrize("unit", ['"a\\u0041",', "1e5,", "12345678901234567890123,", "[],", '{"a":1},', '"\\\\",'])
def test_parsing_takes_time_linear_in_the_size(unit: str) -> None:
    lines = {count: call('{"a":[' + unit * count + "0]}") for count in (1_500, 48_000)}
    assert linear(lambda count: parse(lines[count]), 1_500)


# --- bytes of a value


def jcs(value: Any) -> str:
    """RFC 8785 said a second time: ECMAScript's rules for text and the order of UTF-16 code units."""
    if isinstance(value, dict):
        order = sorted(
            value, key=lambda key: struct.unpack(f">{len(key.encode('utf-16-be')) // 2}H", key.encode("utf-16-be"))
        )
        return "{" + ",".join(f"{jcs(key)}:{jcs(value[key])}" for key in order) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    if isinstance(value, str):
        short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
        return '"' + "".join(short.get(ord(c)) or (f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in value) + '"'
    return str(value) if type(value) is int else {None: "null", True: "true", False: "false"}[value]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    [
        "\ufb33",
        "\U0001f600",
        "\ufffd",
        "\U00010000",
        "\x7f",
        "\x1f",
        "\u2028",
        "a",
        "A",
        "",
        "\r",
        "</script>",
        "\x80",
        "\u00f6",
    ]
)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=12,
)


@given(plain_values, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_canonical_bytes_are_those_of_the_rfc_whatever_the_order_of_keys(value: Any, rng: random.Random) -> None:
    def shuffled(item: Any) -> Any:
        if isinstance(item, dict):
            keys = list(item)
            rng.shuffle(keys)
            return {key: shuffled(item[key]) for key in keys}
        return [shuffled(inner) for inner in item] if isinstance(item, list) else item

    assert canonical(value) == jcs(value).encode()
    assert canonical(shuffled(value)) == canonical(value)


@pytest.mark.parametrize(
    ("bits", "text"),
    [  # RFC 8785, appendix B
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_a_number_has_the_form_of_the_rfc(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number).decode() == text
    assert canonical({"a": [number]}).decode() == f'{{"a":[{text}]}}'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_form_of_a_number_leads_back_to_it(number: float) -> None:
    assert float(canonical(number)) == number


def test_numbers_that_are_equal_share_a_digest_and_wide_ones_that_differ_do_not() -> None:
    assert digest([1]) == digest([1.0])
    assert digest([2**53 + 1]) != digest([2**53])
    assert digest([2**64]) != digest([2**64 + 1])
    assert digest([1]) != digest([True]) != digest(["1"])


def test_what_is_no_json_number_has_no_canonical_bytes() -> None:
    for number in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="not a JSON number"):
            canonical({"a": [number]})


@given(st.binary(min_size=1, max_size=200), values)
def test_a_keyed_digest_is_the_hmac_of_the_canonical_bytes_under_any_key(key: bytes, value: Any) -> None:
    assert keyed_digest(key, value) == hmac.digest(key, canonical(value), "sha256").hex()


@given(values, values)
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_two_values_share_a_keyed_digest_exactly_when_they_are_equal(left: Any, right: Any) -> None:
    assert (keyed_digest(KEY, left) == keyed_digest(KEY, right)) == (canonical(left) == canonical(right))
    assert keyed_digest(KEY, left) != keyed_digest(b"other" * 8, left)


@given(
    st.dictionaries(st.sampled_from(["path", "n", "xs"]), values), st.text("0123456789abcdef", min_size=12, max_size=12)
)
def test_a_shape_has_no_value_and_no_name_that_the_schema_does_not_have(arguments: dict[str, Any], secret: str) -> None:
    arguments = {**arguments, "path": secret, "xs": [secret], secret: 1, "more": {secret: secret}}
    found = shape(arguments, {"path", "xs"})
    assert secret not in json.dumps(found)
    assert found["path"] == "text:12"
    assert found["xs"] == "list:1"
    assert found["*"].split()[0] == str(len(arguments) - 2)


def test_a_shape_tells_types_apart() -> None:
    arguments = {"a": True, "b": 1, "c": 1.5, "d": None, "e": "xyz", "f": [1], "g": {"x": 1}}
    assert shape(arguments, arguments) == {
        "a": "boolean",
        "b": "number",
        "c": "number",
        "d": "null",
        "e": "text:3",
        "f": "list:1",
        "g": "object:1",
    }
