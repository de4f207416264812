"""Ways out for values that are nearly right: what somebody most likely meant by `mon-fri`, `send` or a bare date.

Core. Hints only: none of them makes a value count. A hint is given only where it loads if it is written so.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcp_guard.policy.times import DAYS, parse_moment

_TAILS = ("Z", ":00Z", "T00:00:00Z")
_EFFECTS = {
    **dict.fromkeys(("send", "network", "post", "share", "external"), "egress"),
    **dict.fromkeys(("delete", "destroy", "remove", "irreversible"), "destructive"),
    **dict.fromkeys(("pay", "money", "buy", "purchase"), "spend"),
    **dict.fromkeys(("run", "exec", "shell", "code"), "execute"),
    **dict.fromkeys(("readonly", "read-only", "read_only", "none"), "read"),
    **dict.fromkeys(("edit", "create", "change"), "write"),
}
_WEEK = f"[{', '.join(DAYS[:5])}]"


def moment_hint(text: str) -> str:
    """For what isn't a point in time: the same with a zone, or an example."""
    joined = text.strip().replace(" ", "T")
    meant = next((joined + tail for tail in _TAILS if parse_moment(joined + tail) is not None), "")
    return f"write it with its zone: {meant or '2026-12-31T00:00:00Z'}"


def day_hint(text: str) -> str:
    """For what isn't a day: the day that begins so, the working week, or all that there are."""
    word = text.strip().lower()
    if word in ("weekday", "weekdays", "workdays", "mon-fri", "monday-friday"):
        return f"write {_WEEK}"
    if word[:3] in DAYS and word.isalpha():
        return f"did you mean `{word[:3]}`?"
    return f"write a list of {', '.join(DAYS)}"


def effect_hint(name: object, known: Iterable[str]) -> str:
    """For what isn't an effect: the one that is called otherwise elsewhere, and all that there are."""
    meant = _EFFECTS.get(name.lower(), "") if isinstance(name, str) else ""
    said = f"did you mean `{meant}`? " if meant else ""
    return f"{said}effects are {', '.join(known)}"
