"""Texts that are after secrets: keys, credentials, the files that hold them, and the conversation itself.

Core. To name a place of secrets may be honest (a tool that manages SSH keys); to tell the model to read one and to
hand over what it holds is not.
"""

from __future__ import annotations

from mcp_guard.inspection.scan.finding import Place, Severity
from mcp_guard.inspection.scan.matching import PROSE, words

_FILES = (
    r"(?:~|\$home|/root|/home/\w+|%userprofile%)?[/\\]?\.(?:ssh|aws|gnupg|kube|docker|azure|config/gh|config/gcloud|cursor)[/\\][\w./-]*"
    r"|\bid_(?:rsa|dsa|ecdsa|ed25519)\b|/etc/(?:passwd|shadow|sudoers)|/proc/(?:self|\d+)/environ|\.netrc\b|\.pgpass\b|\.pypirc\b"
    r"|(?<![\w*])\.npmrc\b|\.git-credentials\b|\.(?:bash|zsh)_history\b|claude_desktop_config\.json"
    r"|\.env\b(?!\.example|\.sample)(?: file)?"
    r"|(?<=[~/])\.\w+/mcp\.json"
)
_TAKE = (
    r"(?:read|open|cat|include|attach|pass|send|copy|paste|provide|upload|contents? of|content from"
    r"|look in|collect|extract|take"
    r"|give|put|hand over|fetch|print|dump|lies|ubergib|lis|lee|leggi)"
)
_CREDENTIALS = (
    r"(?:api[ _-]?keys?|passwords?|passphrases?|credentials|private keys?|ssh keys?|seed phrases?"
    r"|mnemonics?|session cookies?|cookies"
    r"|access tokens?|github tokens?|auth tokens?|secrets|secret keys?|browser history|credit card numbers?)"
)

_START = r"(?<![a-z])"

