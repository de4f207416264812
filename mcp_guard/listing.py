"""What a client is shown: every server's listing, filtered and narrowed by the judge that will judge the calls (law 3).

A listing is fetched whole (all pages) and answered as one page. It depends on documents, principal and expiry, never on
budgets. What a server said last is kept for calls until the server says that it changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from mcp_guard import catalog, found, log, offers
from mcp_guard.answers import is_complete
from mcp_guard.catalog import Listing, Tool
from mcp_guard.context import Context, Listed, guarded
from mcp_guard.deliveries import TOOLS
from mcp_guard.downstream import Downstream
from mcp_guard.eras import Era, strip_own_meta
from mcp_guard.errors import ServerGone
from mcp_guard.lock.pins import PinKind
from mcp_guard.model import Call, Kind
from mcp_guard.policy.decide import visible
from mcp_guard.policy.listing import narrowed_schema
from mcp_guard.policy.steady import Span, steady_span
from mcp_guard.record.entries import EntryKind
from mcp_guard.session import InFlight
from mcp_guard.sighting import PINNED, is_old, sighted, sighted_others
from mcp_guard.wire import serialize

MAX_PAGES = 1000
MAX_ITEMS = 10_000
"""Things in one listing: reading more would hold up the other servers for seconds, and no client shows them."""
MAX_SIZE = 64 << 20
"""Bytes of all pages of one listing, roughly: a server could make the guard keep a thousand large pages."""
REPEATS = 2
DEADLINE = 5.0
"""Seconds after which several servers' listing goes out without those that haven't answered; `list_changed` follows."""

KEYS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
_KINDS = {"prompts/list": Kind.PROMPT, "resources/list": Kind.RESOURCE, "resources/templates/list": Kind.RESOURCE}

Fetched = Callable[["list[Any] | None", Mapping[str, Any]], None]


def answer(context: Context, request: InFlight, method: str) -> None:
    """Ask every server, keep what the judge lets through, answer once."""
    context.guard.record.read(context.guard.renew)  # what was taken away just now isn't shown; an error shows nothing
    kind = _KINDS.get(method)
    if kind is not None and not context.guard.grants(kind):
        return request.finish({"result": _framed(context, {}, KEYS[method], [])})
    _Gathering(context, request, method).begin()
    return None


def known_tools(context: Context, exposed: str, then: Callable[[], None]) -> None:
    """Go on once the tools of every server that `exposed` may belong to are known, or can't be."""
    for server in context.session.servers:
        if server.listing is not None and _may_own(context, server, exposed) and is_old(context, server, PinKind.TOOL):
            server.listing = None
    waiting = [server for server in context.session.unsettled() if _may_own(context, server, exposed)]
    left = len(waiting)

    def one_less(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            then()

    if not waiting:
        return then()
    for server in waiting:
        _fetch_tools(context, server, one_less)
    return None


def shows(context: Context, tool: Tool) -> bool:
    """Is this tool shown to the client? Then it may be called; else it doesn't exist."""
    guard, session = context.guard, context.session
    listed = session.tools()
    if listed.get(tool.exposed) is not tool or context.unlocked(tool.server) or session.unshown:
        return shows_call(context, _bare_call(context, tool))
    grounds = (guard.authority, guard.lock, session.principal, listed)
    at_first = context.known.get(tool.server)
    return context.shown.shows(tool, guard.now(), grounds, at_first, partial(_shown_how_long, context))


def _shown_how_long(context: Context, tool: Tool, now: datetime) -> tuple[bool, Span | None]:
    call, facts = _bare_call(context, tool), context.facts(tool.server)
    facts.now = now  # one moment for both: between two of them a deadline may pass
    return visible(context.guard.authority, call, facts), steady_span(context.guard.authority, call, now)


def _bare_call(context: Context, tool: Tool) -> Call:
    return Call(context.session.principal, "tools/call", tool.server, tool.name, {})


def shows_call(context: Context, call: Call) -> bool:
    """Could this target be used at all by this client, whatever the arguments?"""
    if call.target in context.session.unshown.get((call.server, call.kind), ()) or context.unlocked(call.server):
        return False
    return visible(context.guard.authority, call, context.facts(call.server))


def owner_by_name(context: Context, exposed: str) -> Downstream | None:
    """The server that a name belongs to, if it is a tool's at all; no two servers may own one name."""
    for server in context.session.servers:
        if _may_own(context, server, exposed):
            return server
    return None


def unlisted_owner(context: Context, exposed: str) -> Downstream | None:
    """The server that a name may belong to and whose tools can't be told at the moment."""
    servers = [server for server in context.session.servers if _may_own(context, server, exposed)]
    return next((server for server in servers if server.listing is None), None)


def own_name(context: Context, server: Downstream, exposed: str) -> str:
    """The server's own name for what the client calls `exposed`."""
    return exposed[len(server.name) + len(catalog.SEPARATOR) :] if context.guard.prefixed else exposed


def changed(context: Context, server: Downstream) -> None:
    """A server's tools are others now: a listing that is under way may show the old ones, and counts for nothing."""
    context.fetching.pop(server.name, None)


def announce(context: Context) -> None:
    """Tell the client that the tools changed."""
    context.tell(TOOLS, "", None)


def _may_own(context: Context, server: Downstream, exposed: str) -> bool:
    return not context.guard.prefixed or exposed.casefold().startswith(f"{server.name}{catalog.SEPARATOR}".casefold())


class _Gathering:
    """One listing request over all servers."""

    def __init__(self, context: Context, request: InFlight, method: str) -> None:
        self._context = context
        self._request = request
        self._method = method
        self._left = set(context.session.servers)
        self._late: set[Downstream] = set()  # left out of the answer, since they were too slow
        self._items: dict[str, list[Any]] = {}
        self._frame: Mapping[str, Any] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        if len(self._left) > 1:
            self._timer = asyncio.get_running_loop().call_later(DEADLINE, guarded, self._request, self._finish)
        for server in list(self._left):
            self._begin_with(server)

    def _begin_with(self, server: Downstream) -> None:
        server.when_ready(lambda ready: guarded(self._request, lambda: self._ask(server, ready)))

    def _ask(self, server: Downstream, ready: bool) -> None:
        key = KEYS[self._method]
        capability = "resources" if key == "resourceTemplates" else key
        if not ready or capability not in server.capabilities:
            return self._got(server, [], {})
        if self._method == "tools/list":
            return _fetch_tools(
                self._context, server, lambda: guarded(self._request, lambda: self._got_tools(server)), fresh=True
            )
        return fetch(self._context, server, self._method, partial(self._got_others, server))

    def _got_others(self, server: Downstream, items: list[Any] | None, frame: Mapping[str, Any]) -> None:
        def show(kept: list[Any]) -> None:
            guarded(self._request, lambda: self._got(server, self._shown(server, kept), frame))

        def looked_at() -> None:
            if self._method in PINNED and items:
                return sighted_others(self._context, server, self._method, items, show)
            return show(items or [])

        found.look_ahead(self._context, server, items, lambda: guarded(self._request, looked_at))

    def _got_tools(self, server: Downstream) -> None:
        listing = server.listing
        if server in self._late and listing is not None:
            return announce(self._context)  # it came after the answer had gone out without it
        return self._got(server, [], listing.frame if listing is not None else {})

    def _shown_tools(self, listing: Listing | None) -> list[Any]:
        if listing is None:
            return []
        index = self._context.session.tools()
        return [
            _shown_tool(self._context, tool)
            for tool in listing.tools
            if index.get(tool.exposed) is tool and shows(self._context, tool)
        ]

    def _shown(self, server: Downstream, items: list[Any]) -> list[Any]:
        """Prompts, resources and templates that the judge lets through, under the client's names."""
        kind = _KINDS[self._method]
        field = {"prompts/list": "name", "resources/list": "uri"}.get(self._method, "uriTemplate")
        found.look_at(self._context, server, kind, {item[field]: item for item in items if _is_named(item, field)})
        kept = []
        for item in items:
            if not _is_named(item, field):
                continue
            name = item[field]
            params = {"uri": name} if kind is Kind.RESOURCE else {"name": name}
            call = Call(self._context.session.principal, "", server.name, name, params, kind)
            if shows_call(self._context, call):
                prefix = self._context.guard.prefixed and kind is Kind.PROMPT
                item = strip_own_meta(item)
                kept.append({**item, "name": f"{server.name}{catalog.SEPARATOR}{name}"} if prefix else item)
        return kept

    def _got(self, server: Downstream, items: list[Any], frame: Mapping[str, Any]) -> None:
        if server not in self._left:
            return
        self._items[server.name] = items
        self._frame = frame
        self._left.discard(server)
        if not self._left:
            self._finish()

    def _finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left, self._left = self._left, set()
        if self._method == "tools/list":  # only now: which names several servers share shows when all have answered
            self._items = {server.name: self._shown_tools(server.listing) for server in self._context.session.servers}
        self._late |= {server for server in left if server.listing is None or self._method != "tools/list"}
        items = [item for server in self._context.session.servers for item in self._items.get(server.name, ())]
        frame = {} if self._context.guard.prefixed else self._frame
        self._request.finish({"result": _framed(self._context, frame, KEYS[self._method], items)})


def _is_named(item: Any, field: str) -> bool:
    return isinstance(item, dict) and isinstance(item.get(field), str)


def _framed(context: Context, frame: Mapping[str, Any], key: str, items: list[Any]) -> dict[str, Any]:
    result = strip_own_meta({**frame, key: items})
    if context.session.era is Era.MODERN:
        result.setdefault("resultType", "complete")
        result.setdefault("ttlMs", 0)
        result["cacheScope"] = "private"  # filtered for one principal: no cache may share it
    return result


def _shown_tool(context: Context, tool: Tool) -> dict[str, Any]:
    """The descriptor as the client sees it: its name, and a schema that says what is granted."""
    call = _bare_call(context, tool)
    try:
        schema = narrowed_schema(context.guard.authority, call, tool.schema, context.facts(tool.server))
    except Exception:  # a schema that only its own server understands: a hint less, and the call is judged all the same
        schema = dict(tool.schema)
    return {**strip_own_meta(dict(tool.descriptor)), "name": tool.exposed, "inputSchema": schema}


def _fetch_tools(
    context: Context, server: Downstream, then: Callable[[], None], again: int = REPEATS, *, fresh: bool = False
) -> None:
    """List one server's tools, remember them, and go on. On failure what was known is kept as not known.

    A call that comes while a listing is under way shares it. A client that asks itself (`fresh`) has it asked for anew,
    and who waited for an answer that may be lost waits for this one. One that the server made stale meanwhile is asked
    for again, a few times: a server that always says so must not keep us for ever.
    """
    before = context.fetching.get(server.name, [])
    if before and not fresh:
        before.append(then)
        return
    waiting = context.fetching[server.name] = [*before, then]
    before.clear()

    def finish() -> None:
        if context.fetching.get(server.name) is waiting:
            del context.fetching[server.name]
        for go_on in waiting:
            go_on()

    def fetched(items: list[Any] | None, frame: Mapping[str, Any]) -> None:
        if context.fetching.get(server.name) is not waiting and items is not None and again:
            for go_on in waiting:
                _fetch_tools(context, server, go_on, again - 1)
            return None
        try:
            if items is None:
                return finish()
            listing = _read(context, server, items, frame)
            return sighted(context, server, listing, finish)
        except Exception as error:
            log.warning("a listing could not be read", server=server.name, error=type(error).__name__)
            return finish()

    def listed(items: list[Any] | None, frame: Mapping[str, Any]) -> None:
        found.look_ahead(context, server, items, partial(fetched, items, frame))

    def ready(is_ready: bool) -> None:
        if is_ready and "tools" in server.capabilities:
            return fetch(context, server, "tools/list", listed)
        if is_ready:
            server.listing = Listing()
            context.listed[server.name, PinKind.TOOL] = Listed(asyncio.get_running_loop().time())
        return finish()

    server.when_ready(ready)


def _read(context: Context, server: Downstream, items: list[Any], frame: Mapping[str, Any]) -> Listing:
    """The listing, with what the effects catalogue knows of each tool: once for all the calls that go by it."""
    known = context.guard.known(server.spec)
    describe = {"describe": known.describe} if known is not None else {}
    look = partial(context.guard.scans.why_withheld, server.name)
    return catalog.list_tools(server.name, items, prefixed=context.guard.prefixed, frame=frame, look=look, **describe)


def fetch(context: Context, server: Downstream, method: str, done: Fetched) -> None:
    """All pages of one listing of one server. `done(None, {})` if it failed."""
    items: list[Any] = []
    first: dict[str, Any] = {}
    seen: set[str] = set()
    size = 0
    key = KEYS[method]
    give_up: Callable[[str | None], None] = _nothing_to_cancel

    def end(found: list[Any] | None) -> None:
        timer.cancel()
        done(found, first if found is not None else {})

    def late() -> None:
        give_up("timed out")
        server.timed_out()
        log.warning("a listing takes too long", server=server.name, method=method)
        end(None)

    def too_long() -> None:
        """Left out whole. Calls don't ask for it again: reading so much each time would hold up the others."""
        log.warning("a listing is too long", server=server.name, method=method)
        if method == "tools/list" and not server.unlistable:
            server.unlistable = True
            withheld = [{"tool": "(all)", "why": f"its listing is too long: {MAX_ITEMS} are read"}]
            context.note(EntryKind.WITHHELD, {"server": server.name, "tools": withheld})
        end(None)

    def ask(cursor: str | None) -> None:
        nonlocal give_up
        meta = context.session.envelope if context.session.era is Era.MODERN else {}
        asked: dict[str, Any] = offers.modern(context, server.name, {"_meta": meta}) if meta else {}
        if cursor is not None:
            asked["cursor"] = cursor
        try:
            give_up = server.request(method, asked or None, page)
        except ServerGone:
            end(None)

    def page(reply: dict[str, Any]) -> None:
        nonlocal size
        if "gone" not in reply:
            server.answered()
        result = reply.get("result")
        found = result.get(key) if isinstance(result, dict) else None
        if result is None or not isinstance(found, list) or not is_complete(result):  # a listing can't ask anything
            return end(None)
        if not seen:
            first.update({name: value for name, value in result.items() if name not in (key, "nextCursor")})
        items.extend(found)
        if len(items) > MAX_ITEMS:
            return too_long()
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str) or cursor == "":
            return end(items)
        size += len(serialize(result))
        if cursor in seen or len(seen) >= MAX_PAGES or size > MAX_SIZE:
            return too_long()
        seen.add(cursor)
        return ask(cursor)

    timer = asyncio.get_running_loop().call_later(server.spec.timeout, late)
    ask(None)


def _nothing_to_cancel(_: str | None) -> None:
    """Nothing was sent yet."""
