"""The shipped JSON Schemas: they are what the models say, take every good document, and never blame one that loads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from mcp_guard.config import read_config
from mcp_guard.errors import InputError
from mcp_guard.policy.cases import load_cases
from mcp_guard.policy.constraint_parse import known_keys
from mcp_guard.policy.yaml_source import read_yaml
from mcp_guard.schemas import FORMATS, in_editors, schema_file
from mcp_guard.schemas.making import schema_text
from tests.policy.bad import CASES, load
from tests.policy.bad.derived import derived

ROOT = Path(__file__).parents[2]


def validator(name: str) -> Any:
    return jsonschema_rs.validator_for(json.loads(schema_file(name).read_text(encoding="utf-8")))


VALIDATORS = {name: validator(name) for name in FORMATS}


def good() -> Iterator[tuple[str, str, bytes]]:
    """Every document that we ship or show: where it is, its format, its bytes."""
    for directory in ("policies", "examples", "benchmarks"):
        for path in sorted((ROOT / directory).rglob("*.yaml")):
            where = path.relative_to(ROOT).as_posix()
            yield where, format_of(where), path.read_bytes()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for name, text in re.findall(r"^```yaml (\S+\.yaml)\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL):
            yield f"{path.name}: {name}", format_of(name), text.encode()


def format_of(name: str) -> str:
    if name.endswith("guard.yaml"):
        return "guard"
    if name.endswith(".cases.yaml"):
        return "cases"
    return (
        "mandate"
        if "/mandates/" in name or ".mandate." in name or name.rpartition("/")[2] == "mandate.yaml"
        else "policy"
    )


@pytest.mark.parametrize("name", FORMATS)
def test_a_shipped_schema_is_what_the_models_say(name: str) -> None:
    """Else make them anew: `python -m mcp_guard.schemas`."""
    assert schema_file(name).read_text(encoding="utf-8") == schema_text(name)


def test_every_good_document_is_one_to_the_schema() -> None:
    seen = list(good())
    assert len(seen) > 60
    blamed = {
        where: str(error)
        for where, format_, data in seen
        for error in VALIDATORS[format_].iter_errors(read_yaml(data, "doc.yaml").value)
    }
    assert blamed == {}


def test_what_the_schema_blames_does_not_load() -> None:
    """An editor's red line is right. It sees most of what is wrong; what only the loader can know isn't counted."""
    blamed = 0
    for kind, text, _, _ in CASES:
        data = text.encode() if isinstance(text, str) else text
        try:
            value = read_yaml(data, "doc.yaml").value
        except InputError:
            continue
        if not VALIDATORS[kind].is_valid(value):
            blamed += 1
            with pytest.raises(InputError):
                load(kind, text)
    assert blamed > 0.7 * len(CASES) / 2


SHOWN = {where: (format_, data) for where, format_, data in good()}
BENT = ["guard", "policy.md: circumstances.yaml", "policy.md: one-refund.mandate.yaml"]
BENT += ["testing.md: project.cases.yaml", "policy.md: limits.yaml", "policy.md: much.yaml", "policy.md: answers.yaml"]


@pytest.mark.parametrize("where", BENT)
def test_whatever_slip_the_schema_blames_in_a_good_document_the_loader_blames_too(where: str) -> None:
    format_, data = SHOWN.get(where, ("guard", GUARD))
    blamed = 0
    for what, text in derived(data.decode()):
        try:
            value = read_yaml(text.encode(), "doc.yaml").value
        except InputError:
            continue
        if not VALIDATORS[format_].is_valid(value):
            blamed += 1
            assert _refused(format_, text.encode()), what
    assert blamed > 100


GUARD = b"""
version: 1
policy: p.yaml
set: {project: .}
record: {durability: disk, max_size: 5MB, retention: 90d}
inspect: {severe: mark, looked_at: []}
listen: {origins: ["https://app.example"]}
servers:
  a: {command: [x, y], env: [TOKEN], cwd: ., timeout: 60, max_calls: 8, contain: {files: any, memory: 1GB}}
  b: {url: "https://b.example/mcp", token_env: TOKEN}
"""


def _refused(format_: str, data: bytes) -> bool:
    try:
        _load(format_, data)
    except InputError:
        return True
    return False


def _load(format_: str, data: bytes) -> object:
    if format_ == "cases":
        return load_cases(data, "doc.yaml")
    if format_ == "guard":
        return read_config(data, Path("/srv/guard.yaml"))
    return load("policy" if format_ == "policy" else "mandate", data)


def test_a_limit_has_in_the_schema_the_keys_that_the_parser_knows() -> None:
    schema = json.loads(schema_file("policy").read_text(encoding="utf-8"))
    assert set(schema["definitions"]["Limit"]["anyOf"][1]["properties"]) == known_keys()


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts(inner)


@pytest.mark.parametrize("name", FORMATS)
def test_every_key_has_its_sentence_and_nothing_else_is_taken(name: str) -> None:
    schema = json.loads(schema_file(name).read_text(encoding="utf-8"))
    closed = [part for part in parts(schema) if "properties" in part and isinstance(part.get("properties"), dict)]
    assert [part for part in closed if part.get("additionalProperties", True) is not False] == []
    named = [schema, *(part for key, part in schema["definitions"].items() if key not in ("Source", "Result"))]
    silent = [key for part in named for key, one in part.get("properties", {}).items() if not one.get("description")]
    assert silent == []


@pytest.mark.parametrize("name", FORMATS)
def test_the_line_for_editors_names_a_file_that_is_there_and_needs_no_network(name: str) -> None:
    found = re.fullmatch(r"yaml-language-server: \$schema=file://(\S+)", in_editors(name))
    assert found is not None
    assert Path(found[1]) == schema_file(name)
    assert schema_file(name).is_file()
