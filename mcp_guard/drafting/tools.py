"""A tool as the rules that draft look at it: its words, what it can do, and what each of its arguments is.

Core. What nobody has judged counts as doing everything (law 4), whatever its name or its annotations claim.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_guard.model import EVERY_EFFECT, EffectClass

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def these(words: str) -> tuple[str, ...]:
    """The words of one text, for tables that are easier to read that way."""
    return tuple(words.split())


MAIL, ACCOUNT, URL, PATH, OWNER, REPOSITORY = "mail", "account", "url", "path", "owner", "repository"
NUMBER, ID, NAME, AMOUNT, OTHER = "number", "id", "name", "amount", ""

_BY_LAST: Mapping[str, str] = {
    **dict.fromkeys(these("to cc bcc email emails attendees participants recipients invitees"), MAIL),
    **dict.fromkeys(these("iban account payee recipient beneficiary"), ACCOUNT),
    **dict.fromkeys(these("url urls uri uris href link website"), URL),
    **dict.fromkeys(
        these("path paths dir directory directories folder file filename filepath filepaths root cwd"), PATH
    ),
    **dict.fromkeys(these("source destination src dst"), PATH),
    **dict.fromkeys(these("owner organization"), OWNER),
    **dict.fromkeys(these("repo repository"), REPOSITORY),
    **dict.fromkeys(these("number"), NUMBER),
    **dict.fromkeys(these("id ids key ts sha"), ID),
    **dict.fromkeys(these("branch head base ref tag"), NAME),
    **dict.fromkeys(these("amount price total sum value cost"), AMOUNT),
}
_MONEY = re.compile(r"\biban\b|\baccount number\b", re.IGNORECASE)
_ADDRESS = re.compile(r"\be-?mail\b|\brecipients?\b|\baddress(?:es)?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Offered:
    """One tool of one server."""

    server: str
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    gives: Mapping[str, Any] = field(default_factory=dict)  # its outputSchema, if it has one
    effects: frozenset[EffectClass] = EVERY_EFFECT
    authority: tuple[str, ...] = ()
    judged: bool = False  # by the operator or the catalogue
    trusted: bool = False  # what it answers is said to be nothing that strangers write
    absolute: frozenset[str] = frozenset()  # arguments in which the policy takes absolute paths only

    @property
    def full_name(self) -> str:
        return f"{self.server}/{self.name}"

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its name, without the server's own (`slack_post_message` of `slack`)."""
        words = words_of(self.name)
        return words[1:] if len(words) > 1 and words[0] in (self.server.lower(), "slack", "git", "api") else words

    @property
    def only_reads(self) -> bool:
        return self.judged and self.effects <= {EffectClass.READ}

    @property
    def bearing(self) -> tuple[str, ...]:
        """The arguments that bear authority: those that were judged to, and those whose name or schema says so."""
        found = (name for name in self.properties if name in self.authority or self.kind_of(name) != OTHER)
        return tuple(found)

    @property
    def sends_mail(self) -> bool:
        return any(self.kind_of(name) == MAIL for name in self.properties)

    def kind_of(self, argument: str) -> str:
        """What sort of value the argument takes, by its name, then by what its schema says."""
        words = words_of(argument)
        schema = self.properties.get(argument)
        said = str(schema.get("description", "")) if isinstance(schema, Mapping) else ""
        if isinstance(schema, Mapping) and "enum" in schema:
            return OTHER  # one of a few words, whatever it is called
        kind = _BY_LAST.get(words[-2 if words[-1] == "name" and len(words) > 1 else -1], OTHER) if words else OTHER
        if kind == ACCOUNT and not _MONEY.search(said) and _ADDRESS.search(said) and "iban" not in words:
            return MAIL
        if kind == ID and self.type_of(argument) in ("integer", "number"):
            return NUMBER
        if kind == PATH and {"owner", "repo"} <= self.properties.keys():
            return NAME  # within a repository, not on this machine
        return kind

    def type_of(self, argument: str) -> str:
        """The JSON type; empty if the schema says none or several."""
        schema = self.properties.get(argument)
        said = schema.get("type") if isinstance(schema, Mapping) else None
        return said if isinstance(said, str) else ""


def words_of(name: str) -> tuple[str, ...]:
    """`slack_post_message`, `findTasksByDate`: the words of a name, in lower case."""
    return tuple(word.lower() for word in _WORDS.findall(name))


def offered(
    server: str,
    descriptor: Mapping[str, Any],
    *,
    effects: frozenset[EffectClass] | None,
    authority: tuple[str, ...] = (),
    trusted: bool = False,
    absolute: frozenset[str] = frozenset(),
) -> Offered:
    """A tool as its server lists it; `effects` is None for one that nobody judged."""
    schema = _mapping(descriptor.get("inputSchema"))
    wanted = schema.get("required")
    properties = {str(name): value for name, value in _mapping(schema.get("properties")).items()}
    return Offered(
        server=server,
        name=str(descriptor.get("name")),
        properties=properties,
        required=tuple(name for name in wanted if name in properties) if isinstance(wanted, list) else (),
        gives=_mapping(descriptor.get("outputSchema")),
        effects=EVERY_EFFECT if effects is None else effects,
        authority=authority,
        judged=effects is not None,
        trusted=trusted,
        absolute=absolute,
    )


def fields_given(schema: object, depth: int = 0) -> Iterator[str]:
    """The names of all fields that an outputSchema has."""
    if depth > 12:
        return
    if isinstance(schema, Mapping):
        yield from map(str, _mapping(schema.get("properties")))
        for one in schema.values():
            yield from fields_given(one, depth + 1)
    elif isinstance(schema, list):
        for one in schema:
            yield from fields_given(one, depth + 1)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
