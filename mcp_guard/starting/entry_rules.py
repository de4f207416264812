"""Which of a client's servers can go behind a guard as they are, and why the others can't.

A server is moved only if its guard.yaml entry would start exactly what the client starts. What the client would fill
in, what names a secret outside of `env`, what can't be seen: left where it is, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard.clients import Client, Entry, Scope
from mcp_guard.clients.masking import masked_arguments
from mcp_guard.record.shown import escaped
from mcp_guard.starting.secret_words import has_secret

MAX_WORDS = 200
MAX_TEXT = 8_000

_FILLED_IN = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)|\{env:[^}]*\}|%[A-Za-z_][A-Za-z0-9_]*%|\$[A-Za-z_][A-Za-z0-9_]*")
"""What some client replaces in a word. In guard.yaml nothing would."""

_WITHOUT_MEANING = frozenset({"type", "transport", "source", "description", "version", "$schema", "gallery"})
"""Members that say nothing about what runs, nor about what of it may be used."""
_LOOSENING = frozenset({"autoApprove", "alwaysAllow", "trust", "auto_approve", "always_allow"})
"""Members by which the client stops asking. The guard's entry gets none of them: that only tightens."""
_WAITING = re.compile(r"(?i)timeout|initTimeout|startup_timeout_(sec|ms)|tool_timeout_sec|timeout_ms")


@dataclass(frozen=True, slots=True)
class Server:
    """A server as guard.yaml will have it; `env` are the values that its client's entry has."""

    name: str
    entry: Entry
    command: tuple[str, ...]
    cwd: str
    env: Mapping[str, str | None]
    dropped: tuple[str, ...] = ()  # members of the client's entry that have no place in guard.yaml
    url: str = ""  # where it is reached, instead of a command
    token: str = ""  # which of `env` is its bearer token
    headers: Mapping[str, str] = field(default_factory=dict)  # by header: which of `env` is its value

    @property
    def shown(self) -> tuple[str, ...]:
        return (self.url,) if self.url else self.command


@dataclass(frozen=True, slots=True)
class Left:
    """A server that stays where it is. `guarded`: it stands behind a guard already."""

    entry: Entry
    why: str
    guarded: bool = False
    disabled: bool = False

    @property
    def direct(self) -> bool:
        """Does the client reach it past any guard?"""
        return not self.guarded and not self.disabled


def filled(word: str, project: Path | None, home: Path) -> str:
    """A word with the variables of editors that always mean the same here: the project's and the home directory."""
    known = {"${userHome}": str(home), "${/}": "/", "${pathSeparator}": "/"}
    if project is not None:
        known |= {"${workspaceFolder}": str(project), "${workspaceFolderBasename}": project.name}
    return re.sub(r"\$\{[A-Za-z/]+\}", lambda found: known.get(found[0], found[0]), word)


def why_left(client: Client, scope: Scope, entry: Entry, words: tuple[str, ...], cwd: str | None) -> str:
    """The first reason against moving this entry; empty if there is none. `words` and `cwd` are filled in."""
    return next(_reasons(client, scope, entry, words, cwd), "")


def _reasons(client: Client, scope: Scope, entry: Entry, words: tuple[str, ...], cwd: str | None) -> Iterator[str]:
    if not words:
        yield "it has neither command nor address of its own: the client brings it"
        return
    yield from _unseen(entry, words, cwd)
    if any(_FILLED_IN.search(word) for word in words):
        found = next(found for word in words if (found := _FILLED_IN.search(word)))
        yield f"{client.title} fills in {_variable(found)} in its command; write the value, or move it into `env`"
    if cwd is not None and _FILLED_IN.search(cwd):
        yield f"{client.title} fills in its working directory; write a path"
    if has_secret(words):
        yield "its arguments hold what looks like a secret; move it into `env`: guard.yaml names secrets, it has none"
    if scope is Scope.USER and cwd is None and "/" in words[0] and not words[0].startswith("/"):
        shown = masked_arguments(words)[0]
        yield f"`{escaped(shown[:60])}` starts from wherever the client is; write the whole path"
    if scope is Scope.USER and cwd is not None and not cwd.startswith(("/", "~/")):
        yield "its working directory is relative to wherever the client is; write the whole path"
    if cwd is not None and cwd.startswith("~") and cwd[1:2] not in ("", "/"):
        yield "its working directory names a user, or a directory that is called so; write the whole path"
    for name, value in entry.env.items():
        if value is None:
            yield f"`{escaped(name[:60])}` is null in `env`, which guard.yaml can't say"
        if value is not None and not is_text(value):
            yield f"the value of `{escaped(name[:60])}` in `env` is no text that a process could be given"
        if not name or "=" in name or len(name) > 128:
            yield f"`{escaped(name[:60])}` is no name of a variable"
    yield from members_in_the_way(client, entry)


def is_text(value: str) -> bool:
    """Can it be written to a file, and given to a process?"""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)


def _variable(found: re.Match[str]) -> str:
    """The variable as it may be named: a default may be a secret (`${TOKEN:-abc}`), and so may what isn't a variable
    at all (`pa$sword`)."""
    name = re.match(r"\$\{[A-Za-z_][\w.]*(?::[A-Za-z_][\w.-]*)?(?=(?P<more>.))", found[0])
    if name is not None:
        return f"`{name[0]}{'}' if name['more'] == '}' else '…}'}`"
    plain = found.start() == 0 and re.fullmatch(r"\$[A-Z_]+|%\w+%|\{env:\w+\}", found[0])
    return f"`{found[0]}`" if plain else "a part"


def _unseen(entry: Entry, words: tuple[str, ...], cwd: str | None) -> Iterator[str]:
    """Control characters, bidirectional marks and their like: what is shown wouldn't be what runs."""
    shown = [*masked_arguments(words), cwd or ""]
    for what, texts, seen in (
        ("name", [entry.name], [entry.name]),
        ("command", [*words, cwd or ""], shown),
        ("`env`", list(entry.env), list(entry.env)),
    ):
        for one, other in zip(texts, seen, strict=True):
            if not all(char.isprintable() for char in one):
                yield f"its {what} has characters that can't be seen: `{escaped(other[:80])}`"
            if len(one) > MAX_TEXT:
                yield f"its {what} is longer than {MAX_TEXT} characters"
    if len(words) > MAX_WORDS:
        yield f"its command has more than {MAX_WORDS} words"


def members_in_the_way(client: Client, entry: Entry) -> Iterator[str]:
    """What an entry says beside what guard.yaml can: a list of tools, a sandbox, a file of variables."""
    for member, value in entry.others.items():
        yield from _member(client, member, value)


def _member(client: Client, member: str, value: object) -> Iterator[str]:
    if member in _WITHOUT_MEANING or member in _LOOSENING or _WAITING.fullmatch(member):
        return
    if value in (None, False, [], {}, ""):
        return
    yield f"`{escaped(member[:60])}` means something to {client.title} that guard.yaml can't say"


def dropped(entry: Entry) -> tuple[str, ...]:
    """Members that the moved server loses, of those that somebody may miss."""
    return tuple(one for one in entry.others if one in _LOOSENING or _WAITING.fullmatch(one))
