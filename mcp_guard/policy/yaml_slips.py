"""Where a YAML parser gives up, and what the author most likely meant."""

from __future__ import annotations

import re

import yaml

Place = tuple[int, int]


def hint_for(error: yaml.MarkedYAMLError, text: str) -> tuple[Place, str]:
    """The place to point at and the way out, for a document that the parser can't read."""
    at = error.problem_mark or error.context_mark
    line, column = (at.line, at.column) if at is not None else (0, 0)
    context = error.context or ""
    if "alias" in context and error.context_mark is not None:
        line, column = error.context_mark.line, error.context_mark.column
        return (line + 1, column + 1), _alias(_line(text, line)[column:])
    return (line + 1, column + 1), _slip(_line(text, line), column, context, error.problem or "", text)


def hint_for_empty(key: str | int) -> str:
    """The way out where nothing stands behind a key: `{why: at most 5, then stop}` has a key `then stop`."""
    if isinstance(key, str) and re.search(r"[^\w-]", key):
        return "inside `{}` a comma ends a text: put the text before it in quotes"
    return "write a value, or leave it out"


def _alias(rest: str) -> str:
    token = re.match(r"\*[^\s,\]}]*", rest)
    star = token.group() if token else "*"
    return f'a `*` at the start is a YAML alias: put the pattern in quotes: "{star}"'


def _slip(line: str, column: int, context: str, problem: str, text: str) -> str:
    start = line[column : column + 1]
    if "anchor" in context:
        return "a `&` at the start is a YAML anchor: put the text in quotes"
    if "\t" in line[: column + 1]:
        return "indent with spaces, not with tabs"
    if start in ("@", "`", "%"):
        return f"text that starts with `{start}` needs quotes"
    if "${" in line or ("flow" in context and "${" in text):
        return "a variable is written `$name`, without braces"
    if re.search(r"\{[^}]*\?", line):
        return "a key with `?` inside `{}` needs quotes"
    if "quoted scalar" in context:
        return "close the quotes"
    if "flow" in context:
        return "close the bracket, and put commas between the entries"
    if "mapping values" in problem:
        return "put text that holds `: ` in quotes, and check the indentation"
    return "check the indentation and the quotes"


def _line(text: str, number: int) -> str:
    lines = re.split(r"\r\n|\r|\n|\x85|\u2028|\u2029", text)  # what YAML 1.1 parsers count as line ends
    return lines[number] if number < len(lines) else ""