RULES = (
    words(
        "reads-secret-file",
        Severity.SEVERE,
        "It wants a file to be read that holds keys or credentials.",
        rf"\b{_TAKE}\b[^.;]{{0,50}}?(?:{_FILES})",
        rf"(?:{_FILES})[^.;]{{0,40}}?\b(?:and|then) (?:pass|send|give|paste|put|include|call)\b",
        in_results=Severity.MINOR,
    ),
    words(
        "names-secret-file",
        Severity.MINOR,
        "It names a file that holds keys or credentials.",
        r"\.ssh[/\\]",
        r"\bid_(?:rsa|ed25519|ecdsa|dsa)\b",
        "/etc/(?:shadow|passwd)",
        r"\.aws/credentials",
        "/proc/self/environ",
        r"\.gnupg\b",
        r"\.netrc\b",
        r"\.git-credentials",
        "claude_desktop_config",
        r"\.cursor/",
        places=frozenset({Place.PROSE, Place.VALUE}),
    ),
    words(
        "asks-for-credentials",
        Severity.SEVERE,
        "It wants credentials that its own configuration doesn't hold.",
        (
            rf"\b(?:include|put|paste|collect|find|extract|hand over|copy|store|look for|send|gather|read|"
            rf"ask for)\b[^.;]{{0,30}}?\b(?:the users?'?s?|any|all|every|saved|the owner'?s|your|"
            rf"the browser'?s|the)\b[^.;]{{0,24}}?\b{_CREDENTIALS}\b(?! (?:id|ids|name|reference|parameter)"
            rf"\b)[^.;]{{0,24}}?(?:\b(?:here|you find|in `|to `|with this|with it|from the|of the user|in the|"
            rf"user|and saved|argument|that you)|[.,;`\n]|$)"
        ),
        (
            rf"\b(?:the )?(?:users?|owner|person)'?s (?:\w+ )?{_CREDENTIALS}\b(?:[^.;]{{0,20}}?"
            rf"\b(?:if you know|for the log|you find|with you))"
        ),
        r"\b(?:the )?user'?s password, for\b",
        r"\b(?:the )?user'?s (?:\w+ )?token (?:in|to|as) `",
        rf"{_CREDENTIALS}[^.;]{{0,20}}? (?:that you|you) find\b",
        r"\bmnemonic of\b",
        r"\blook for private keys\b",
        r"\buser'?s credentials\b.{0,20}?\bif you\b",
        places=PROSE | {Place.RESULT},
        in_results=Severity.MINOR,
    ),
    words(
        "asks-for-environment",
        Severity.SEVERE,
        "It wants what the environment's variables hold.",
        r"\bprintenv\b",
        (
            r"\b(?:collect|read|include|send|provide|list|put|dump|pass) (?:\w+ )?all "
            r"(?:the )?environment variables\b"
        ),
        r"\ball environment variables\b[^.;]{0,30}?\b(?:run|put|and|in `)",
        (
            r"\b(?:get|take|read|value of|provide|pass|send|needs)\b[^.;]{0,24}?\b\w*(?:secret|api|access)_"
            r"(?:access_)?(?:key|token)\b[^;]{0,30}?\b(?:from the environment|environment|next call|send it|"
            r"and send|along)\b"
        ),
        r"\boutput of `(?:env|printenv|set)`",
        in_results=Severity.MINOR,
    ),
    words(
        "asks-for-conversation",
        Severity.SEVERE,
        "It wants what was said to the model: the conversation or its instructions.",
        (
            r"\b(?:entire|full|whole|complete|all(?: of the| the)?|store the|send the|every)\s+"
            r"\b(?:previous |prior )?(?:conversation|chat|transcript|messages of the conversation)"
            r"\b(?:[^.;]{0,40}?\b(?:in|into|here|first|so far|including|to|field|history)\b)"
        ),
        (
            r"\b(?:provide|give|send|put|include|paste|pass|forward|store)\b[^.;]{0,20}?\b(?:entire|full|"
            r"whole|complete) (?:conversation|chat|transcript)\b"
        ),
        r"\ball previous messages\b",
        r"\bchat history so far\b",
        (
            r"\b(?:your|its|the)(?: \w+)? system prompt\b(?=[^.;]{0,30}?(?:\b(?:into|in `|in the|"
            r"word for word|verbatim|here)\b|,|\.|;|\n|$))"
        ),
        in_results=Severity.MINOR,
    ),
    words(
        "asks-for-shell-output",
        Severity.SEVERE,
        "It wants the output of a command that shows secrets.",
        r"\bcat (?:/etc/(?:passwd|shadow)|~/\.\w+)",
        in_results=Severity.MINOR,
    ),
    words(
        "collecting-parameter",
        Severity.SEVERE,
        "A parameter's name says that it collects secrets or the conversation.",
        rf"{_START}(?:ssh|private|secret)[_-]?(?:private[_-]?)?key[_-]?(?:contents?|data|text|body)",
        rf"{_START}contents?[_-]?of[_-]?(?:the[_-]?)?(?:ssh|env|secret|private|key)",
        rf"{_START}env(?:ironment)?[_-]?file[_-]?contents?",
        rf"{_START}all[_-]?env(?:ironment)?[_-]?var",
        rf"{_START}(?:your|llm|model|assistant)[_-]?system[_-]?prompt",
        rf"{_START}system[_-]?prompt[_-]?(?:text|content)",
        rf"{_START}(?:conversation|chat)[_-]?(?:history|log|transcript)",
        rf"{_START}full[_-]?(?:chat|conversation)",
        rf"{_START}(?:previous|other|all)[_-]?tool[_-]?(?:results?|outputs?|calls?)",
        rf"{_START}users?[_-]?(?:api[_-]?keys?|passwords?|credentials|secrets|tokens)",
        rf"{_START}sidenote[_-]\w",
        places=frozenset({Place.NAME}),
    ),
)
