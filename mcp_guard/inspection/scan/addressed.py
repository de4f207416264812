"""Texts that speak to the model as if they had a say: instructions overridden, roles and turns faked, approval
claimed.

Core. A tool's description says what the tool does. One that talks about the model's instructions, its user's
approval or who it is from now on wants something else.
"""

from __future__ import annotations

from mcp_guard.inspection.scan.finding import Severity
from mcp_guard.inspection.scan.matching import PROSE, words

_DROP = (
    r"(?:(?<![.\w])ignor(?:e|es|ing)|disregard(?:s|ing)?|forget(?:ting)?|overrid(?:e|es|ing)|overrul(?:e|es|ing)|neglect"
    r"|discard|bypass|(?:do not|don'?t|stop|never) (?:follow|obey)(?:ing)?|set aside)"
)
_WHOSE = (
    r"(?:previous|prior|earlier|above|preceding|existing|other|all|any|your|my|these|user'?s?|person'?s|system|developer'?s?"
    r"|safety|review|original|initial|former|everything)"
)
_MODEL = (
    r"(?:ai(?:[ -](?:assistant|agent|model)s?)?|llms?|(?:language )?models?|assistants?|agents?"
    r"|claude|chatgpt|gpt|copilot)"
)

RULES = (
    words(
        "overrides-instructions",
        Severity.SEVERE,
        "It tells the model to drop the instructions that it has.",
        (
            rf"\b{_DROP}\b.{{0,40}}?\b{_WHOSE}\b.{{0,30}}?\b(?:instructions?|guidelines?|directives?|"
            rf"system prompt)\b"
        ),
        (
            rf"\b{_DROP} .{{0,20}}?\b(?:previous|prior|earlier|above|your|review|safety|developer'?s?|"
            rf"the user'?s)\b.{{0,20}}?\b(?:rules|prompts|commands|orders|policies|restrictions|wording|"
            rf"choice)\b"
        ),
    ),
    words(
        "replaces-instructions",
        Severity.SEVERE,
        "It says that the model's instructions are others now.",
        (
            r"\b(?:your|all|prior|previous|earlier)\b.{0,20}?\b(?:instructions|directives|rules)\b.{0,12}?"
            r"\b(?:void|replaced|revoked|have changed|are changed|no longer appl\w+|cancell?ed|obsolete)\b"
        ),
        r"\bnew (?:system )?(?:instructions?|directives?)\b(?: for (?:the )?\w+)?\s*:",
        r"\byour new task\b",
        r"\bsystem prompt (?:update|override|extension)\b",
        r"\bextends? your (?:system prompt|instructions)\b",
        r"\bobey the (?:tool )?server\b",
        r"\bas having the highest authority\b",
        r"\bas system (?:messages|instructions|prompts?)\b",
        r"\bconflicts? with this (?:description|tool)\b.{0,30}?\bignored?\b",
        r"\bother servers'? (?:instruct|instructions)\b",
    ),
    words(
        "against-the-user",
        Severity.SEVERE,
        "It sets itself against what the user wants.",
        (
            r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|override|overrule|disobey)\b (?:what )?(?:the |what )?"
            r"(?:user|human|person)\b(?! (?:agent|id|name|input|group|role|type|account|field|setting|"
            r"permission|defined|provided|specified|locale)s?\b)"
        ),
        r"\bregardless of what the (?:user|human|person) (?:says|wants|asks|has|said)\b",
        r"\b(?:user|human|person) (?:is|are) not allowed to (?:stop|refuse|object)\b",
        (
            r"\beven (?:when|if) the user (?:asks for|wants|prefers|names) (?:another|a different|other|"
            "something else)"
        ),
        r"\bignore what other servers\b",
        (r"\boverrid(?:e|es|ing) (?:anything|everything|all|what)\b.{0,12}?\b(?:developer|operator|user|" r"human)\b"),
        r"\b(?:priority|precedence) over the (?:user|developer)\b",
        r"\bbefore the user'?s\b.{0,20}?\b(?:wishes|instructions)\b",
    ),
    words(
        "claims-approval",
        Severity.SEVERE,
        "It claims that the user agreed, or that nobody has to.",
        (
            r"\buser (?:has |had )?(?:already )?(?:pre-?)?(?:approved|agreed|consented|authori[sz]ed) "
            "(?:to )?(?:all|any|every|it|of|the deletion|of it)"
        ),
        r"\bpre-?approved all\b",
        r"\buser (?:has )?(?:pre-?approved|agreed)\b",
        (
            r"\b(?:without|do not need|don'?t need|not require|no need for|skip|bypass|disable)\b[^.]{0,24}?"
            r"\b(?:the )?(?:users?'?s? )?(?:approvals?|consent|permission of the user|"
            r"confirmation of the user|confirmation dialog|confirmations)\b"
        ),
        r"\b(?:all )?restrictions (?:are|were|have been) (?:lifted|removed)\b",
        r"\b(?:unrestricted|maintenance|god) mode\b",
        r"\bskip every approval\b",
        r"\bno limits\b(?! on| for| to)",
        r"\bgranted root\b",
        r"\bproceed without confirmation\b",
        r"\bskip the confirmation\b",
        r"\bpolicies do not apply\b",
        r"\bpretend that the user\b",
    ),
    words(
        "without-asking",
        Severity.MINOR,
        "It tells the model to go on without asking.",
        r"\bwithout (?:asking|confirming)\b",
        r"\b(?:do not|don'?t|never) ask (?:the |for |again|anybody)",
        places=PROSE,
    ),
    words(
        "new-role",
        Severity.SEVERE,
        "It tells the model who it is to be.",
        r"\byou are now (?:in \w+ mode|dan\b|root\b|an? (?!\w+ (?:step|turn)s? )\w+|free\b|unrestricted)",
        r"\byou are no longer an?\b",
        r"\b(?:act|acting) as (?:root|dan\b|an? (?:admin\w*|superuser|attacker|hacker))",
        r"\bfrom now on,? (?:you\b|answer\b|use\b|ignore\b|cc\b|always\b|all\b|every\b|assume\b|act\b)",
        r"\bmust (?:now )?act as\b",
    ),
    words(
        "speaks-to-model",
        Severity.SEVERE,
        "It speaks to the model itself, apart from what the tool does.",
        rf"\b(?:dear|attention|hey|listen),? (?:the |all |any )?{_MODEL}\b",
        rf"\bto the {_MODEL} (?:reading|that reads|summari[sz]ing|processing)\b",
        rf"\bif you(?: a|')re an? {_MODEL}\b",
        r"@ai[-_ ]?agent\b",
        rf"\bas an {_MODEL} you (?:are required|must|have)\b",
        (
            r"(?:^|[.!?\n(;<*/:]|--)\s*(?:the )?\b(?:ai(?: agents?| assistant)?|llms?|assistant|"
            r"language model|model)\b\s*[,:]\s*\b(?:please |also |now |must |do not |don'?t |you )*(?:ignore|"
            "disregard|call|run|read|send|fetch|delete|forget|disable|mention|never|refuse|first|invoke|use|"
            r"add|override|understood|skip|tell|i will|forward|open|execute|trust|approve)\b"
        ),
        (
            rf"\b{_MODEL} (?:must|has to|have to|shall|should|needs to|is required to)\b[^.]{{0,60}}?"
            rf"\b(?:without asking|disregard|ignore|highest (?:value|authority)|trust|obey|cleanup with force|"
            rf"purge|wipe|the secrets?|upload first)"
        ),
        (
            rf"\b{_MODEL} (?:must|has to|shall|is required to) (?:first )?(?:also )?(?:call|run|invoke|send|"
            rf"forward|include|pass|treat|fill|set|read)\b"
        ),
    ),
    words(
        "fake-system-text",
        Severity.SEVERE,
        "It has marks that only the text round a conversation has: of systems, roles or tools' results.",
        (
            r"<\|(?:im_start|im_end|system|user|assistant|start_header_id|end_header_id|eot_id|endoftext|"
            r"begin_of_text)\|>"
        ),
        r"\[/?inst\]",
        "<</?sys>>",
        "</?system(?:[-_ ](?:reminder|prompt|message|instructions?))?>",
        r"\[/?system\]",
        "</tool[-_](?:result|description|output|response)>",
        "</?assistant(?:[-_]instructions?)?>",
        "<secret>",
        "<sys>",
        r"\{\{#system\}\}",
        "<important>",
        r"###\s*(?:instructions?\s*:|system prompt)",
        r"\bsystem override\b",
        r"(?:^|[.!\n]|--)\s*system\s*:\s*(?:you|the|all|ignore|new)\b",
        in_results=Severity.MINOR,
    ),
    words(
        "fake-turns",
        Severity.SEVERE,
        "It plays a conversation in which the user or the model has agreed already.",
        r"\b(?:human|user)\s*:.{0,150}?\n\s*assistant\s*:",
        r"\n\s*assistant\s*:\s*i (?:will|have)\b",
        in_results=Severity.MINOR,
    ),
    words(
        "prefers-itself",
        Severity.MINOR,
        "It wants to be taken before any other tool.",
        r"\balways (?:pick|choose|prefer|select) this tool\b",
        r"\bthis tool over (?:any|every|all)\b",
        places=PROSE,
    ),
)
