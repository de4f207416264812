"""Names of tools that are nearly another server's: what a model may take for it.

Core. Names that are the same are common (`search`) and told apart by their servers' prefix; what differs only to a
program is a trap. The later one, in the order of the configuration, has the finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcp_guard.inspection.scan.finding import Finding, Severity
from mcp_guard.inspection.scan.folding import fold
from mcp_guard.inspection.scan.matching import Rule

LOOK_ALIKE = Rule(
    "look-alike-name",
    Severity.SEVERE,
    "Its name looks like that of another server's tool, and is written with other letters.",
)
NEAR_NAME = Rule(
    "near-name", Severity.MINOR, "Its name is that of another server's tool, spelled a little differently."
)
RULES = (LOOK_ALIKE, NEAR_NAME)

_SHORTEST = 8
"""Letters from which on a name with one letter more, less or other is taken for the same."""
_PLAIN = str.maketrans("01i|", "olll")
"""Signs that look like others in some typeface."""


@dataclass(frozen=True, slots=True)
class Named:
    """A tool by its server and its name there."""

    server: str
    name: str


def near_names(tools: Sequence[Named]) -> dict[Named, Finding]:
    """What is nearly the name of an earlier server's tool. Linear in the tools."""
    found: dict[Named, Finding] = {}
    spellings: dict[str, Named] = {}
    looks: dict[str, Named] = {}
    near: dict[str, Named] = {}
    for tool in tools:
        spelling = _spelling(tool.name)
        look = _look(spelling)
        rule = _compared(tool, spelling, look, (spellings, looks, near))
        if rule is not None:
            found[tool] = Finding(rule.id, rule.severity, rule.reason, (0, len(tool.name)), "name")
        spellings.setdefault(spelling, tool)
        looks.setdefault(look, tool)
        for key in _without_one(look):
            near.setdefault(key, tool)
    return found


def _compared(tool: Named, spelling: str, look: str, seen: tuple[dict[str, Named], ...]) -> Rule | None:
    spellings, looks, near = seen
    same = spellings.get(spelling)
    if same is not None:
        differs = same.server != tool.server and same.name != tool.name
        return NEAR_NAME if differs else None
    alike = looks.get(look)
    if alike is not None and alike.server != tool.server:
        return LOOK_ALIKE
    for key in _without_one(look):
        other = near.get(key)
        if other is not None and other.server != tool.server and not _is_plural(_spelling(other.name), spelling):
            return NEAR_NAME
    return None


def _spelling(name: str) -> str:
    """Without letter case, and without what separates words; other scripts' letters are still others."""
    return name[:256].casefold().replace("-", "").replace("_", "").replace(".", "")


def _look(spelling: str) -> str:
    """What a reader makes of it at a glance."""
    return fold(spelling).translate(_PLAIN).replace("rn", "m").replace("vv", "w").replace("cl", "d")


def _without_one(look: str) -> Iterator[str]:
    """The name, and the name less each letter: two names with a common one differ by about a letter."""
    if len(look) >= _SHORTEST:
        yield look
        for number in range(1, len(look)):  # another first letter is another word (`get`, `set`)
            yield look[:number] + look[number + 1 :]


def _is_plural(one: str, other: str) -> bool:
    """`list_issue` and `list_issues`, `get_item1` and `get_item2`: what honest servers have."""
    if one.rstrip("0123456789") == other.rstrip("0123456789"):
        return True
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    if len(longer) == len(shorter):
        return False
    at = next((n for n, char in enumerate(shorter) if longer[n] != char), len(shorter))
    return longer[at] == "s"
