"""Documents that must not load: each ends in exactly one `InputError` that says where, and how to mend it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.config import load_config
from mcp_guard.errors import InputError
from mcp_guard.policy.document import bytes_of, load_mandate, load_policy
from mcp_guard.policy.yaml_source import MAX_BYTES, read_yaml
from tests.policy.bad import CASES, load
from tests.policy.bad.derived import derived
from tests.policy.bad.starts import G
from tests.policy.bad.traps import YAML_TRAPS
from tests.policy.test_document import EXAMPLE_MANDATE, EXAMPLE_POLICY

PLACE = re.compile(r"\(doc\.yaml:(\d+):(\d+)\)")
WAY_OUT = re.compile(r"\(doc\.yaml:\d+:\d+\); .{4}")
JARGON = re.compile(
    r"pydantic|Input should|validation error|Extra inputs|type=|NoneType|Traceback|errors\.pydantic", re.I
)


@pytest.mark.parametrize(("kind", "text", "where", "piece"), CASES, ids=range(len(CASES)))
def test_a_bad_document_is_refused_with_its_place_and_a_way_out(
    kind: Literal["policy", "mandate"], text: str | bytes, where: str, piece: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(kind, text)
    message = str(caught.value)
    places = PLACE.findall(message)
    assert len(places) == 1, message
    assert piece in message
    assert where in ("", ":".join(places[0])), message
    assert not JARGON.search(message), message
    assert "\n" not in message
    assert len(message) < 600
    assert WAY_OUT.search(message), message


@pytest.mark.parametrize("text", [text for text, _, _ in YAML_TRAPS], ids=range(len(YAML_TRAPS)))
def test_without_libyaml_the_same_traps_are_refused(text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(InputError, match=PLACE):
        read_yaml(data, "doc.yaml", loader=yaml.SafeLoader)


@pytest.mark.parametrize(("kind", "good"), [("policy", EXAMPLE_POLICY), ("mandate", EXAMPLE_MANDATE)])
def test_every_slip_in_a_good_document_is_refused_with_its_place_or_means_what_it_says(
    kind: Literal["policy", "mandate"], good: str
) -> None:
    refused = []
    for what, text in derived(good):
        try:
            load(kind, text)
        except InputError as error:
            refused.append(what)
            said = str(error)
            assert len(PLACE.findall(said)) == 1 and WAY_OUT.search(said) and not JARGON.search(said), (what, said)
    assert len(refused) > 300


def test_an_error_stays_short_however_many_names_a_document_has() -> None:
    grants = "".join(f"  - {{id: a{number}, tool: s/t, args: any}}\n" for number in range(3000))
    with pytest.raises(InputError, match=r"there is no grant `zzzz`.* and 2970 more") as caught:
        load("policy", f"version: 1\ngrants:\n{grants}deny: [{{id: d, tool: s/t, after: zzzz}}]\n")
    assert len(str(caught.value)) < 600


class Unread:
    """A parser that nobody may ask."""

    def __init__(self, stream: object) -> None:
        raise AssertionError("it was parsed")


def test_a_document_of_ten_megabytes_is_refused_before_it_is_read_or_parsed(tmp_path: Path) -> None:
    data = b"version: 1\n" + b"# more of the same\n" * 600_000
    assert len(data) > 10_000_000
    with pytest.raises(InputError, match=r"more than 1000000 bytes \(doc\.yaml:1:1\); split it"):
        read_yaml(data, "doc.yaml", loader=Unread)
    file = tmp_path / "doc.yaml"
    file.write_bytes(data)
    for load_file in (load_policy, load_mandate, load_config):
        with pytest.raises(InputError, match="more than 1000000 bytes"):
            load_file(file)
    assert len(bytes_of(file)) == MAX_BYTES + 1


def test_there_are_at_least_300_bad_documents_of_which_no_two_are_the_same() -> None:
    assert len({(kind, text) for kind, text, _, _ in CASES}) == len(CASES) >= 300


def test_the_error_reads_as_promised() -> None:
    text = "version: 1\ngrants:\n  - id: read-src\n    tool: s/t\n    args: any\n    efect: read\n"
    with pytest.raises(InputError) as caught:
        load("policy", text)
    assert str(caught.value) == "unknown key `efect` in grant `read-src` (doc.yaml:6:5); did you mean `effect`?"


def test_of_several_errors_the_first_in_reading_order_is_said() -> None:
    with pytest.raises(InputError, match=r"doc\.yaml:3:24"):
        load("policy", G + "{id: a, tool: s/t, zzz: 1, args: any}\n  - {id: B, tool: s/t, args: any}\nxyz: 1\n")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([EXAMPLE_POLICY, EXAMPLE_MANDATE]), st.data())
def test_a_mutilated_document_loads_or_says_where_it_is_wrong(good: str, data: st.DataObject) -> None:
    text = good
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + cut :]
    kind: Literal["policy", "mandate"] = "mandate" if good is EXAMPLE_MANDATE else "policy"
    expect_loaded_or_placed(kind, text.encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_load_or_say_where_they_are_wrong(data: bytes) -> None:
    expect_loaded_or_placed("policy", b"version: 1\n" + data)


PIECES = [
    "",
    " ",
    "\n",
    "\t",
    ":",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "*",
    "&a",
    "!",
    "~",
    "null",
    "any",
    "1e999",
    "$x",
]
PIECES += [
    "'",
    '"',
    "|",
    ">",
    "#",
    "%",
    "@",
    "?",
    "\r",
    "\x85",
    "\u2028",
    "\ufeff",
    "é",
    "😀",
    "0x1",
    "<<: ",
    "---\n",
    "no",
]


def expect_loaded_or_placed(kind: Literal["policy", "mandate"], data: bytes) -> None:
    said = ""
    try:
        load(kind, data)
    except InputError as error:
        said = str(error)
    assert not said or (len(PLACE.findall(said)) == 1 and not JARGON.search(said)), said
