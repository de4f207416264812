"""Demands to keep something from the user.

Core. What honest servers say of presentation ("show the table, not the ids") is minor at most; telling lies isn't.
"""

from __future__ import annotations

from mcp_guard.inspection.scan.finding import Severity
from mcp_guard.inspection.scan.matching import PROSE, words

_NOT = r"(?:do not|don'?t|never|must not|mustn'?t|should not|shouldn'?t|not to|without|avoid|please do not)"
_WHO = r"(?:users?|humans?|person|people|customers?|operator|owner|anyone|anybody)"

RULES = (
    words(
        "hides-from-user",
        Severity.SEVERE,
        "It tells the model to keep something from the user.",
        (
            rf"\b{_NOT} (?:ever |be )?(?:tell(?:ing)?|inform(?:ing)?|notify(?:ing)?|let(?:ting)?|alert"
            rf"(?:ing)?) (?:the |any )?{_WHO}\b(?! (?:to |that (?:you|it) (?:can|will)))"
        ),
        (
            rf"\b{_NOT} (?:ever |be )?(?:mention|reveal|disclos|acknowledg|report|admit)\w*\b[^.;]{{0,40}}?"
            rf"\b(?:to |from )the {_WHO}\b"
        ),
        rf"\b{_NOT} (?:be )?(?:shown?|displayed|visible)(?: (?:it|this|that))? to the {_WHO}\b",
        (
            rf"\b(?:hide|hidden|conceal(?:ed|s|ing)?|secret|keep)\b (?:this |it |that |these |them )?"
            rf"(?:\w+ )?from (?:the )?{_WHO}\b"
        ),
        (
            rf"\bwithout (?:the )?{_WHO}(?:'s|s')? (?:knowledge|noticing|knowing|awareness|being aware|"
            rf"being told)\b"
        ),
        rf"\b{_WHO} (?:must|should|may|can) (?:not|never) (?:know|notice|see this|find out|learn)\b",
        rf"\b{_WHO} (?:does not|doesn'?t|do not|need not) (?:have to |need to )?know about\b",
        r"\bso that nobody (?:notices|knows)\b",
    ),
    words(
        "hides-itself",
        Severity.SEVERE,
        "It tells the model not to speak of these instructions, or to lie about what it did.",
        (
            rf"\b{_NOT} (?:display|disclose|reveal|acknowledge|repeat|mention|show)(?:ing)? (?:any of )?"
            rf"(?:these|this|the|those) (?:instructions?|description)\b"
        ),
        r"\bavoid mentioning\b",
        rf"\b{_NOT} mention (?:this|that|the) (?:step|call|copy|tool|was|file|\d|[^.;]{{0,20}}?\bfee)",
        r"\bpretend (?:that )?(?:nothing|it|you did)\b",
        r"\bleave out that\b",
        r"\bsay that it failed, whatever\b",
        r"\bsecretly (?:send|copy|read)",
    ),
    words(
        "keeps-quiet",
        Severity.MINOR,
        "It wants something done quietly.",
        r"\bdo (?:this|it|so) (?:silently|quietly)\b",
        r"\b(?:silently|quietly) (?:send|copy|forward|upload|add|include|call|run)\b",
        places=PROSE,
    ),
)
