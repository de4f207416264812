"""What an argument of a drafted grant may be: pinned to what the task names, taken from a listing, or for a person.

Core. Writes the limits as the document format has them; invents no value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from mcp_guard.drafting.acts import plain
from mcp_guard.drafting.literals import Literals
from mcp_guard.drafting.tools import (
    ACCOUNT,
    AMOUNT,
    ID,
    MAIL,
    NAME,
    NUMBER,
    OTHER,
    OWNER,
    PATH,
    REPOSITORY,
    Offered,
    fields_given,
    words_of,
)
from mcp_guard.policy.suggest import scalar

ANY = "any"
_FIELDS = {ACCOUNT: ("iban", "account"), MAIL: ("email", "address", "mail")}


@dataclass(frozen=True, slots=True)
class Limit:
    """One argument's limit as YAML, and why, to be said after the argument's name. `open`: nothing in the task says
    what it may be; a person has to.
    """

    text: str
    why: str
    open: bool = False
    count: int = 1  # how many values it is pinned to
    pinned: bool = False


def limit_for(tool: Offered, argument: str, literals: Literals, readers: tuple[Offered, ...]) -> Limit:
    """The limit of an argument that bears authority."""
    kind = tool.kind_of(argument)
    if kind == AMOUNT:
        return _amount(literals)
    found = _values(tool, argument, kind, literals)
    if found:
        return _pinned(tool, argument, kind, found)
    listed = _listing(tool, kind, readers)
    if listed:
        return _wrapped(tool, argument, Limit(f"{{from: [task, {listed}]}}", "has to be one that was listed"))
    return Limit(ANY, "isn't in the task", open=True)


def _values(tool: Offered, argument: str, kind: str, literals: Literals) -> list[str]:
    if kind == OWNER:
        return [] if words_of(argument)[-1] == "organization" else _texts(owner for owner, _ in literals.repositories)
    if kind == REPOSITORY:
        whole = "owner" not in tool.properties
        return _texts(f"{owner}/{name}" if whole else name for owner, name in literals.repositories)
    if kind == NUMBER:
        return _numbers(tool, argument, literals)
    if kind == PATH:
        return _paths(tool, argument, literals)
    if kind in (ID, NAME, OTHER):
        return _texts(literals.of(ID if kind == ID else NAME)) if kind != OTHER else []
    return _texts(value for value in literals.of(kind) if value not in literals.taken)


def _texts(values: object) -> list[str]:
    return [scalar(str(value).replace("$", "$$")) for value in dict.fromkeys(values)]  # type: ignore[call-overload]


def _numbers(tool: Offered, argument: str, literals: Literals) -> list[str]:
    """The numbers that stand behind a word of the argument or of the tool: `issue 42` for `issue_number`."""
    about = {plain(word) for word in words_of(argument)} - {"number", "id"}
    fits = [number for noun, number in literals.numbers if plain(noun) in about or (not noun and about)]
    written = [str(number) for number in dict.fromkeys(fits)]
    return [f'"{one}"' for one in written] if tool.type_of(argument) == "string" else written


def _paths(tool: Offered, argument: str, literals: Literals) -> list[str]:
    """What is written goes where the task says `to`; of a source and a destination, one each in the task's order."""
    paths = literals.of(PATH)
    ends = {"source": 0, "src": 0, "destination": 1, "dst": 1}
    last = words_of(argument)[-1]
    if last in ends:
        return _places(tool, argument, paths[ends[last] :][:1]) if len(paths) == 2 else []
    if not tool.only_reads and literals.targets:
        return _places(tool, argument, literals.targets)
    return _places(tool, argument, (path for path in paths if tool.only_reads or path not in literals.taken))


def _places(tool: Offered, argument: str, paths: Iterable[str]) -> list[str]:
    """As they are named; where the policy takes absolute paths only, a relative one is the project's: no call with
    the words of the task could pass both documents.
    """
    if argument not in tool.absolute:
        return _texts(paths)
    return list(dict.fromkeys(_in_project(path) for path in paths))


def _in_project(path: str) -> str:
    escaped = path.replace("$", "$$")
    return scalar(escaped if path.startswith(("/", "~")) else f"$project/{escaped}")


def _pinned(tool: Offered, argument: str, kind: str, found: list[str]) -> Limit:
    if kind == PATH and tool.only_reads and all(one.strip('"').startswith(("/", "~", "$project/")) for one in found):
        text = f"{{under: {found[0]}}}" if len(found) == 1 else f"{{in: [{', '.join(found)}]}}"
    else:
        text = found[0] if len(found) == 1 and found[0] != ANY else f"{{in: [{', '.join(found)}]}}"
    return _wrapped(tool, argument, Limit(text, "as the task names it", count=len(found), pinned=True))


def _wrapped(tool: Offered, argument: str, limit: Limit) -> Limit:
    """For an argument that takes a list, the limit of each element."""
    if tool.type_of(argument) != "array":
        return limit
    inner = limit.text if limit.text.startswith("{") else f"{{in: [{limit.text}]}}"
    return Limit(f"{{each: {inner}}}", limit.why, limit.open, limit.count, limit.pinned)


def _amount(literals: Literals) -> Limit:
    if not literals.amounts:
        return Limit(ANY, "isn't in the task", open=True)
    most = max(literals.amounts)
    if most <= 0:
        return Limit(ANY, "isn't in the task", open=True)
    text = f"{{above: 0, max: {written(most)}}}"
    payees = len([one for one in literals.of(ACCOUNT) if one not in literals.taken])
    if len(literals.amounts) > 1 and payees != len(literals.amounts):  # one of them may be a balance, or last month's
        return Limit(text, "could be any of several amounts", open=True)
    return Limit(text, "up to the amount in the task", pinned=True)


def written(amount: Decimal) -> str:
    """A number as YAML reads it back."""
    return format(amount.normalize(), "f")


def _listing(tool: Offered, kind: str, readers: tuple[Offered, ...]) -> str:
    """A tool of the same server that lists such values in a field of their own, and isn't known to be untrusted."""
    for reader in readers:
        if reader.server != tool.server or not reader.trusted or reader.required:
            continue
        given = list(dict.fromkeys(fields_given(reader.gives)))
        for name in _FIELDS.get(kind, ()):
            if name in given:
                return f"{{tool: {scalar(reader.full_name)}, field: {scalar(name)}}}"
    return ""
