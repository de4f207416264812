"""Bytes to one strict JSON-RPC message or a refusal, and back; canonical bytes, shape and keyed digest of a value.

Core. This is the first thing that a line from either side meets, before any dispatcher. What two parsers could read
differently is refused and never repaired: whoever reads `{"name": "a", "name": "b"}` as `a` while a server reads it as
`b` has judged another call than the one that happens. What is accepted is sent on re-serialised from the value that
was judged (law 1), never as the bytes that came in.
"""

from __future__ import annotations

import gc
import hashlib
import hmac
import json
import math
import re
import sys
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeVar

import orjson

from mcp_guard.errors import Malformed

MAX_LINE = 16 << 20
"""Bytes in one message, by default. A longer one is refused by the framing, before it is parsed."""
MAX_DEPTH = 64
"""Nested arrays and objects in one message."""
MAX_DIGITS = 400
"""Digits of one number: converting thousands of them costs quadratic time."""
MAX_ID = 256
"""Characters of a request id."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

Side = Literal["client", "server"]
Read = TypeVar("Read")

_ENVELOPE = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_LONG = 256 << 10
_SAFE_INTEGER = 2**53
_LARGEST = int(sys.float_info.max)


def parse(line: bytes, side: Side = "client") -> dict[str, Any]:
    """One message as raw dicts, or `Malformed`.

    `side` says who sent it. From a client, keys that differ only in case are refused at any depth (a server that folds
    case would read another argument than the one that was judged); from a server only on the envelope, since the rest
    is data that the client reads.

    Accepted bytes lose nothing: `orjson` is trusted exactly when it gives back the same bytes, and the standard
    library's parser with refusing hooks decides about the others (white space, escapes, wide integers).
    """
    value = _strict_value(line)
    if type(value) is not dict:
        raise Malformed("a message must be one JSON object: no batch, no bare value")
    request_id = _certain_id(value)
    if not _plain(value, MAX_DEPTH, folded=True, everywhere=side == "client"):
        raise Malformed("keys that differ only in case, or nesting that is too deep", id=request_id)
    problem = _envelope_problem(value)
    if problem:
        raise Malformed(problem, id=request_id)
    return value


def parse_arguments(text: str) -> dict[str, Any]:
    """A tool's arguments as a person typed them, under the rules of `parse`."""
    try:
        value = _strict_value(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise Malformed("text that is not Unicode", code=PARSE_ERROR) from error
    if type(value) is not dict or not _plain(value, MAX_DEPTH, everywhere=True):
        raise Malformed("arguments are one JSON object, without keys that differ only in case")
    return value


def uncollected(size: int, read: Callable[[], Read]) -> Read:
    """What `read` makes of so many bytes, without the garbage collector going through it again and again meanwhile.

    Millions of empty lists would take it ten times as long as reading them, and everybody waits for that.
    """
    if size < _LONG or not gc.isenabled():
        return read()
    gc.disable()
    try:
        return read()
    finally:
        gc.enable()


def _strict_value(line: bytes) -> Any:
    return _strictly(line) if len(line) < _LONG else uncollected(len(line), lambda: _strictly(line))


def _strictly(line: bytes) -> Any:
    try:
        value = orjson.loads(line)
        if orjson.dumps(value) == line:  # equal bytes: nothing was dropped, merged or rounded
            return value
    except (ValueError, TypeError, RecursionError):
        pass
    try:
        value = json.loads(
            line.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_bounded_int,
        )
        serialize(value)  # a lone surrogate survives parsing and has no bytes
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON in UTF-8", code=PARSE_ERROR) from error
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("an object names one key twice")
    return value


def _no_constant(_: str) -> Any:
    raise Malformed("NaN and infinities are not JSON", code=PARSE_ERROR)


def _finite(text: str) -> float:
    if len(text) > MAX_DIGITS:
        raise Malformed("a number has too many digits")
    number = float(text)
    if not math.isfinite(number):  # 1e400: valid JSON, and infinity to most readers
        raise Malformed("a number is out of range")
    return number


def _bounded_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Malformed("a number has too many digits")
    number = int(text)
    if abs(number) > _LARGEST:  # infinity to a reader that has doubles only, as 1e400 is
        raise Malformed("a number is out of range")
    return number


def _plain(value: dict[str, Any], depth: int, *, folded: bool = True, everywhere: bool = True) -> bool:
    """No more than `depth` levels of arrays and objects, and no keys that are the same but for case: in this object
    (`folded`), and below it (`everywhere`)."""
    level: list[Any] = [value]
    while level:  # one level after the other: a call for every object would cost more than the look at it
        if depth <= 0:
            return False
        below: list[Any] = []
        for item in level:
            values: Any = item
            if type(item) is dict:
                if folded and len(item) > 1 and len({key.casefold() for key in item}) != len(item):
                    return False
                values = item.values()
            for inner in values:
                kind = type(inner)
                if (kind is dict or kind is list) and (inner or depth <= 1):  # millions of empty ones need no look
                    below.append(inner)
        level, folded, depth = below, everywhere, depth - 1
    return True


_ANSWER = re.compile(
    rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*([0-9]{1,16})\s*,'
    rb'\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"(?:result|error)"'
)


def answered_id(line: bytes) -> int | None:
    """Which request of ours a malformed line of a server was meant to answer; None if it doesn't look like an answer.

    Read leniently, and good for one thing only: to tell the caller that no usable answer will come.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        found = _ANSWER.match(line)
        return int(found[1]) if found else None
    if type(value) is not dict or "method" in value or not value.keys() & {"result", "error"}:
        return None
    return value.get("id") if type(value.get("id")) is int else None


def valid_id(value: Any) -> bool:
    """May `value` be the id of a request? Text or a whole number; no null, fraction or boolean."""
    if type(value) is int:
        return -_SAFE_INTEGER < value < _SAFE_INTEGER
    return type(value) is str and len(value) <= MAX_ID


def _certain_id(message: dict[str, Any]) -> int | str | None:
    value = message.get("id")
    if not valid_id(value) or "method" not in message:
        return None
    return None if any(key != "id" and key.casefold() == "id" for key in message) else value


def _envelope_problem(message: dict[str, Any]) -> str:
    """Why this object is no message; empty if it is one."""
    if message.get("jsonrpc") != "2.0":
        return "`jsonrpc` must be `2.0`"
    if not message.keys() <= _ENVELOPE:
        return "an unknown member stands beside `method` and `params`"
    if "id" in message and not valid_id(message["id"]):
        return "an id must be text or a whole number"
    if "method" in message:
        return _call_problem(message)
    if "params" in message:
        return "a response has no `params`"
    if ("result" in message) == ("error" in message):
        return "a response has either `result` or `error`"
    if "id" not in message:
        return "a response needs an id"
    answer = message.get("result", message.get("error"))
    return "" if type(answer) is dict else "`result` and `error` must be objects"


def _call_problem(message: dict[str, Any]) -> str:
    method = message["method"]
    if type(method) is not str or not method:
        return "`method` must be text"
    if "result" in message or "error" in message:
        return "a request has neither `result` nor `error`"
    if "params" in message and type(message["params"]) is not dict:
        return "`params` must be an object"
    if "id" not in message and not method.startswith("notifications/"):
        return "a request needs an id"  # a `tools/call` without one would slip by as a notification
    return ""


def serialize(value: Any) -> bytes:
    """The bytes of a value, without a line end. Raises `Malformed` for text that has no UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        try:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
        except (ValueError, RecursionError) as error:
            raise Malformed("text that is not Unicode", code=PARSE_ERROR) from error


def canonical(value: Any) -> bytes:
    """Equal bytes for equal JSON values: RFC 8785 (JCS).

    One addition: a whole number beyond 2^53 keeps all its digits, so that two different ones never share a digest.
    """
    if _is_written_alike(value):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # integers beyond 64 bits, lone surrogates
            pass
    return _canonical(value).encode("utf-8")


def _is_written_alike(value: Any) -> bool:
    """Does `orjson` write it as the RFC does? Not a float (nor NaN, which has no canonical bytes), nor names beyond
    ASCII, which the RFC sorts by UTF-16 units; and of what else it can write, the RFC says nothing.

    Looking through the value instead of through its bytes makes a long text cost as little as a short one.
    """
    stack = [[value]]
    while stack:
        parts: Any = stack.pop()
        if type(parts) is dict:
            for name in parts:
                if type(name) is not str or not name.isascii():
                    return False
            parts = parts.values()
        for part in parts:
            kind = type(part)
            if kind is str or kind is int:
                continue
            if kind is dict or kind is list:
                stack.append(part)
            elif part is not None and kind is not bool:
                return False
    return True


def _canonical(value: Any) -> str:
    if isinstance(value, Mapping):
        members = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_text(key)}:{_canonical(inner)}" for key, inner in members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_canonical(inner) for inner in value) + "]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """ECMAScript's shortest form, as RFC 8785 section 3.2.2.3 asks."""
    if not math.isfinite(value):
        raise ValueError("not a JSON number")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + ("" if fraction == "0" else fraction)).lstrip("0")
    point = len(whole.lstrip("0")) if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0")))
    point += int(exponent or 0)
    digits = digits.rstrip("0") or "0"
    return sign + _place(digits, point)


