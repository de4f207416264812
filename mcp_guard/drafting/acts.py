"""What a task asks to be done, and which tools do it: a small closed vocabulary of verbs, and the nouns beside them.

Core. A verb counts as asked for where English puts a command: at the head of a clause. Elsewhere ("safe to merge") it
is unclear, within a question it is only talked about, and after "don't" it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from mcp_guard.drafting.literals import Literals
from mcp_guard.drafting.tools import Offered, these, words_of


class Said(IntEnum):
    """How a task speaks of an act."""

    NOT = 0
    UNCLEAR = 1
    ASKED = 2


@dataclass(frozen=True, slots=True)
class Act:
    """One kind of doing: what people call it, and what tools do."""

    said: frozenset[str]
    done_by: frozenset[str]


def _act(said: str, done_by: str = "") -> Act:
    return Act(frozenset(said.split()), frozenset((done_by or said).split()))


ACTS = (
    _act("pay transfer refund wire reimburse settle remit", "pay transfer refund remit payment"),
    _act("buy purchase order", "buy purchase order checkout"),
    _act("book reserve", "book reserve"),
    _act("send email mail forward message notify", "send email forward notify message"),
    _act("post publish announce share", "post publish announce share send"),
    _act("reply answer respond", "reply respond send"),
    _act("comment", "comment"),
    _act("create make add open draft schedule", "create make add open write insert draft schedule new"),
    _act("write save store put", "write save store put append"),
    _act("edit change update modify correct replace set fix", "edit update modify patch replace set change"),
    _act("move rename", "move rename"),
    _act("copy duplicate", "copy duplicate"),
    _act("delete remove erase trash discard", "delete remove erase trash discard"),
    _act("cancel", "cancel delete"),
    _act("close resolve finish complete", "close resolve finish complete update"),
    _act("approve review", "approve review"),
    _act("invite", "invite"),
    _act("run execute start launch deploy", "run execute start launch deploy"),
    _act("upload push", "upload push"),
    _act("fetch download open visit browse read look get", "fetch download browse visit get navigate"),
    _act("search find look", "search find query"),
    *(_act(one) for one in these("merge fork commit checkout reset revert restart assign react subscribe label")),
)
"""Closed on purpose: an act that isn't here is asked for only by the very words of a tool's name."""

_VERBS = frozenset(word for act in ACTS for word in (*act.said, *act.done_by))
_MADE = frozenset(these("create make add open draft schedule new"))
"""What is made anew isn't named yet: a name in the task is then where it goes, not what it is."""
_CLAUSE = re.compile(r"[.!?;:,\n\r]+(?=\s|$)|\b(?:and then|and|then|but|or)\b", re.IGNORECASE)
_NOT = frozenset(these("not never without don't dont no nothing avoid cannot can't"))
_ASKING = frozenset(these("what which who whom whose how when where why did does is are was were has have whether if"))
_POLITE = frozenset(
    these(
        "please also just first finally kindly now next you can could would i we want need to must should will let's "
        "lets go ahead once again i'd like us"
    )
)


_NOUNS = frozenset(these("email message comment order review label post answer draft book open change run set"))
"""Verbs that are as often something else (`my email`, `the open issues`): asked for only at the head of a clause."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the task: its words in their plain form, the act at its head, and whether it is refused or asked."""

    words: tuple[str, ...]
    head: str
    refused: frozenset[str]
    question: bool


def clauses(literals: Literals) -> tuple[Clause, ...]:
    """The parts of the task. What it quotes and what it names (a path, an address) is no word of it."""
    text = re.sub(r"\bcheck(?:ing)?[ -]out\b", "checkout", literals.prose, flags=re.IGNORECASE)
    found: list[Clause] = []
    asks = False
    for sentence in re.split(r"(?<=[.!?;\n])\s+", text):
        asks = sentence.rstrip().endswith("?") and not re.match(r"\s*(?:please|can|could|would)\b", sentence, re.I)
        found += [_clause(part, asks) for part in _CLAUSE.split(sentence) if part.strip()]
    return tuple(found)


def _clause(text: str, asks: bool) -> Clause:
    raw = [word.lower().replace("\u2019", "'") for word in re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)?", text)]
    asks = asks or bool(raw and raw[0] in _ASKING)
    cut = next((at for at, word in enumerate(raw) if word in _NOT), len(raw))
    refused = frozenset(plain(word) for word in raw[cut:])
    words = [plain(word) for word in raw[:cut]]
    head = next((plain(word) for word in raw[:cut] if word not in _POLITE), "")
    return Clause(tuple(words), head, refused, asks)


