"""`mcp-guard schema`, and the line in the files that `init` writes."""

from __future__ import annotations

import json

from click.testing import CliRunner

from mcp_guard.cli.schema import schema
from mcp_guard.schemas import FORMATS, in_editors, schema_file


def test_a_name_prints_that_schema() -> None:
    for name in FORMATS:
        printed = CliRunner().invoke(schema, [name]).stdout
        assert json.loads(printed) == json.loads(schema_file(name).read_text(encoding="utf-8"))


def test_without_a_name_it_prints_the_line_of_each_format() -> None:
    lines = CliRunner().invoke(schema, []).stdout.splitlines()
    assert [line.strip() for line in lines if "$schema" in line] == [f"# {in_editors(name)}" for name in FORMATS]


def test_an_unknown_format_is_a_wrong_input() -> None:
    done = CliRunner().invoke(schema, ["polcy"])
    assert done.exit_code == 2 and "policy" in done.stderr
