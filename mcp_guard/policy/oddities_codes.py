"""The stable codes of what `mcp-guard check` finds odd, each with the way out. docs/check.md lists them for people.

Core.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """What to do about it; a `note` may well be meant so, and is shown apart."""

    hint: str
    note: bool = False


CODES = {
    "unknown-name": Code("correct the name, or take the rule out"),
    "unknown-argument": Code("correct the argument's name, or take it out"),
    "unknown-label": Code("correct the label, or say under `tools:` what gives it"),
    "unknown-source": Code("correct the tool's name under `from` or `not_from`"),
    "unknown-effects": Code("say under `tools:` what these tools do", note=True),
    "denied-anyway": Code("take the grant out, or narrow the deny"),
    "nothing-granted": Code("keep it for grants that are to come, or take it out", note=True),
    "changes-nothing": Code("take it out, or correct what it was meant to say"),
    "guards-nothing": Code("keep it for grants that are to come, or take it out", note=True),
    "over": Code("move its `until`, or take it out"),
    "duplicate": Code("keep one of the two"),
    "shell": Code("grant tools with an argument for each thing that is to be limited, or ask a person"),
    "client-settings": Code("leave these names out with `not_name`"),
    "unreachable-count": Code("take that end out, or correct the number"),
    "not-locked": Code("name the tools, describe them under `tools:`, or run `mcp-guard lock`"),
    "group-of-everybody": Code("name its members, or drop the group"),
    "no-rule": Code("write a rule about the server, or correct its name"),
    "lacks-argument": Code("list the argument under `args` or `optional`"),
    "other-type": Code("write a limit for the type that the tool's schema has"),
    "beyond-schema": Code("take out the values that the tool's schema refuses"),
    "waits-in-vain": Code("grant that tool, too, or correct its name"),
    "other-name": Code("write `local:NAME`; the name alone is right for who comes by a token", note=True),
    "no-cases": Code("write cases beside it, and run `mcp-guard test`", note=True),
}
"""By code. One that is here stays, with its meaning."""