def plain(word: str) -> str:
    """A word without its ending and in one of its spellings: `emails` and `mail` are `email`."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ches", "ch")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            word = word[: -len(ending)] + instead
            break
    else:
        if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
            word = word[:-1]
    return _SAME.get(word, word)


_SAME: Mapping[str, str] = {
    **dict.fromkeys(("mail", "inbox"), "email"),
    **dict.fromkeys(("repo", "project"), "repository"),
    **dict.fromkeys(("folder", "dir"), "directory"),
    **dict.fromkeys(("pr", "pull"), "request"),
    **dict.fromkeys(("bill", "invoice", "rent", "fee", "payment", "fund", "eur", "usd", "euro", "dollar"), "money"),
    "document": "file",
    "page": "page",
}


def how_said(tool: Offered, task: tuple[Clause, ...], literals: Literals) -> tuple[Said, str, bool]:
    """How the task speaks of what the tool does, by which word, and whether it names the tool's object in words."""
    best: tuple[Said, str, bool] = (Said.NOT, "", False)
    for verb, said, clause in _spoken(tool, task):
        named = _names_object(tool, verb, clause)
        if named or _stands_for(tool, verb, literals):
            best = max(best, (said, verb, named), key=lambda one: (one[0], one[2]))
    return best


def _spoken(tool: Offered, task: tuple[Clause, ...]) -> Iterator[tuple[str, Said, Clause]]:
    """The verbs of the task that this tool does. One that is refused anywhere is asked for nowhere."""
    said = verbs_for(tool)
    refused = frozenset().union(*(clause.refused for clause in task)) if task else frozenset()
    if said & refused:
        return
    for clause in task:
        if clause.question:
            continue
        for verb in dict.fromkeys(clause.words):
            if verb in said and (verb == clause.head or verb not in _NOUNS):
                yield verb, Said.ASKED if verb == clause.head else Said.UNCLEAR, clause


def verbs_for(tool: Offered) -> frozenset[str]:
    """The words by which a person may ask for this tool."""
    names = [plain(word) for word in tool.words]
    verbs = [word for word in names if word in _VERBS]
    does = set(verbs if verbs and verbs[0] in _MADE else verbs[:1] or names[:1])  # `delete_email` doesn't email
    return (
        frozenset(word for act in ACTS if does & set(map(plain, act.done_by)) for word in map(plain, act.said)) | does
    )


def nouns_of(tool: Offered) -> tuple[str, ...]:
    """What the tool's name says that it acts on: its words that are no verbs, the last one leading."""
    return tuple(word for word in map(plain, reversed(tool.words)) if word not in _PLAIN_VERBS and word not in _SMALL)


_PLAIN_VERBS = frozenset(map(plain, _VERBS)) - {"email", "message", "comment", "order", "review", "label", "request"}
_SMALL = frozenset(these("to or and of in a the by with from for text api"))


def _names_object(tool: Offered, verb: str, clause: Clause) -> bool:
    nouns = [noun for noun in nouns_of(tool) if noun != verb or noun == "email"]
    if not nouns:
        return True
    if nouns[0] in clause.words:
        return nouns[0] != verb or tool.sends_mail
    about = {plain(word) for name in tool.bearing for word in words_of(name)} - _SMALL - {"id"}
    return verb not in _MADE and bool(about & set(clause.words) - {verb})


def _stands_for(tool: Offered, verb: str, literals: Literals) -> bool:
    """Is the object there as a value: an address, a path, an amount? Not for what is only to be made."""
    return verb not in _MADE and any(literals.has(tool.kind_of(name)) for name in tool.bearing)


def preferred(found: Iterable[tuple[Offered, Said, str, bool]]) -> list[tuple[Offered, Said, str]]:
    """Where the words name one tool for a verb, another one that only a value speaks for isn't meant."""
    listed = [one for one in found if one[1] is not Said.NOT]
    named = {(tool.server, verb) for tool, _, verb, by_name in listed if by_name}
    return [(tool, said, verb) for tool, said, verb, by_name in listed if by_name or (tool.server, verb) not in named]
