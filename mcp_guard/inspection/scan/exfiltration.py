"""Texts that have data leave: pictures and links with data in their address, uploads, mails, shells.

Core.
"""

from __future__ import annotations

from mcp_guard.inspection.scan.finding import Severity
from mcp_guard.inspection.scan.matching import PROSE, words

_DATA = (
    r"(?:data|token|secret|cookies?|conversation|chat|history|messages?|user|replace|insert"
    r"|api_?key|key|password|contents?|summary|prompt|env)"
)
_LOAD = (
    r"(?:conversation|messages?|thread|everything|results?|files?|cop(?:y|ies)|data|workspace|documents?|summary|contents?|secrets?"
    r"|tokens?|session|archive|project)"
)
_SEND = r"(?:send|post|forward|upload|e?mail|copy|leak|exfiltrate|submit|deliver|report)"
_TO = r"(?:https?://|s3://|[\w.+-]{1,64}@[\w-]{1,64}\.[a-z])"

RULES = (
    words(
        "image-with-data",
        Severity.SEVERE,
        "A picture or link has a place for data in its address: showing it sends the data away.",
        (
            r"!\[[^\]]{0,80}\]\(\s*https?://[^)\s]{0,200}[?/=&][^)\n]{0,60}?(?:[{\[<]+\s*[\w ]{0,30}[}\]>]|"
            r"=data\b|(?<![a-z])replace|=token)"
        ),
        rf"\[[^\]]{{0,80}}\]\(\s*https?://[^)\s]{{0,200}}=\s*[{{\[<]+[^)\n]{{0,60}}?{_DATA}",
        r"<img\b[^>]{0,100}src\s*=\s*[\"']?https?://[^>]{0,200}=(?:[{\[<]+\s*[\w. ]{0,30}[}\]>]|data\b)",
    ),
    words(
        "sends-elsewhere",
        Severity.SEVERE,
        "It has data sent to an address of its own.",
        (
            rf"\b{_SEND}\b[^.;\n]{{0,40}}?\b(?:the|a|all|every|each|these|this|your|its|it)\b[^.;\n]{{0,30}}?"
            rf"\b{_LOAD}\b[^;\n]{{0,50}}?\b(?:to|at|into|bucket)\b[^;\n]{{0,30}}?{_TO}"
        ),
        rf"\b{_SEND} (?:all|everything|every)\b[^;\n]{{0,40}}?\bto\b[^;\n]{{0,20}}?{_TO}",
        (
            r"\b(?:always |also )?(?:add|put|include|set)\b[^;\n]{0,24}?@[\w-]{1,64}\.[\w.-]{1,64} (?:in|to|"
            r"as) (?:the )?(?:b?cc|recipients?)\b"
        ),
        (
            r"\b(?:append|add|put|attach)\b[^.;\n]{0,30}?\b(?:token|secret|key|conversation|cookie)s?"
            r"\b[^;\n]{0,20}?\bto the (?:url|link|address)\b"
        ),
        in_results=Severity.MINOR,
    ),
    words(
        "shell-upload",
        Severity.SEVERE,
        "It has a shell send a file away, or run what a server sends.",
        (
            r"\bcurl\b[^\n]{0,80}?(?:(?:-d|-f|-t|--data|--data-binary|--form|"
            r"--upload-file)[ =][^\n]{0,12}?[@.~/]|\|\s*(?:ba|z)?sh\b)"
        ),
        r"\bwget\b[^\n]{0,40}?(?:--post-file|--post-data|\|\s*(?:ba|z)?sh\b)",
        "/dev/tcp/",
        in_results=Severity.MINOR,
    ),
    words(
        "name-lookup-with-data",
        Severity.SEVERE,
        "It has data looked up as a host's name, which sends it away.",
        (r"\b(?:resolve|dns|lookup|nslookup)" r"\b[^\n]{0,40}?[<{$]\{?[\w ]{1,30}[>}]\.[\w-]{1,64}\.[\w.-]{2,64}"),
    ),
    words(
        "collecting-host",
        Severity.SEVERE,
        "It names a host that collects whatever is sent to it.",
        r"\bwebhook\.site\b",
        r"\brequestbin\b",
        r"\boast\.(?:fun|pro|live|me|online|site|test)\b",
        r"\binteract\.sh\b",
        r"\bpipedream\.net\b",
        r"\bburpcollaborator\b",
        r"\brequestcatcher\b",
        r"\bbeeceptor\b",
        in_results=Severity.MINOR,
    ),
    words(
        "bare-address",
        Severity.SEVERE,
        "It has something sent to a numeric address.",
        (
            rf"\b{_SEND}\b[^;\n]{{0,60}}?\bhttps?://(?!127\.|10\.|192\.168\.|0\.0\.0\.0)\d{{1,3}}"
            rf"(?:\.\d{{1,3}}){{3}}\b"
        ),
        places=PROSE,
    ),
)
