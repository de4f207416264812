"""docs/policy.md: every file in it loads, every case under it holds, and it shows every key that there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.cli.case_files import Pair
from mcp_guard.model import Effect
from mcp_guard.policy.cases import Suite
from mcp_guard.policy.cases_run import play, problems
from mcp_guard.policy.yaml_source import read_yaml
from mcp_guard.schemas import schema_file

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```yaml (\S+)\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL))
NAMES = sorted(name.removesuffix(".cases.yaml") for name in FILES if name.endswith(".cases.yaml"))
TASKS = ("handbook", "office", "shop")


def suite_of(directory: Path, name: str) -> Suite:
    return Pair(directory / f"{name}.cases.yaml", directory / f"{name}.yaml").suite()


def failed(suite: Suite) -> list[object]:
    return [problems(play(suite, case)) for case in suite.cases if not play(suite, case).passed]


@pytest.mark.parametrize("name", NAMES)
def test_the_cases_under_an_example_hold_and_say_both_what_is_permitted_and_what_is_not(
    tmp_path: Path, name: str
) -> None:
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    suite = suite_of(tmp_path, name)
    assert failed(suite) == []
    effects = {case.expect for case in suite.cases}
    assert len(effects) > 1


def test_every_example_has_its_cases() -> None:
    alone = {f"{name}.yaml" for name in NAMES} ^ {
        name for name in FILES if not name.endswith((".cases.yaml", ".mandate.yaml"))
    }
    assert alone == set()
    named = "\n".join(FILES[f"{name}.cases.yaml"] for name in NAMES)
    assert [name for name in FILES if name.endswith(".mandate.yaml") and name not in named] == []


def place(known: dict[str, Any]) -> str:
    """A key of a rule is one key, whichever kind of rule it stands in."""
    return "rule" if "id" in known else " ".join(sorted(known))


def keys_shown(value: Any, schema: Any, whole: Any) -> Iterator[tuple[str, str]]:
    """The keys that a document uses, each with the part of the schema that it is a key of."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            yield from keys_shown(value, whole["definitions"][name], whole)
        for inner in schema.get("anyOf", []):
            yield from keys_shown(value, inner, whole)
        if isinstance(value, dict):
            for key, inner in value.items():
                known = schema.get("properties", {})
                if key in known:
                    yield place(known), key
                    yield from keys_shown(inner, known[key], whole)
                elif isinstance(schema.get("additionalProperties"), dict):
                    yield from keys_shown(inner, schema["additionalProperties"], whole)
        if isinstance(value, list):
            for inner in value:
                yield from keys_shown(inner, schema.get("items"), whole)


def all_keys(schema: Any) -> Iterator[tuple[str, str]]:
    if isinstance(schema, dict):
        if isinstance(known := schema.get("properties"), dict) and "$ref" not in known:
            yield from ((place(known), key) for key in known)
        for inner in schema.values():
            yield from all_keys(inner)
    for inner in schema if isinstance(schema, list) else ():
        yield from all_keys(inner)


@pytest.mark.parametrize("kind", ["policy", "mandate"])
def test_every_key_of_the_format_is_in_an_example(kind: str) -> None:
    schema = json.loads(schema_file(kind).read_text(encoding="utf-8"))
    shown: set[tuple[str, str]] = set()
    for name, text in FILES.items():
        if name.endswith(".cases.yaml") or (kind == "mandate") != name.endswith(".mandate.yaml"):
            continue
        shown |= set(keys_shown(read_yaml(text.encode(), name).value, schema, schema))
    top = place(schema["properties"])
    missing = {(where, key) for where, key in all_keys(schema) if (kind == "policy" or where == top)} - shown
    allowed = {key for where, key in missing if kind == "mandate" and key in ("ask", "deny")}  # as in a policy
    assert {key for _, key in missing} - allowed == set()


@pytest.mark.parametrize("kind", ["policy", "mandate"])
def test_every_key_is_in_the_table_at_the_end(kind: str) -> None:
    table = DOCUMENT.partition("## Every key")[2]
    keys = {key for _, key in all_keys(json.loads(schema_file(kind).read_text(encoding="utf-8")))}
    assert {key for key in keys if f"`{key}`" not in table} == set()


@pytest.mark.parametrize("name", TASKS)
def test_the_tasks_for_a_new_reader_can_be_done(name: str) -> None:
    suite = suite_of(ROOT / "tests" / "policy" / "tasks", name)
    assert failed(suite) == []
    assert {case.expect for case in suite.cases} == {Effect.ALLOW, Effect.ASK, Effect.DENY}
    described = (ROOT / "docs" / "policy-tasks.md").read_text(encoding="utf-8")
    assert f"{name}.yaml" in described
