"""What an entry can say: a closed list of kinds, bounded texts, and no value of an argument."""

from __future__ import annotations

import ast
import dataclasses
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mcp_guard
from mcp_guard.model import Call, Charge, Decision, Effect, Kind, Outcome, Reason, RuleRef
from mcp_guard.record import entries
from mcp_guard.record.entries import EntryKind, Request, bounded, bounded_text, canonical
from mcp_guard.record.usage import UsageView
from mcp_guard.record.verify import verify
from tests.record.examples import PAY, allow, bodies, deny, open_record, request

SECRET = "hunter2-4111111111111111"


def test_every_kind_of_entry_says_what_it_is_for() -> None:
    tree = ast.parse(Path(entries.__file__).read_text())
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "EntryKind").body
    named = [
        node.targets[0].id for node in body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ]
    pairs = pairwise(body)
    explained = [now for now, then in pairs if isinstance(now, ast.Assign) and isinstance(then, ast.Expr)]
    assert named == [kind.name for kind in EntryKind]
    assert len(explained) == len(named)


def test_every_note_in_the_package_is_of_a_listed_kind() -> None:
    root = Path(mcp_guard.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "note":
                kind = node.args[0] if node.args else None
                if isinstance(kind, ast.Constant):
                    assert kind.value in {kind.value for kind in entries.NOTES}, f"{path}:{node.lineno}"


@pytest.mark.parametrize("kind", ["gossip", "", "decision", "outcome", "opened", "first_sight", "first_use", "pinned"])
def test_a_kind_that_is_not_listed_for_notes_is_not_written(tmp_path: Path, kind: str) -> None:
    with open_record(tmp_path) as record:
        with pytest.raises(ValueError, match=kind or "valid"):
            record.note(kind, {})
        assert len(bodies(record.directory)) == 1


@pytest.mark.parametrize("kind", sorted(entries.NOTES))
def test_each_listed_note_is_written(tmp_path: Path, kind: EntryKind) -> None:
    with open_record(tmp_path) as record:
        record.note(kind, {"server": "bank"})
        written = orjson.loads(bodies(record.directory)[-1])
    assert (written["kind"], written["data"]) == (kind.value, {"server": "bank"})


def test_a_request_has_no_place_for_arguments() -> None:
    assert [field.name for field in dataclasses.fields(Request)] == [
        "principal",
        "session",
        "method",
        "server",
        "target",
        "kind",
        "shape",
        "digest",
        "authority_digest",
        "client",
        "values",
        "habits",
    ]


def test_no_value_that_was_judged_is_in_any_file_of_the_record(tmp_path: Path) -> None:
    call = Call("alice", "tools/call", "bank", "login", {"name": "login", "arguments": {"password": SECRET}})

    def judge(facts: UsageView) -> Decision:
        assert call.arguments["password"] == SECRET
        return Decision(Effect.ALLOW, rules=(PAY,), charges=(Charge(PAY.key, 1, {"amount": Decimal(1)}),))

    asked = request(server=call.server, target=call.target, shape={"password": "string"}, digest="d" * 64)
    with open_record(tmp_path) as record:
        record.finish(record.step(asked, judge), Outcome.OK, duration_ms=1)
        record.refuse(asked, Decision(Effect.DENY, Reason.MALFORMED))
        stored = b"".join(path.read_bytes() for path in record.directory.iterdir())
    assert SECRET.encode() not in stored
    assert b'"password":"string"' in stored  # the bytes that were searched are those of the entry


@pytest.mark.parametrize("field", ["principal", "method", "server", "target", "digest", "authority_digest", "client"])
def test_no_text_of_a_request_can_fill_the_disk(field: str) -> None:
    kept = getattr(request(**{field: "x" * 10_000_000}), field)
    assert len(kept) == 256
    assert kept.endswith("…[10000000 characters]")


@pytest.mark.parametrize("session", ["", "x" * 257, "a\nb", "é"])
def test_a_session_is_never_cut_or_repaired(tmp_path: Path, session: str) -> None:
    with pytest.raises(ValueError, match="session"):
        request(session=session)
    with pytest.raises(ValueError, match="session"):
        open_record(tmp_path, session=session)


@pytest.mark.parametrize(
    "shape",
    [
        {"x" * 10_000: "string"},
        {f"argument{n}": "string" for n in range(1000)},
        {"n": 2**70},
        {"\ud800": "string"},
    ],
)
def test_a_shape_that_is_too_much_is_left_out_and_the_call_still_recorded(tmp_path: Path, shape: Any) -> None:
    with open_record(tmp_path) as record:
        record.step(request(shape=shape), deny)
        written = bodies(record.directory)[-1]
    assert len(written) < 1000
    assert list(orjson.loads(written)["shape"]) == ["left_out"]


def test_a_shape_nested_beyond_all_reason_is_left_out(tmp_path: Path) -> None:
    shape: dict[str, Any] = {}
    for _ in range(1000):
        shape = {"a": shape}
    with open_record(tmp_path) as record:
        record.step(request(shape=shape), deny)
        assert orjson.loads(bodies(record.directory)[-1])["shape"] == {"left_out": "no plain JSON"}


def test_odd_text_from_a_client_is_stored_and_verifies(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(target="a\x00b\x1b[31m\u202e\ud800ü"), deny)
        assert orjson.loads(bodies(record.directory)[-1])["target"] == "a\x00b\x1b[31m\u202e\\ud800ü"
        assert verify(record.directory) == []


def test_the_words_of_a_decision_are_bounded_too(tmp_path: Path) -> None:
    long, rule = "y" * 5000, RuleRef("policy", "z" * 5000, Effect.DENY, "f" * 5000, 1, 1)
    wordy = Decision(Effect.DENY, Reason.DENIED, (rule,) * 5000, (), (long,) * 5000, (long,) * 5000, long)
    with open_record(tmp_path) as record:
        record.refuse(request(), wordy)
        written = orjson.loads(bodies(record.directory)[-1])
    assert {len(written[name]) for name in ("rules", "advice", "permitted")} == {256}
    assert {len(text) for text in [*written["advice"], *written["permitted"], written["detail"]]} == {256}
    assert {len(text) for rule in written["rules"] for text in (rule["key"], rule["at"])} == {256}


def test_a_note_is_bounded_whatever_a_server_says(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.note("withheld", {"tools": [f"tool{n}" for n in range(100_000)]})
        record.note("withheld", {f"{n}": ["x" * 5000] * 5000 for n in range(300)})
        first, second = map(orjson.loads, bodies(record.directory)[-2:])
    assert first["data"]["tools"][254:] == ["tool254", "tool255", "… 99744 more"]
    assert second["data"] == {"left_out": "more than 65536 bytes"}


json_like = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.one_of(st.text(), st.integers()), inner), st.frozensets(st.text())
    ),
    max_leaves=20,
)


@given(json_like)
def test_whatever_a_note_is_given_becomes_canonical_json_without_floats(value: Any) -> None:
    kept = bounded(value)
    text = canonical({"data": kept})
    assert canonical(orjson.loads(text)) == text
    assert not any(isinstance(leaf, float) for leaf in _leaves(kept))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]


@given(st.text(st.characters(), max_size=600))
def test_a_bounded_text_is_short_and_stays_so(text: str) -> None:
    kept = bounded_text(text)
    assert len(kept) <= 256
    assert bounded_text(kept) == kept
    kept.encode()


def test_the_kind_of_the_target_is_kept(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(kind=Kind.RESOURCE), allow())
        assert orjson.loads(bodies(record.directory)[-1])["target_kind"] == "resource"
