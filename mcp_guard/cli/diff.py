"""`mcp-guard diff`: what a new document permits that the old one didn't, and the reverse.

Reads two files and starts nothing. Exit code 0 only if it is proved that the new one permits no more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from mcp_guard.cli.setting_up import load_documents, parse_settings
from mcp_guard.config import load_config
from mcp_guard.errors import InputError
from mcp_guard.policy.compare import compare
from mcp_guard.policy.compare_verdicts import Comparison, Verdict
from mcp_guard.policy.compare_words import as_data, headline, sections
from mcp_guard.policy.document import Document
from mcp_guard.policy.yaml_source import MAX_BYTES, read_yaml
from mcp_guard.record.shown import escaped

_COLOURS = {Verdict.PROVED: "green", Verdict.WITNESS: "red", Verdict.UNKNOWN: "yellow"}


@dataclass(frozen=True, slots=True)
class _Subject:
    """One of the two files, and which documents it stands for."""

    policy: Path | None
    mandate: Path | None
    variables: Mapping[str, str]

    def load(self, home: Path, settings: Mapping[str, str]) -> tuple[Document, ...]:
        """The documents. `$project` is `home` unless something says otherwise: one directory for both sides."""
        variables = {"project": str(home), **self.variables, **settings}
        if home == Path("/"):
            variables = {**self.variables, **settings}
        return tuple(one for one in load_documents(self.policy, self.mandate, variables) if one is not None)


@click.command(
    epilog="Examples: mcp-guard diff main.yaml project.yaml\n\nmcp-guard diff --set project=. old/guard.yaml guard.yaml"
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of both sides.")
@click.option("--set-old", "old_settings", multiple=True, metavar="NAME=VALUE", help="A variable of OLD alone.")
@click.option("--markdown", is_flag=True, help="For a pull request's comment.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def diff(
    settings: tuple[str, ...],
    old_settings: tuple[str, ...],
    markdown: bool,
    as_json: bool,
    old: Path,
    new: Path,
) -> int:
    """Say what NEW permits that OLD did not, and the reverse, each with a call that shows it.

    Both are policies, mandates or guard.yaml files. `$project` is the directory of NEW on both sides unless it is
    set. Exit code 0 if it is proved that NEW permits nothing more, 1 if it does or that is unknown.
    """
    given = parse_settings(settings, Path.cwd())
    only_old = parse_settings(old_settings, Path.cwd())
    home = Path(os.path.abspath(new)).parent  # noqa: PTH100 - lexical: links are followed when paths are used
    before, after = _subject(old), _subject(new)
    found = compare(before.load(home, {**given, **only_old}), after.load(home, given))
    if as_json:
        click.echo(json.dumps(as_data(found), indent=2))
    elif markdown:
        click.echo("\n".join(_markdown(found)))
    else:
        show(Console(highlight=False, soft_wrap=True), found)
    return 1 if found.wider else 0


def _subject(path: Path) -> _Subject:
    """What the file is, by the keys at its top."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}; name two documents: mcp-guard diff OLD NEW") from None
    keys = read_yaml(data, str(path)).value
    if isinstance(keys, dict) and "servers" in keys:
        config = load_config(path)
        if config.policy is None and config.mandate is None:
            raise InputError(f"{path} names no policy and no mandate; there is nothing to compare")
        return _Subject(config.policy, config.mandate, config.variables)
    if isinstance(keys, dict) and {"task", "expires"} & keys.keys():
        return _Subject(None, path, {})
    return _Subject(path, None, {})


def show(console: Console, found: Comparison) -> None:
    console.print(f"[bold {_COLOURS[found.gained.verdict]}]{_plain(headline(found))}[/]")
    for title, findings in sections(found):
        console.print(f"\n[bold]{_plain(title)}[/]")
        for first, *rest in findings:
            console.print(f"  {_plain(first)}")
            for line in rest:
                console.print(f"      {_plain(line)}")


def _markdown(found: Comparison) -> Iterator[str]:
    yield f"**{_literal(headline(found))}**"
    for title, findings in sections(found):
        yield f"\n{_literal(title)}\n"
        for first, *rest in findings:
            yield f"- {_code(first)}"
            yield from (f"  - {_code(line)}" for line in rest)


def _code(line: str) -> str:
    """As code: what a document's author, or a model, has written is neither a link, nor a mention, nor markup."""
    text = escaped(line).replace("`", "'")
    return f"`{text}`"


def _literal(text: str) -> str:
    return escaped(text)


def _plain(text: str) -> str:
    """Text that a document chose steers neither the terminal nor our markup."""
    return escape(escaped(text))
