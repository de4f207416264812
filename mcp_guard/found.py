"""What becomes of findings in a conversation: what is withheld is as if it weren't there, and each is told once.

Told to the person on stderr and to the record by rule ids; never a text that was found, which could speak to
whoever reads the record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from mcp_guard import log
from mcp_guard.aside import look
from mcp_guard.context import Context
from mcp_guard.downstream import Downstream
from mcp_guard.eras import SERVER_INFO_KEY
from mcp_guard.inspection.scan.settings import Act
from mcp_guard.model import Kind
from mcp_guard.record.entries import EntryKind
from mcp_guard.scans import INSTRUCTIONS, INTRODUCTION

MOST = 50
"""Things of one server that one entry names."""


def look_at(context: Context, server: Downstream, kind: Kind, things: Mapping[str, Mapping[str, Any]]) -> None:
    """Prompts or resources as they were listed: from here on, those that are withheld aren't there."""
    scans = context.guard.scans
    whys = {name: why for name, thing in things.items() if (why := scans.why_withheld(server.name, name, thing))}
    before = context.session.unshown.get((server.name, kind), frozenset())
    # Resources and their templates are listed apart: what isn't in this listing stays as it was.
    context.session.unshown[(server.name, kind)] = (before - things.keys()) | whys.keys()
    _tell_withheld(context, server, kind.value, whys)
    _tell_found(context, server, kind.value, [one for one in things.items() if one[0] not in whys])


def tell_of_tools(context: Context, server: Downstream) -> None:
    """Tools that have findings and are shown all the same, and names that are traps."""
    listing = server.listing
    if listing is None:
        return
    _tell_found(context, server, "tools", [(tool.name, tool.descriptor) for tool in listing.tools])
    _tell_of_several(context)
    for one in context.session.servers:  # a listing that came late can make an earlier one's name a trap
        traps = {gone.name: gone.why for gone in context.session.shared_names() if gone.server == one.name}
        _tell_withheld(context, one, "names", traps)


def _tell_of_several(context: Context) -> None:
    """Tools that are shown and have findings which need other servers' listings."""
    scans, session = context.guard.scans, context.session
    listings = [one.listing for one in session.servers if one.listing is not None]
    between = scans.near(listings)
    for server in session.servers:
        marked = [(named, one) for named, one in between.items() if named.server == server.name]
        told = [
            {"name": named.name, "rules": [one.rule]}
            for named, one in marked
            if scans.inspect.act(one.severity) is Act.MARK
        ]
        if _is_new(context, server, "found beside others", told):
            context.note(EntryKind.FOUND, {"server": server.name, "found": told[:MOST]})
        text = context.instructed.get(server.name)
        if isinstance(text, str) and not scans.why_withheld(server.name, INSTRUCTIONS, text):
            _tell_of_reference(context, server, text)  # it was passed on before these names were known


def may_instruct(context: Context, server: Downstream, text: object) -> bool:
    """Is a server's text about itself passed on?"""
    if not isinstance(text, str):
        return True
    scans = context.guard.scans
    named = scans.in_instructions(server.name, text)
    why = scans.why_withheld(server.name, INSTRUCTIONS, text)
    if named is not None and scans.act_on(named, server.name, INSTRUCTIONS, text) is Act.WITHHOLD:
        why = why or f"scan: {named}: {named.reason}"
    if why:
        _tell_withheld(context, server, INSTRUCTIONS, {INSTRUCTIONS: why})
        return False
    _tell_found(context, server, INSTRUCTIONS, [(INSTRUCTIONS, text)])
    _tell_of_reference(context, server, text)
    return True


def _tell_of_reference(context: Context, server: Downstream, text: str) -> None:
    scans = context.guard.scans
    named = scans.in_instructions(server.name, text)
    told = []
    if named is not None and scans.inspect.act(named.severity) is not Act.OFF:
        told = [{"name": INSTRUCTIONS, "rules": [named.rule]}]
    if _is_new(context, server, f"found beside others {INSTRUCTIONS}", told):
        context.note(EntryKind.FOUND, {"server": server.name, "found": told})


def tell_of_words(context: Context, server: str, method: str, rules: Collection[str]) -> None:
    """What a server says unasked has findings: each rule is told once of each sort of message, however many come."""
    told = context.session.heard_findings.setdefault((server, method), set())
    if new := [rule for rule in rules if rule not in told]:
        told.update(new)
        context.note(EntryKind.FOUND, {"server": server, "found": [{"name": f"({method[:64]})", "rules": new}]})


def look_ahead(context: Context, server: Downstream, items: list[Any] | None, then: Callable[[], None]) -> None:
    """Look at a long listing beside the loop, and go on when its findings are kept."""
    things = [item for item in items or () if isinstance(item, dict)]

    def job() -> None:
        for thing in things:
            context.guard.scans.findings(thing)

    look(server.name, things, job, lambda _: then(), lambda _: then())  # what failed here fails again where it counts


def introduced(context: Context, server: Downstream, result: dict[str, Any]) -> dict[str, Any]:
    """A server's first answer, with what it says that it is called: if that speaks to the model, the document's name.

    Nobody pins it, since it tells of versions; so it is looked at wherever it is passed on.
    """
    meta = result.get("_meta")
    if "serverInfo" in result:
        result = {**result, "serverInfo": _called(context, server, result["serverInfo"])}
    if isinstance(meta, dict) and SERVER_INFO_KEY in meta:
        result = {**result, "_meta": {**meta, SERVER_INFO_KEY: _called(context, server, meta[SERVER_INFO_KEY])}}
    return result


def _called(context: Context, server: Downstream, info: Any) -> Any:
    if not isinstance(info, dict) or not (why := context.guard.scans.why_withheld(server.name, INTRODUCTION, info)):
        return info
    _tell_withheld(context, server, INTRODUCTION, {INTRODUCTION: why})
    return {"name": server.name, "version": ""}


def _tell_withheld(context: Context, server: Downstream, what: str, whys: Mapping[str, str]) -> None:
    if not _is_new(context, server, f"withheld {what}", dict(whys)):
        return
    tools = [{"tool": name, "why": why} for name, why in list(whys.items())[:MOST]]
    context.note(EntryKind.WITHHELD, {"server": server.name, "tools": tools})
    names = ", ".join(list(whys)[:MOST])
    log.warning("withheld by the scan", server=server.name, what=names, see="mcp-guard check says why")


def _tell_found(context: Context, server: Downstream, what: str, things: list[tuple[str, Any]]) -> None:
    found = context.guard.scans.marked(things)
    if _is_new(context, server, f"found {what}", found):
        context.note(EntryKind.FOUND, {"server": server.name, "found": found[:MOST]})


def _is_new(context: Context, server: Downstream, what: str, told: list[Any] | dict[str, Any]) -> bool:
    """Is there something, and something else than what was told last?"""
    before = context.session.told_findings.get((server.name, what))
    context.session.told_findings[(server.name, what)] = told
    return bool(told) and told != before