def _place(digits: str, point: int) -> str:
    """`digits` with the decimal point after `point` of them (Number::toString of ECMA-262)."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = point - 1
    mantissa = digits if count == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{'+' if exponent > 0 else '-'}{abs(exponent)}"


def keyed_digest(key: bytes, value: Any) -> str:
    """HMAC-SHA-256 of the canonical bytes, in hex: says that two calls were the same, and not what they carried."""
    mac = _keyed(key).copy()  # beginning anew takes longer than all the rest
    mac.update(canonical(value))
    return mac.hexdigest()


@lru_cache(maxsize=16)
def _keyed(key: bytes) -> hmac.HMAC:
    """Of the records of this process: one, or the few that a command reads."""
    return hmac.new(key, digestmod="sha256")


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, in hex. For what is no secret: documents, descriptors."""
    return hashlib.sha256(canonical(value)).hexdigest()


def shape(arguments: Mapping[str, Any], known: Collection[str]) -> dict[str, str]:
    """Names, types and sizes of arguments, without a value (law 8).

    Only names that the tool's schema has are kept: a model can put a secret into a name too. The others are counted
    under `*`.
    """
    kept = {name: _kind(value) for name, value in arguments.items() if name in known}
    others = len(arguments) - len(kept)
    if others:
        kept["*"] = f"{others} other{'s' if others > 1 else ''}"
    return kept


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return f"text:{len(value)}"
        case list():
            return f"list:{len(value)}"
        case _:
            return f"object:{len(value)}"
