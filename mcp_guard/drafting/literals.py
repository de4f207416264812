"""What a task names: addresses, accounts, URLs, paths, repositories, ids, numbers, names and amounts.

Core. Found by their form. What is found is taken as it stands: a value that the task doesn't have is nowhere made up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from mcp_guard.drafting import tools as kinds
from mcp_guard.drafting.tools import these
from mcp_guard.history import units

_QUOTED = re.compile(r"\"([^\"\r\n]{1,200})\"|`([^`\r\n]{1,200})`|(?<!\w)'([^'\r\n]{1,200})'(?!\w)")
_TITLED = re.compile(r"\b(?:title|subject|message|text|body)d?:\s*([^\r\n]+)", re.IGNORECASE)
_HOME = re.compile(r"(?<![\w/])~/[\w.@+/-]*\w")
_REPOSITORY = re.compile(r"(?<![\w/.@:~-])([A-Za-z][\w.-]{0,38})/([A-Za-z][\w.-]{0,98}\w|[A-Za-z])(?![\w/])")
_FILE = re.compile(r"(?<![\w/.@:~-])(?:[\w-]+/)*[\w-]+\.[A-Za-z][A-Za-z0-9]{0,4}(?![\w/@.]\w)")
_CURRENCY = r"(?:EUR|USD|GBP|CHF|euros?|dollars?|pounds?|bucks|€|\$|£)"
_SUM = r"[0-9]{1,9}(?:[.,][0-9]{3})*(?:\.[0-9]{1,2})?"
_AMOUNT = re.compile(
    rf"(?:€|\$|£)\s?(?P<a>{_SUM})(?![\w])|(?<![\w.,])(?P<b>{_SUM})\s?{_CURRENCY}(?!\w)|\b{_CURRENCY}\s(?P<c>{_SUM})(?!\w)"
    rf"|(?<=\bat most ){_SUM}(?=[.,;:!?)]*(?:\s|$))|(?<=\bup to ){_SUM}(?=[.,;:!?)]*(?:\s|$))",
    re.IGNORECASE,
)
_CAPS = re.compile(r"\b(?:at most|up to|no more than|not more than|max(?:imum)?(?: of)?)\s*$", re.IGNORECASE)
_TAKEN = re.compile(r"\b(?:from|by|of|about)\s+(?:the\s+)?$", re.IGNORECASE)
_COUNTED = re.compile(
    r"(?P<noun>[A-Za-z]+)?\s*(?:(?:no\.|number|nr\.?)\s*)?#?(?<![\w.,-])(?P<number>[0-9]{1,12})(?![\w.,]\w|\w)"
)
_ID = re.compile(r"(?<![\w/.@:-])(?=[\w-]*[0-9-])(?=[\w-]*[A-Za-z])[A-Za-z0-9][\w-]{0,80}(?![\w/@]|\.\w)")
_NAMED = re.compile(
    r"\b(?:branch(?: called| named)?|from|into|onto|tag|revision)\s+([A-Za-z][\w.-]*[\w]|[A-Za-z])(?![/@\w])"
)
_TARGET = re.compile(r"\b(?:to|into|as|in)\s+(?:the\s+)?(?:file\s+)?$", re.IGNORECASE)
_NOT_NAMES = frozenset(these("the a an my our it its this that called named in to of on at is are and"))


@dataclass(slots=True)
class Literals:
    """All that one task names, by kind, in its order. `prose` is the task with all of it taken out."""

    task: str
    found: dict[str, list[str]] = field(default_factory=dict)
    amounts: list[Decimal] = field(default_factory=list)
    numbers: list[tuple[str, int]] = field(default_factory=list)  # with the noun before each
    repositories: list[tuple[str, str]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)  # paths that something goes to
    taken: set[str] = field(default_factory=set)  # what something comes from, or is about: nothing is done to it
    capped: bool = False  # the task says "at most"
    prose: str = ""

    def has(self, kind: str) -> bool:
        if kind == kinds.AMOUNT:
            return bool(self.amounts)
        if kind == kinds.NUMBER:
            return bool(self.numbers)
        if kind in (kinds.OWNER, kinds.REPOSITORY):
            return bool(self.repositories)
        return bool(self.found.get(kind))

    def of(self, kind: str) -> list[str]:
        return list(dict.fromkeys(self.found.get(kind, ())))


def literals_of(task: str) -> Literals:
    """Find what a task names."""
    made = Literals(task)
    rest = _take_units(made, task)
    rest = _take(made, rest, _HOME, kinds.PATH)
    rest = _take_repositories(made, rest)
    rest = _QUOTED.sub(lambda match: _quoted(made, match), rest)
    rest = _TITLED.sub(lambda match: match[0].partition(":")[0] + ". ", rest)
    rest = _take(made, rest, _FILE, kinds.PATH)
    rest = _AMOUNT.sub(lambda match: _amount(made, match), rest)
    for match in _NAMED.finditer(rest):
        if match[1].lower() not in _NOT_NAMES:
            made.found.setdefault(kinds.NAME, []).append(match[1])
    rest = _take_ids(made, rest)
    for match in _COUNTED.finditer(rest):
        made.numbers.append(((match["noun"] or "").lower(), int(match["number"])))
    made.prose = rest
    return made


def _take_units(made: Literals, task: str) -> str:
    of_kind = {units.MAIL: kinds.MAIL, units.URL: kinds.URL, units.ACCOUNT: kinds.ACCOUNT, units.PATH: kinds.PATH}
    rest = task
    for unit in units.units_within(task):
        kind = of_kind.get(unit.kind)
        if kind is None:
            continue
        written = next((one for one in (unit.text, *_spellings(task, unit.text)) if one in rest), None)
        value = written if kind == kinds.URL and written else unit.text
        made.found.setdefault(kind, []).append(value)
        if written is None:
            continue
        before = rest.partition(written)[0]
        _placed(made, before, value, kind)
        if kind == kinds.URL:
            _hosted(made, value)
        rest = rest.replace(written, " \u2026 ", 1)
    return rest


def _placed(made: Literals, before: str, value: str, kind: str) -> None:
    """Where something goes, where it comes from: by the word in front."""
    if kind == kinds.PATH and _TARGET.search(before):
        made.targets.append(value)
    if kind in (kinds.PATH, kinds.MAIL, kinds.ACCOUNT) and _TAKEN.search(before):
        made.taken.add(value)


def _spellings(task: str, text: str) -> list[str]:
    """How the task writes a unit that is compared in another form: grouped, or in other letters."""
    plain = re.escape(text).replace("\\ ", " ?")
    found = re.search(plain, task, re.IGNORECASE)
    grouped = re.search(" ?".join(map(re.escape, text)), task) if len(text) <= 34 else None
    return [match[0] for match in (found, grouped) if match]


def _hosted(made: Literals, url: str) -> None:
    match = re.match(r"https://(?:www\.)?git(?:hub|lab)\.com/([\w.-]+)/([\w.-]+)", url)
    if match:
        made.repositories.append((match[1], match[2].removesuffix(".git")))


def _take_repositories(made: Literals, rest: str) -> str:
    def one(match: re.Match[str]) -> str:
        if {match[1].lower(), match[2].lower()} & {"and", "or", "he", "she", "his", "her", "w", "n"}:
            return match[0]
        if re.fullmatch(r"[\w-]+\.[A-Za-z]{1,4}", match[2]):  # `src/app.py` is a file
            return match[0]
        made.repositories.append((match[1], match[2]))
        return " \u2026 "

    return _REPOSITORY.sub(one, rest)


def _quoted(made: Literals, match: re.Match[str]) -> str:
    text = next(group for group in match.groups() if group is not None)
    for kind in (kinds.NAME, kinds.ID) if " " not in text else ():
        made.found.setdefault(kind, []).append(text)
    return " \u2026 "


def _take(made: Literals, rest: str, form: re.Pattern[str], kind: str) -> str:
    for match in form.finditer(rest):
        made.found.setdefault(kind, []).append(match[0])
        _placed(made, rest[: match.start()], match[0], kind)
    return form.sub(" \u2026 ", rest)


def _take_ids(made: Literals, rest: str) -> str:
    for match in _ID.finditer(rest):
        for kind in (kinds.ID, kinds.NAME):
            made.found.setdefault(kind, []).append(match[0])
    return _ID.sub(lambda match: match[0] if match[0].replace("-", "").isalpha() else " \u2026 ", rest)


def _amount(made: Literals, match: re.Match[str]) -> str:
    text = next((group for group in match.groups() if group is not None), match[0])
    if "," in text and not re.fullmatch(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,2})?", text):
        return match[0]  # `1.000,50` and its like read two ways: then there is no amount, and a person is asked
    if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{3})+", text):
        return match[0]
    amount = Decimal(text.replace(",", ""))
    if _CAPS.search(match.string[: match.start()]):
        made.amounts[:] = [min([amount, *made.amounts]) if made.capped else amount]
        made.capped = True
    elif not made.capped:
        made.amounts.append(amount)
    return " EUR "
