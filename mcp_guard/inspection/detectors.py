"""The kinds of secrets that are known: those of `detect-secrets`, and some that it doesn't have.

Core. Only expressions that a secret's own form satisfies, none that go by entropy or by a word in front: those take
hashes and prose for secrets. Each is written so that RE2 takes it, whose time is linear in the text.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

_OWN = (
    (
        "private key",
        r"-----BEGIN[A-Z0-9 ]* PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-[^-])*"
        r"(?:-----END[A-Z0-9 ]* PRIVATE KEY(?: BLOCK)?-----)?",
    ),
    ("json web token", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    ("google api key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("anthropic api key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("openai api key", r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}"),
    ("github token", r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    ("hugging face token", r"\bhf_[A-Za-z0-9]{34}"),
    ("npm token", r"\bnpm_[A-Za-z0-9]{36}"),
    ("slack token", r"\bxapp-[0-9]-[A-Z0-9]{9,}-[0-9]+-[A-Za-z0-9]+"),
    ("authorization header", r"(?i)\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"),
)
_NO_SECRET = {"Public IP (ipv4)"}
_NAMES = {"Basic Auth Credentials": "password in a url", "AWS Access Key": "aws access key"}
_LOOK_AROUND = (  # what RE2 doesn't have, said without: at worst a character more is taken
    ("(?:(?<=\\W)|(?<=^))", "(?:\\W|^)"),
    ("{50,1024}", "{50,}"),
)
_NOT_FOLLOWED = re.compile(r"\(\?![^()]*\)")


def known() -> Iterator[tuple[str, str]]:
    """Name and expression of each; costs 80 ms the first time, so it is asked for only where a rule wants it."""
    yield from _OWN
    plugins = importlib.import_module("detect_secrets.plugins")
    base = importlib.import_module("detect_secrets.plugins.base").RegexBasedDetector
    for module in sorted(one.name for one in pkgutil.iter_modules(plugins.__path__)):
        for detector in vars(importlib.import_module(f"detect_secrets.plugins.{module}")).values():
            if _is_one(detector, base) and detector.__module__.endswith(f".{module}"):
                name = str(detector.secret_type)
                yield from ((_NAMES.get(name, name.lower()), _for_re2(one)) for one in detector().denylist)


def _is_one(detector: object, base: type) -> bool:
    return (
        inspect.isclass(detector)
        and issubclass(detector, base)
        and not inspect.isabstract(detector)
        and getattr(detector, "secret_type", "") not in _NO_SECRET
    )


def _for_re2(expression: re.Pattern[str]) -> str:
    pattern = _NOT_FOLLOWED.sub("", expression.pattern)
    for theirs, ours in _LOOK_AROUND:
        pattern = pattern.replace(theirs, ours)
    return f"(?i){pattern}" if expression.flags & re.IGNORECASE else pattern
