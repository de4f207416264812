"""Does a tool take more than it did, or admit to less? What a reviewer should look at first.

Core. It marks; it doesn't decide: whatever changed is withheld, looser or not. So it may say "looser" of what isn't
(what can't be compared counts as looser), and must not stay silent about what is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcp_guard.lock.blocks import dumped
from mcp_guard.model import Json

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_WORDS_ONLY = frozenset({"title", "description", "examples", "default", "$comment", "deprecated"})
_HINTS = {"readOnlyHint": True, "idempotentHint": True, "destructiveHint": False, "openWorldHint": False}
"""The value of each hint that claims to be harmless."""


def looser(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[str, ...]:
    """What is looser in `new`, as `guard.lock` shows both; in words, in a fixed order."""
    return (*_arguments(old, new), *_schema(old, new), *_annotations(old.get("annotations"), new.get("annotations")))


def _arguments(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    before, after = _mapping(old.get("arguments")), _mapping(new.get("arguments"))
    needed = {str(name) for name in _list(old.get("required"))}
    for name in sorted(after.keys() - before.keys()):
        yield f"takes `{_shown(name)}`, which it did not"
    for name in sorted(needed - {str(name) for name in _list(new.get("required"))}):
        yield f"no longer requires `{_shown(name)}`"
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name] and not _tighter(before[name], after[name]):
            yield f"`{_shown(name)}` may be more than it was"


def _schema(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    before, after = old.get("schema"), new.get("schema")
    if before == after:
        return
    closed = isinstance(before, Mapping) and before.get("additionalProperties") is False
    if closed and not (isinstance(after, Mapping) and after.get("additionalProperties") is False):
        yield "takes arguments that it doesn't name, which it did not"
    elif not _tighter(before or {}, after or {}):
        yield "other limits of its arguments may be wider"


def _annotations(old: Json, new: Json) -> Iterator[str]:
    if isinstance(old, str) or isinstance(new, str):
        if old != new:
            yield "what it admits to may be less"
        return
    before, after = _mapping(old), _mapping(new)
    for hint, harmless in _HINTS.items():
        if before.get(hint) != after.get(hint) and (after.get(hint) is harmless or before.get(hint) is (not harmless)):
            yield f"says `{hint}: {dumped(after.get(hint))}` of itself now"


def _tighter(old: Json, new: Json) -> bool:
    """Is it certain that `new` takes nothing that `old` didn't?"""
    if old == new or old is True or old == {}:
        return True
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new is False
    return all(_keyword(name, old.get(name), new.get(name)) for name in old.keys() | new.keys())


def _keyword(name: str, old: Json, new: Json) -> bool:
    """Is one keyword of a schema as tight as it was, or tighter?"""
    if old == new or name in _WORDS_ONLY:
        return True
    if name in ("enum", "type"):
        before, after = ({dumped(each) for each in (one if isinstance(one, list) else [one])} for one in (old, new))
        return old is None or (new is not None and after <= before)
    if name in _LOWER or name in _UPPER:
        if old is None:
            return True
        if type(old) not in (int, float) or type(new) not in (int, float):
            return False
        return bool(new >= old if name in _LOWER else new <= old)
    if name == "items":
        return old is None or _tighter(old, new)
    return old is None and name in ("pattern", "format", "const", "uniqueItems", "multipleOf")


def _shown(name: str) -> str:
    """A name without what can't be seen: whoever wrote the server chose it."""
    return dumped(name)[1:-1]


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
