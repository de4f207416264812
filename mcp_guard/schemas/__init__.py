"""The JSON Schemas of the formats, which editors check and complete by, and the line that makes an editor use one.

Finding one costs no import of the formats: the files are made by `python -m mcp_guard.schemas` and shipped.
"""

from __future__ import annotations

from pathlib import Path

FORMATS = {
    "policy": "a policy",
    "mandate": "a mandate",
    "cases": "the cases beside a policy or mandate",
    "guard": "guard.yaml",
}
"""By name, what each is the schema of."""


def schema_file(name: str) -> Path:
    """Where the schema of that format is on this machine."""
    return Path(__file__).with_name(f"{name}.json")


def in_editors(name: str) -> str:
    """The words of a file's first comment by which an editor's YAML language server finds the schema, without network.

    A URI, since such a server reads up to the next blank and a path may hold one.
    """
    return f"yaml-language-server: $schema={schema_file(name).as_uri()}"
