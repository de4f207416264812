"""What a document's text stands for before it is compared: `$name` variables, `$$`, `~`, and paths made of them.

Core. Variables and the home directory are passed in; nothing here reads an environment.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mcp_guard.policy.canonical import why_not_absolute, without_trailing_slash
from mcp_guard.policy.constraint_kinds import ConstraintError

Path: TypeAlias = tuple[str | int, ...]

_DOLLAR = re.compile(r"\$(\$|[A-Za-z_][A-Za-z0-9_]*)?")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a constraint may refer to, and where it stands."""

    in_grant: bool
    variables: Mapping[str, str]
    home: str


def expand(text: str, scope: Scope, path: Path) -> str:
    """`text` with its variables replaced, once: a value's own dollars stay as they are."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name == "$":
            return "$"
        if not name:
            raise ConstraintError("a lone `$`", path, "write `$$` for a dollar, `$name` for a variable")
        return _variable(name, scope, path)

    return _DOLLAR.sub(value, text)


def _variable(name: str, scope: Scope, path: Path) -> str:
    if name not in scope.variables:
        close = difflib.get_close_matches(name, list(scope.variables), n=1)
        hint = (
            f"did you mean `${close[0]}`?"
            if close
            else f"set it with `--set {name}=VALUE`, or `set:` in guard.yaml or a case file; write `$$` for a dollar"
        )
        raise ConstraintError(f"there is no value for the variable `${name}`", path, hint)
    value = scope.variables[name]
    if not value.strip():
        raise ConstraintError(f"the variable `${name}` is empty", path, "an empty variable would mean everything")
    if not value.strip("/. "):
        raise ConstraintError(f"the variable `${name}` is the root or a relative path", path, "name a directory")
    if not value.isprintable():
        raise ConstraintError(f"the variable `${name}` has control or invisible characters", path, "set it anew")
    return value


def start_of(text: str, scope: Scope, path: Path) -> str:
    """The path that `text` names up to its last variable, if more follows; else empty: then no variable vouches."""
    ends = [match.end() for match in _DOLLAR.finditer(text) if match[1] != "$"]
    slash = text.find("/", ends[-1]) if ends else -1
    if slash < 0 or not text[slash + 1 :]:
        return ""
    return absolute(expand(text[:slash], scope, path).removeprefix("file://"), scope, path)


def absolute(text: str, scope: Scope, path: Path) -> str:
    """`text` (variables expanded) as a canonical absolute path without a trailing slash, `~` replaced."""
    if text == "~" or text.startswith("~/"):
        home = without_trailing_slash(scope.home)
        if home == "/" or why_not_absolute(home) is not None:
            raise ConstraintError(
                "`~` needs a home directory that is a canonical absolute path, and not `/`", path, "write it out"
            )
        text = home + text[1:]
    if reason := why_not_absolute(text):
        hint = "write an absolute path, `~/...` or `$project`" if text[:1] != "/" else "write the path in full"
        raise ConstraintError(f"the path {reason}", path, hint)
    return without_trailing_slash(text)


def plain(text: str, path: Path) -> str:
    """`text` where variables aren't known: `$$` is a dollar, any other dollar a mistake that would go unnoticed."""
    if any(match[1] != "$" for match in _DOLLAR.finditer(text)):
        raise ConstraintError("variables are not expanded in `not_name`", path, "write `$$` for a dollar")
    return text.replace("$$", "$")
