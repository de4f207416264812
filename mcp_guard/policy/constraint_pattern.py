"""The two small languages for text in a constraint: regular expressions (`matches`) and globs (`not_name`).

Core. Both run in linear time whatever text an attacker sends: expressions on the automaton engine of `jsonschema-rs`
(a JSON Schema `pattern` with `RegexOptions`), globs as atomic groups, which never go back.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import jsonschema_rs

MAX_PATTERN = 1000  # characters; a longer one is a program, not a rule that a person can read

_TOKEN = re.compile(r"\\(.)|\[(?:\\.|[^\]\\])*\]|\(\?(?!:)", re.DOTALL)  # an escape, a class, or a special group
_SPECIAL_IN_GLOB = re.compile(r"[\[\]{}!/\\]|\*\*")


def why_not_pattern(pattern: str) -> str | None:
    """Why `pattern` can't be a `matches`, or None. Judged bare, so that `a)|(b` can't break out of the anchors."""
    if len(pattern) > MAX_PATTERN:
        return f"is longer than {MAX_PATTERN} characters"
    for token in _TOKEN.finditer(pattern):
        if token[1] and token[1] in "AzZ":
            return "uses `\\A`, `\\z` or `\\Z`; leave them out, the whole text is matched anyway"
        if token[1] and token[1] in "123456789k":
            return "uses a back-reference, which can't be matched in linear time"
        if token[0] == "(?":
            return "uses `(?`; of these only `(?:...)` is known: no look-around, no flags, no names"
    try:
        text_test(pattern)
        text_test(f"(?i)^(?:{pattern})$")  # the larger of its two forms: `a{1,90000}` may fit bare and not so
    except ValueError:
        return "is not a valid regular expression, or too large"
    return None


def text_test(pattern: str) -> Callable[[str], bool]:
    """`pattern` as a test that raises ValueError on lone surrogates; ValueError if it doesn't compile."""
    try:
        validator = jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
    except jsonschema_rs.ValidationError as error:
        raise ValueError("not a regular expression") from error
    return validator.is_valid


def why_not_glob(glob: str) -> str | None:
    """Why `glob` can't stand in `not_name`, or None."""
    if not glob:
        return "is empty"
    if "/" in glob or "\\" in glob:
        return "has a slash; a pattern is compared with one segment of the path at a time"
    if _SPECIAL_IN_GLOB.search(glob):
        return "uses `[`, `]`, `{`, `}`, `!` or `**`; only `*` and `?` are special"
    return None


def glob_expression(glob: str) -> str:
    """`glob` as a regular expression for one segment: each `*` stops at the first place where what follows it fits."""
    first, *rest = (_literal(piece) for piece in glob.split("*"))
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle if piece) + "[^/]*" + last


def _literal(piece: str) -> str:
    return "".join("[^/]" if character == "?" else re.escape(character) for character in piece)
