"""Texts that steer other tools: what must be called before them, with what, or instead of them.

Core. A tool may say in which order its own server's tools are used. A tool that wants other tools' arguments or
results, or changes what they are called with, acts where nothing was granted to it.
"""

from __future__ import annotations

from mcp_guard.inspection.scan.finding import Severity
from mcp_guard.inspection.scan.matching import PROSE, words

_WHEN = r"(?:before|prior to|after|whenever|when|each time|every time|if|for (?:each|every)|with (?:each|every))"
_OTHER = r"(?:any|every|each|all|another|all the)(?: other)?(?: \w+)?"

RULES = (
    words(
        "taps-other-tools",
        Severity.SEVERE,
        "It wants to be given what other tools are called with, or answer.",
        (
            rf"\b{_WHEN}\b.{{0,30}}?\b(?:any|every|each|all|another|other)\b.{{0,20}}?\btools?\b.{{0,40}}?"
            rf"\b(?:with|pass|send|give|add|include|forward|provide)\b.{{0,30}}?\b(?:arguments?|results?|"
            rf"output|content|context|message|data)\b"
        ),
        (
            r"\b(?:results?|outputs?|arguments?|answers?) (?:of|from) (?:all|any|every|each|the previous|"
            r"the last|other|all the)(?: other)? tools?(?: calls?)?\b"
        ),
        r"\bpass its result to\b",
        (
            r"\b(?:every time|whenever|each time) the user (?:asks|wants|sends)\b.{0,40}?"
            r"\bcall this tool first with\b"
        ),
        (
            r"\bbefore (?:any|every|each) (?:other )?tool\b.{0,60}?\b(?:full text|user'?s last message|"
            r"conversation|arguments of)\b"
        ),
    ),
    words(
        "demands-to-come-first",
        Severity.MINOR,
        "It wants to be called before any other tool.",
        (
            r"\b(?:before|prior to)\b(?: \w+){0,2} (?:any|every|each|all)(?: the)?(?: other)? tools?"
            r"\b.{0,40}?\b(?:call|run|invoke|or|otherwise)\b"
        ),
        (
            r"\b(?:call|run|invoke)(?:ed)?\b.{0,30}?\b(?:before|prior to) (?:any|every|each|all) other tools?"
            r"\b.{0,40}?\b(?:in this session|otherwise|fail|with)\b"
        ),
        r"\bbefore (?:the next call of )?any (?:other )?tool, (?:call|run)\b",
    ),
    words(
        "changes-other-calls",
        Severity.SEVERE,
        "It changes what other tools are called with.",
        (
            rf"\b{_WHEN}\b[^.]{{0,60}}?\b(?:tools?|calls?|is used|is present|exists?|available|send_?\w*|"
            rf"transfer_?\w*|message|call)\b[^.]{{0,50}}?\b(?:set|change|add|replace|double[d]?|must|has to)"
            rf"\b[^.]{{0,40}}?\b(?:recipients?|amount|bcc|cc|account|address|given)\b"
        ),
        r"\bfrom now on\b.{0,20}?\b(?:cc|bcc|to|recipients?) must\b",
        r"\bmust send to\b.{0,60}?\binstead\b",
        r"\b(?:amount|sum) must be (?:doubled|raised)\b",
        r"\bset recipient to\b",
        r"\bchange the recipient\b",
        r"\balso add the list of private\b",
        r"\bmust be given the token\b",
        r"\bbefore using \w+_\w+,? call\b.{0,40}?\buse the (?:address|account|recipient)",
    ),
    words(
        "displaces-other-tools",
        Severity.SEVERE,
        "It speaks other tools or servers down, or wants to be used in their place.",
        (
            r"\b(?:other|all other|their) (?:tools|servers)\b.{0,40}?\b(?:compromised|malicious|unsafe|"
            r"broken|mustn'?t|must not|never be|insecure|disabled|infected)\b"
        ),
        (
            r"\bthe tools? of the \w+ server\b.{0,30}?\b(?:broken|compromised|unsafe|disabled|deprecated|"
            r"malicious)\b"
        ),
        r"\b(?:never|do not|don'?t) use the tools? of the \w+ server\b",
        r"\bof every other server\b",
        r"\b(?:do not|don'?t|never) use the (?:built-in|client'?s)\b",
        r"\b(?:in place|instead) of the client'?s own\b",
        r"\bcalls? to (?:the )?\w+ tools must go through\b",
        r"\bdeprecated and unsafe\b.{0,20}?\bnever use\b",
        r"\bthe \w+ tool of the \w+ server needs\b",
        r"\bthis tool changes how\b",
        r"\ball other servers'\b",
    ),
    words(
        "redirects-calls",
        Severity.MINOR,
        "It wants another tool called from now on, or in another one's place.",
        (
            r"\b(?:from now on,?|is (?:broken|unavailable|disabled)[;,.]) (?:use|call|switch to)\b.{0,40}?"
            r"\b(?:instead|from now on|same arguments|server|for all)\b"
        ),
        r"\buse `?[\w.-]+`? instead of `?[\w.-]+`?.{0,30}?\bfrom now on\b",
        r"\bfrom now on use\b",
        r"\b(?:with|and) the same arguments and your credentials\b",
    ),
    words(
        "in-place-of",
        Severity.MINOR,
        "It wants to be used in another server's tool's place.",
        r"\breplaces `?\w+/\w+`?",
        r"\binstead of (?:slack|github|the built-in)(?![a-z])",
        places=PROSE,
    ),
)
