"""Comparing directories and names: what lies below what, wherever links lead.

Core. Mirrors `constraint_paths`. A directory that a document names itself may be a link, and the document vouches for
where it leads; what lies below a variable's directory is followed only if no link stands between.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcp_guard.policy.canonical import folded, is_inside
from mcp_guard.policy.constraint_kinds import Under


def stays_under(inner: Under, outer: Under, *, exactly: bool = False) -> bool:
    """A clear yes of `inner` is a clear yes of `outer`; `exactly`: `inner` is one listed path, not a directory."""
    if inner.uri != outer.uri or not is_inside(inner.root, outer.root):
        return False
    if exactly and not inner.start:
        return False  # a listed path is not followed: it may lead anywhere
    if outer.root == "/":
        return True
    if exactly and inner.root.endswith("/"):
        return False
    vouched = not outer.start or (bool(inner.start) and is_inside(outer.start, inner.start))
    if inner.root == outer.root and not exactly:
        return vouched
    return vouched and bool(inner.start) and is_inside(outer.root, inner.start)


def is_reached(inner: Under, outer: Under) -> bool:
    """What `inner` says yes to is no clear no of `outer`: as written it already lies there, letter case ignored."""
    return inner.uri == outer.uri and is_inside(folded(inner.root), folded(outer.root))


def all_named(names: Iterable[str], globs: Iterable[str]) -> bool:
    """Every segment that one of `names` means is one that some of `globs` means."""
    known = [folded(glob) for glob in globs]
    return all(any(_means(glob, folded(name)) for glob in known) for name in names)


def _means(glob: str, other: str) -> bool:
    """Does `glob` mean every segment that `other`, a glob too, means? A `*` there needs a `*` here."""
    reached = {0}  # positions in `glob` that are reached after a part of `other`
    reached = _past_stars(glob, reached)
    for character in other:
        after: set[int] = set()
        for at in reached:
            if at == len(glob):
                continue
            if glob[at] == "*":
                after.add(at)
            elif character != "*" and (glob[at] == character or glob[at] == "?"):
                after.add(at + 1)
        reached = _past_stars(glob, after)
    return len(glob) in reached


def _past_stars(glob: str, reached: set[int]) -> set[int]:
    found = set(reached)
    for at in sorted(reached):
        while at < len(glob) and glob[at] == "*":
            at += 1
            found.add(at)
    return found
