"""What of a server's listing can be used at all, under which name, and how its schemas check arguments."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.catalog import Listing, Tool, Validator, compile_schema, index, list_tools
from mcp_guard.model import EffectClass
from tests.growth import moderate

OBJECT = {"type": "object"}


def tool(name: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": OBJECT, **more}


def listed(*descriptors: Any, server: str = "files", prefixed: bool = True) -> Listing:
    return list_tools(server, descriptors, prefixed=prefixed, frame={})


def check(schema: Any) -> Validator:
    validator, why = compile_schema(schema)
    assert validator is not None, why
    return validator


def unusable(schema: Any) -> str:
    validator, why = compile_schema(schema)
    assert validator is None
    assert why
    return why


# --- names


def test_a_tool_is_exposed_under_its_server_and_keeps_its_own_name_in_wrap() -> None:
    assert [t.exposed for t in listed(tool("read")).tools] == ["files__read"]
    assert [t.exposed for t in listed(tool("read.it"), prefixed=False).tools] == ["read.it"]


@pytest.mark.parametrize(
    "name",
    ["", None, 5, ["read"], "r\u0435ad", "re ad", "read\n", "read\0", "a/b", "a.b", "\u202eread", "n" * 58, "\u017f"],
)
def test_a_name_that_clients_cannot_say_is_withheld_and_the_rest_goes_on(name: Any) -> None:
    found = listed(tool(name), tool("good"))
    assert [t.name for t in found.tools] == ["good"]
    assert len(found.withheld) == 1


def test_the_longest_name_that_clients_can_say_is_listed() -> None:
    assert listed(tool("n" * 57)).tools
    assert listed(tool("n" * 128), prefixed=False).tools
    assert listed(tool("n" * 129), prefixed=False).withheld


@pytest.mark.parametrize("again", ["read", "READ", "Read"])
def test_a_name_that_is_listed_twice_or_again_in_other_case_means_neither(again: str) -> None:
    found = listed(tool("read", description="one"), tool(again, description="two"), tool("write"))
    assert [t.name for t in found.tools] == ["write"]
    assert [w.name for w in found.withheld] == ["read", again]
    assert found.names == {"read", again, "write"}


@pytest.mark.parametrize("descriptor", [None, 1, "read", [], ["name", "read"], {}, {"inputSchema": OBJECT}])
def test_what_is_no_descriptor_is_withheld(descriptor: Any) -> None:
    found = listed(descriptor, tool("good"))
    assert [t.name for t in found.tools] == ["good"]
    assert found.withheld[0].name == "(no name)"


def test_a_tool_without_a_usable_schema_is_withheld() -> None:
    found = listed({"name": "bare"}, tool("odd", inputSchema={"type": "strange"}), tool("good"))
    assert [t.name for t in found.tools] == ["good"]
    assert all(w.why for w in found.withheld)


def test_a_name_that_two_servers_make_alike_means_neither() -> None:
    first = listed(tool("b__c"), tool("x"), server="a")
    second = listed(tool("c"), tool("y"), server="a__b")
    tools, shared = index([first, second])
    assert sorted(tools) == ["a__b__y", "a__x"]
    assert {(w.server, w.name) for w in shared} == {("a", "b__c"), ("a__b", "c")}


def test_names_of_two_servers_that_differ_only_in_case_mean_neither() -> None:
    tools, shared = index([listed(tool("READ"), server="a"), listed(tool("read"), server="A")])
    assert tools == {}
    assert len(shared) == 2


def test_descriptors_are_kept_as_they_are() -> None:
    descriptor = tool("read", annotations={"x": 1}, unknown=[None, 2**70])
    before = json.dumps(descriptor)
    assert listed(descriptor).tools[0].descriptor is descriptor
    assert json.dumps(descriptor) == before


@pytest.mark.parametrize(
    ("annotations", "added"),
    [
        (None, set()),
        ("readOnlyHint", set()),
        ({"readOnlyHint": True}, set()),
        ({"readOnlyHint": "false", "destructiveHint": 1}, set()),
        ({"readOnlyHint": False}, {EffectClass.WRITE}),
        ({"destructiveHint": True}, {EffectClass.DESTRUCTIVE}),
        ({"openWorldHint": True, "readOnlyHint": True}, {EffectClass.EGRESS}),
    ],
)
def test_annotations_only_add_effects(annotations: Any, added: set[EffectClass]) -> None:
    assert listed(tool("t", annotations=annotations)).tools[0].added_effects == added


def test_only_properties_of_the_schema_are_argument_names() -> None:
    def names(schema: dict[str, Any]) -> Any:
        return Tool("s", "t", "t", {"inputSchema": schema}, lambda _: None).argument_names

    assert list(names({"properties": {"a": {}}})) == ["a"]
    assert list(names({"properties": ["a"]})) == []


# --- schemas


def test_arguments_are_checked_against_the_schema_as_the_server_wrote_it() -> None:
    validate = check({"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}, "required": ["n"]})
    assert validate({"n": 5}) is None
    assert validate({"n": 6}) == "`n` does not fit the tool's inputSchema (`maximum`)"
    assert validate({}) == "`arguments` does not fit the tool's inputSchema (`required`)"
    assert validate({"n": "5"})
    assert validate({"n": True})


def test_null_for_an_optional_argument_counts_as_not_given_and_nothing_else_does() -> None:
    properties = {
        "n": {"type": "integer"},
        "flag": {"type": "boolean"},
        "deep": {"properties": {"m": {"type": "string"}}},
    }
    validate = check({"type": "object", "properties": properties, "required": ["n"], "additionalProperties": False})
    assert validate({"n": 5, "flag": None}) is None
    assert validate({"n": None, "flag": True})
    assert validate({"n": 5, "deep": {"m": None}})
    assert validate({"n": "5", "flag": None})
    assert validate({"n": 5, "flag": None, "other": 1})


def test_the_schemas_revision_decides_what_a_keyword_means() -> None:
    draft7 = {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"items": [{"type": "null"}]}}}
    assert check(draft7)({"a": [None, 1]}) is None
    assert check(draft7)({"a": [1]})
    modern = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {"a": {"prefixItems": [{"type": "null"}], "items": False}},
    }
    assert check(modern)({"a": [None]}) is None
    assert check(modern)({"a": [None, 1]})
    assert check({key: value for key, value in modern.items() if key != "$schema"})({"a": [None, 1]})


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"properties": {"n": {"type": "integer", "maximum": 10}}}, {"n": 10}, {"n": 2**70}),
        ({"properties": {"n": {"maximum": 2**70}}}, {"n": 2**70}, {"n": 2**70 + 1}),
        ({"properties": {"n": {"minimum": -(10**300)}}}, {"n": -(10**300)}, {"n": -(10**301)}),
        ({"properties": {"n": {"const": 2**53 + 1}}}, {"n": 2**53 + 1}, {"n": 2**53}),
        ({"properties": {"n": {"multipleOf": 0.01}}}, {"n": 4.35}, {"n": 4.351}),
    ],
)
def test_large_and_decimal_numbers_are_compared_exactly(schema: Any, good: Any, bad: Any) -> None:
    assert check(schema)(good) is None
    assert check(schema)(bad)


def test_a_recursive_schema_checks_every_level_and_ends() -> None:
    validate = check({"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}})
    deep: dict[str, Any] = {"n": "no"}
    for _ in range(60):
        deep = {"next": deep}
    assert validate(deep)
    for schema in ({"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}):
        check(schema)({"a": 1})  # comes back


@pytest.mark.parametrize(
    "schema",
    [
        None,
        True,
        [],
        "text",
        {"type": "strange"},
        {"properties": 5},
        {"properties": {"a": {"pattern": "["}}},
        {"properties": {"a": {"pattern": "(((a{100}){100}){100}){10}"}}},
        {"properties": {"a": {"multipleOf": 0}}},
        {"$schema": 5},
        {"$schema": "https://json-schema.org/draft/2099-01/schema"},
        {"$ref": "#/no/such/place"},
        {"$ref": "other.json"},
        {"$id": "::::"},
        {1: 2},
        {"const": "\ud800"},
    ],
)
def test_a_schema_that_cannot_be_used_says_why(schema: Any) -> None:
    unusable(schema)


def test_a_schema_nested_deeper_than_any_use_is_withheld() -> None:
    schema: dict[str, Any] = OBJECT
    for _ in range(5000):
        schema = {"allOf": [schema]}
    unusable(schema)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as waiting:
        waiting.bind(("127.0.0.1", 0))
        waiting.listen()
        waiting.setblocking(False)
        yield waiting


@pytest.mark.parametrize("where", ["ref", "$schema", "$id", "dynamic", "nested"])
def test_nothing_is_fetched_for_a_schema(listener: socket.socket, where: str) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/schema.json"
    schemas: dict[str, Any] = {
        "ref": {"$ref": url},
        "$schema": {"$schema": url, "type": "object"},
        "$id": {"$id": url, "properties": {"a": {"$ref": "next.json"}}},
        "dynamic": {"$dynamicRef": f"{url}#x"},
        "nested": {"properties": {"a": {"allOf": [{"not": {"$ref": f"{url}#/x"}}]}}},
    }
    unusable(schemas[where])
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_no_file_is_read_for_a_schema(tmp_path: Any) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}')
    assert "may not refer" in unusable({"$ref": f"file://{file}"})
    unusable({"$ref": str(file)})


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"^(a|a)*$", r"^(a+)+\1$(?!x)", r"^(?=(a+)+$)b", r"(?<!x)^(\w+\s?)*$"])
def test_a_pattern_that_would_take_for_ever_is_bounded_and_says_no(pattern: str) -> None:
    def work(_: int) -> None:
        assert check({"properties": {"s": {"pattern": pattern}}})({"s": "a" * 60 + "!"})
        check({"patternProperties": {pattern: False}})({"a" * 60 + "!": 1})

    assert moderate(work)  # untamed, longer than anybody lives


def doubling(levels: int, reference: str = "#/$defs/a{}") -> dict[str, Any]:
    two = {f"a{level}": {"allOf": [{"$ref": reference.format(level + 1)}] * 2} for level in range(levels)}
    named = (
        {name: {"$id": f"http://x/{name}", **schema} for name, schema in two.items()} if "http" in reference else two
    )
    last = {"$id": f"http://x/a{levels}"} if "http" in reference else {}
    return {"properties": {"x": {"$ref": reference.format(0)}}, "$defs": {**named, f"a{levels}": last}}


@pytest.mark.parametrize("reference", ["#/$defs/a{}", "#/%24defs/a{}", "http://x/a{}"])
def test_a_schema_whose_references_double_at_each_step_is_withheld(reference: str) -> None:
    assert "for ever" in unusable(doubling(40, reference))
    assert check(doubling(4, reference))({"x": 1}) is None


def test_a_large_ordinary_schema_is_used() -> None:
    leaf = {"$defs": {"leaf": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
    properties = {f"p{n}": {"oneOf": [{"$ref": "#/$defs/leaf"}, {"type": "integer"}]} for n in range(3000)}
    assert check({**leaf, "properties": properties})({"p7": "x", "p8": 5}) is None


def test_a_refusal_tells_no_value_and_no_name_that_the_caller_chose() -> None:
    schema = {
        "properties": {
            "map": {"additionalProperties": {"type": "integer"}},
            "list": {"items": {"properties": {"n": {"type": "integer"}}}},
            "word": {"enum": ["a"]},
            "keys": {"propertyNames": {"maxLength": 3}},
        },
        "additionalProperties": False,
    }
    validate = check(schema)
    for arguments in (
        {"map": {"hunter2": "x"}},
        {"word": "hunter2"},
        {"keys": {"hunter2": 1}},
        {"hunter2": 1},
        {"list": [{"n": "hunter2"}]},
    ):
        assert "hunter2" not in (validate(arguments) or "hunter2")
    assert validate({"list": [{"n": 1}, {"n": "x"}]}) == "`list.1.n` does not fit the tool's inputSchema (`type`)"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = ["type", "properties", "items", "allOf", "$ref", "$id", "pattern", "enum", "not", "minimum", "$schema", "if"]
odd_schemas = st.dictionaries(
    st.sampled_from(KEYWORDS),
    json_values | st.sampled_from(["object", "#", "#/properties/a", [{"$ref": "#"}], {"a": {"$ref": "#"}}, 2**80]),
    max_size=5,
)


@given(odd_schemas, json_values)
@settings(max_examples=200)
def test_no_schema_and_no_arguments_make_checking_raise(schema: dict[str, Any], arguments: Any) -> None:
    validator, why = compile_schema(schema)
    assert (validator is None) == bool(why)
    if validator is not None:
        assert isinstance(validator(arguments), str | None)
