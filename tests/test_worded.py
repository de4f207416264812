"""What of a request counts as named by its client: everything but the protocol's own names in their own places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.eras import CLIENT_CAPABILITIES_KEY, CLIENT_INFO_KEY, REVISION_KEY
from mcp_guard.protection import _PLAIN_PATH, Protection
from mcp_guard.spellings import may_address, spellings
from mcp_guard.worded import worded

OURS = ("name", "arguments", "_meta", "version", REVISION_KEY, CLIENT_INFO_KEY, CLIENT_CAPABILITIES_KEY)
NAMES = st.sampled_from(OURS) | st.text(max_size=4)
VALUES = st.recursive(NAMES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


def texts(value: Any) -> list[str]:
    """Every text in a value, names included."""
    if isinstance(value, dict):
        return [text for name, one in value.items() for text in (name, *texts(one))]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value]


@given(st.dictionaries(NAMES, VALUES), VALUES, VALUES)
def test_every_text_is_worded_by_the_client_unless_it_is_a_name_of_the_protocol_in_its_place(
    rest: dict[str, Any], meta: Any, info: Any
) -> None:
    if isinstance(meta, dict):
        meta = {**meta, CLIENT_INFO_KEY: info}
    params = {**rest, "_meta": meta}
    said = texts(worded(params))
    left_out = list(texts(params))
    for text in said:
        left_out.remove(text)  # raises where something is said that isn't there
    places = [*params, *(meta if isinstance(meta, dict) else ())]
    places += info if isinstance(meta, dict) and isinstance(info, dict) else ()
    for text in left_out:
        assert text in OURS
        places.remove(text)  # each is left out once for its place, and as a value never
    assert {"arguments", REVISION_KEY} <= set(texts(worded({"arguments": {"arguments": REVISION_KEY}})))


@given(st.from_regex(_PLAIN_PATH, fullmatch=True))
def test_a_plain_path_has_one_spelling_and_no_port(path: str) -> None:
    assert list(spellings(path)) == [path]
    assert not may_address(path)


def test_a_name_of_the_protocol_that_leads_to_the_guards_own_may_not_be_given_as_a_value(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("x")
    (tmp_path / "io.modelcontextprotocol").mkdir()
    for name in ("name", CLIENT_INFO_KEY):
        (tmp_path / name).symlink_to(tmp_path / "policy.yaml")
    protection = Protection([str(tmp_path / "policy.yaml")], [str(tmp_path)])
    for name in ("name", CLIENT_INFO_KEY):
        assert protection.named_by(worded({"name": "read", "arguments": {"path": name}}))
        assert protection.named_by(worded({"name": "read", "arguments": {name: "x"}}))
        assert protection.named_by(worded({"name": "read", "_meta": {"x": {name: "y"}}}))
    assert not protection.named_by(worded({"name": "read", "arguments": {}, "_meta": {CLIENT_INFO_KEY: {}}}))
