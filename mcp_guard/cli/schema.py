"""`mcp-guard schema`: the JSON Schema of a format, and the line that makes an editor use it."""

from __future__ import annotations

import click

from mcp_guard.schemas import FORMATS, in_editors, schema_file


@click.command(epilog="Example: mcp-guard schema policy > policy.schema.json")
@click.argument("name", required=False, type=click.Choice(list(FORMATS)))
def schema(name: str | None) -> int:
    """Print the JSON Schema of a format; without a name, the first line that makes an editor check a file by it.

    Editors with a YAML language server (VS Code, Neovim, Zed, JetBrains) read that line. The schema is a file of this
    installation, so that nothing is fetched. It knows the form alone: `mcp-guard check` knows the rest.
    """
    if name is not None:
        click.echo(schema_file(name).read_text(encoding="utf-8"), nl=False)
        return 0
    for one, words in FORMATS.items():
        click.echo(f"{words}:\n  # {in_editors(one)}")
    return 0
