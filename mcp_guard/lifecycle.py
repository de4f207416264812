"""How a conversation begins, in either era, for one server (mirrored) or several (as one).

One server: what the client says goes to it and its own answer comes back, so that no feature is translated. Several:
the guard answers for them; it offers the modern era only when every server was heard to speak it in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from mcp_guard import __version__, exposure, found, inspecting, offers, pinning, refusal, sighting
from mcp_guard.answers import is_complete, plain_error
from mcp_guard.context import Context, guarded
from mcp_guard.downstream import NOT_OPENED, Downstream, State
from mcp_guard.eras import (
    LEGACY_REVISIONS,
    MODERN_REVISIONS,
    SERVER_INFO_KEY,
    UNSUPPORTED_REVISION,
    Era,
    envelope,
    for_one_principal,
    revision_of,
    strip_own_meta,
)
from mcp_guard.errors import ServerGone
from mcp_guard.model import Kind
from mcp_guard.patience import patiently
from mcp_guard.session import InFlight

HANDSHAKE_DEADLINE = 5.0
"""Seconds after which several servers' handshake is answered for those that are there; the others come in later."""
DISCOVERY_DEADLINE = 3.0
"""Seconds in which a server has to say that it speaks the modern era; later, or not at all, means legacy."""

ASK_AGAIN = 300.0
"""Seconds for which servers that don't all speak the modern era aren't started again just to be asked."""

_RELAYED = frozenset({"tools", "logging"})
_KNOWN = _RELAYED | {"prompts", "completions", "resources"}


def initialize(context: Context, request: InFlight, params: dict[str, Any]) -> None:
    """The handshake of the legacy era."""
    session = context.session
    if session.era is Era.LEGACY and session.settled:
        return request.finish(refusal.invalid_request("the connection was initialized before"))
    info = params.get("clientInfo")
    session.client = str(info.get("name", ""))[:64] if isinstance(info, dict) else ""
    said = params.get("capabilities")
    session.capabilities = said if isinstance(said, dict) else {}
    session.era = Era.LEGACY
    session.settled = True

    def done(replies: dict[str, dict[str, Any]]) -> None:
        _hear(context, replies, lambda: guarded(request, lambda: greet(replies)))

    def greet(replies: dict[str, dict[str, Any]]) -> None:
        if not context.guard.prefixed:
            answer = _mirrored(context, replies)
            if "error" in answer:  # nothing has begun: the client may try again, in the other era too
                session.era, session.settled = None, False
            return _tell(context, request, answer)
        asked = params.get("protocolVersion")
        revision = asked if asked in LEGACY_REVISIONS else LEGACY_REVISIONS[-1]
        return _tell(context, request, {"result": {"protocolVersion": revision, **_together(context)}})

    _open_all(
        context,
        Era.LEGACY,
        "initialize",
        params,
        HANDSHAKE_DEADLINE,
        lambda replies: guarded(request, lambda: done(replies)),
        translate=True,  # this client has chosen: a server of the other era only is no use to it otherwise
    )
    return None


def discover(context: Context, request: InFlight, params: dict[str, Any]) -> None:
    """The question of the modern era: which revisions, which capabilities."""
    if context.session.era is Era.MODERN:
        return _discover_again(context, request, params)
    prefixed = context.guard.prefixed

    def done(replies: dict[str, dict[str, Any]]) -> None:
        if not _all_modern(context, replies):
            return request.finish(_not_modern(context, replies))
        context.session.era = Era.MODERN
        return _hear(context, replies, lambda: guarded(request, lambda: greet(replies)))

    def greet(replies: dict[str, dict[str, Any]]) -> None:
        _tell(context, request, _together_modern(context) if prefixed else _mirrored(context, replies))

    def joined(replies: dict[str, dict[str, Any]]) -> None:
        if replies and context.session.era is Era.MODERN:
            return _hear(context, replies, lambda: guarded(request, lambda: greet(replies)))
        return discover(context, request, params)

    if context.session.insisting:  # they are being opened in this era for others: to open them anew would end that
        return context.session.insisting.append(lambda replies: guarded(request, lambda: joined(replies)))
    _open_modern(context, request, params, done)
    return None


def _discover_again(context: Context, request: InFlight, params: dict[str, Any]) -> None:
    """The servers are open and may be at work: the one is asked, none is started anew."""
    if context.guard.prefixed:
        now = {server.name: {"result": server.hello} for server in context.session.servers}
        return _hear(context, now, lambda: guarded(request, lambda: _tell(context, request, _together_modern(context))))
    server = context.session.servers[0]

    def replied(reply: dict[str, Any]) -> None:
        gone = {"error": {"code": NOT_OPENED, "message": "The tool server ended before it answered."}}
        answer = gone if "gone" in reply else reply
        replies = {server.name: answer}
        _hear(context, replies, lambda: guarded(request, lambda: _tell(context, request, _mirrored(context, replies))))

    def ready(_: bool) -> None:
        try:
            request.sent(server.request("server/discover", offers.modern(context, server.name, params), replied))
        except ServerGone:
            replied({"gone": ""})

    server.when_ready(ready)
    return None


def _tell(context: Context, request: InFlight, answer: dict[str, Any]) -> None:
    """Answer, once the labels that its instructions give are recorded; without them nobody hears the instructions."""
    failed = (
        {**answer, "result": {key: said for key, said in answer["result"].items() if key != "instructions"}}
        if ("result" in answer)
        else answer
    )
    exposure.instructed(context, answer, lambda: request.finish(answer), lambda: request.finish(failed))


def _together_modern(context: Context) -> dict[str, Any]:
    result = {
        "resultType": "complete",
        "supportedVersions": list(MODERN_REVISIONS),
        "ttlMs": 0,
        "cacheScope": "private",
        **_together(context),
    }
    result["_meta"] = {SERVER_INFO_KEY: result.pop("serverInfo")}
    return {"result": result}


def _open_modern(
    context: Context, request: InFlight, params: dict[str, Any], done: Callable[[dict[str, dict[str, Any]]], None]
) -> None:
    """Open every server in the modern era, once for all requests that want it."""
    session = context.session
    if session.shared and asyncio.get_running_loop().time() < session.legacy_until:
        return done({})
    session.joining.append(lambda replies: guarded(request, lambda: done(replies)))
    if len(session.joining) > 1:
        return None

    def opened(replies: dict[str, dict[str, Any]]) -> None:
        joined, session.joining = session.joining, []
        if session.shared and not _all_modern(context, replies):
            # The client falls back to a conversation of its own; these processes would serve nobody.
            if session.named or not _names_modern(replies):
                session.legacy_until = asyncio.get_running_loop().time() + ASK_AGAIN
            session.named = not session.named and _names_modern(replies)
            for server in session.servers:
                server.rest()
        for go_on in joined:
            go_on(replies)

    _open_all(context, Era.MODERN, "server/discover", params, DISCOVERY_DEADLINE, opened, translate=False)
    return None


def _hear(context: Context, replies: dict[str, dict[str, Any]], then: Callable[[], None]) -> None:
    """Go on once it is clear whose instructions may be passed on: those that are what they were."""

    def step() -> None:
        specs = [server.spec for server in context.session.servers]
        context.guard.scans.expect(lambda: pinning.names_seen(context.guard, specs))
        for server in context.session.servers:
            result = replies.get(server.name, {}).get("result")
            if not isinstance(result, dict):
                continue
            said = result.get("instructions")
            drifted = pinning.instructions_held(context.guard, server.spec, said)
            if drifted is not None and context.instructed.get(server.name) is not False:
                sighting.say_withheld(context, server, (drifted,))
            context.instructed[server.name] = said if drifted is None else False
        then()

    def failed() -> None:
        context.instructed.clear()
        then()

    patiently(step, failed)


def _passes(context: Context, server: str, instructions: object) -> bool:
    """Are these the very instructions that were found to be what they were?"""
    return isinstance(instructions, str) and instructions == context.instructed.get(server)


def _not_modern(context: Context, replies: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The one server's own error, so that a dual-era client falls back to `initialize`; else that of an old server."""
    if not context.guard.prefixed:
        for reply in replies.values():
            if "error" in reply and reply["error"].get("code") != NOT_OPENED:
                return {"error": plain_error(reply["error"])}
    return refusal.unknown_method()


def ensure_modern(context: Context, request: InFlight, params: dict[str, Any], then: Callable[[], None]) -> None:
    """A modern request goes on once the servers are open, each in its own era: who sends one wants this era.

    `server/discover` alone is a probe: it is refused where a server is of the other era, so that a client which knows
    both goes over to that, where nothing has to be translated.
    """
    session = context.session
    if session.era is Era.MODERN:
        return then()

    def done(_: dict[str, dict[str, Any]]) -> None:
        if session.era is Era.MODERN:
            return then()
        data = {"supported": list(LEGACY_REVISIONS), "requested": revision_of(params)}
        error = {"code": UNSUPPORTED_REVISION, "message": "Unsupported protocol version", "data": data}
        return request.finish({"error": error})

    session.insisting.append(lambda replies: guarded(request, lambda: done(replies)))
    if len(session.insisting) > 1:
        return None
    begin = partial(_open_translated, context, {"_meta": envelope(params)})
    if session.joining:  # a probe is under way: what it finds counts
        session.joining.append(lambda _: begin())
        return None
    return begin()


def _open_translated(context: Context, params: dict[str, Any]) -> None:
    """Open every server in the modern era, or in the other one behind a translation."""
    session = context.session

    def opened(replies: dict[str, dict[str, Any]]) -> None:
        joined, session.insisting = session.insisting, []
        if not session.settled and any(_is_modern(server, replies) for server in session.servers):
            # Of several servers, the others come in later.
            session.era = Era.MODERN
        for go_on in joined:
            go_on(replies)

    if session.era is Era.MODERN or session.settled:
        return opened({})
    return _open_all(context, Era.MODERN, "server/discover", params, HANDSHAKE_DEADLINE, opened, translate=True)


def _open_all(
    context: Context,
    era: Era,
    method: str,
    params: dict[str, Any],
    deadline: float,
    done: Callable[[dict[str, dict[str, Any]]], None],
    *,
    translate: bool,
) -> None:
    """Open every server; go on when all have answered, or at the deadline with those that have."""
    servers = context.session.servers
    replies: dict[str, dict[str, Any]] = {}
    finished = False

    def finish() -> None:
        nonlocal finished
        if not finished:
            finished = True
            timer.cancel()
            done(replies)

    def replied(server: Downstream, reply: dict[str, Any]) -> None:
        replies[server.name] = reply
        if len(replies) == len(servers):
            finish()

    if not context.guard.prefixed and era is Era.LEGACY:
        deadline = servers[0].spec.timeout  # the client has its own patience with its one server
    timer = asyncio.get_running_loop().call_later(deadline, finish)
    for server in servers:
        told = (offers.handshake if era is Era.LEGACY else offers.modern)(context, server.name, params)
        server.open(era, method, told, partial(replied, server), translate=translate)


def _all_modern(context: Context, replies: dict[str, dict[str, Any]]) -> bool:
    servers = context.session.servers
    if context.session.settled:  # the client has gone on in the other era meanwhile
        return False
    return all(_is_modern(server, replies) for server in servers)


def _is_modern(server: Downstream, replies: dict[str, dict[str, Any]]) -> bool:
    return server.state is State.READY and _speaks_modern(replies.get(server.name, {}))


def _names_modern(replies: dict[str, dict[str, Any]]) -> bool:
    """Did each server refuse the revision that was asked for, but name one of this era? Then the client asks again."""
    return bool(replies) and all(_speaks_modern({"result": _refused_revision(reply)}) for reply in replies.values())


def _refused_revision(reply: dict[str, Any]) -> dict[str, Any]:
    error = reply.get("error")
    data = error.get("data") if isinstance(error, dict) and error.get("code") == UNSUPPORTED_REVISION else None
    return {"supportedVersions": data.get("supported") if isinstance(data, dict) else None}


def _speaks_modern(reply: dict[str, Any]) -> bool:
    result = reply.get("result")
    versions = result.get("supportedVersions") if isinstance(result, dict) else None
    return isinstance(versions, list) and any(version in MODERN_REVISIONS for version in versions)


def _mirrored(context: Context, replies: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The one server's own answer, less the capabilities that nothing grants."""
    if not replies:
        return refusal.invalid_request("the tool server did not answer in time")
    reply = next(iter(replies.values()))
    if "result" not in reply:
        return {"error": plain_error(reply["error"])}
    if not is_complete(reply["result"]):
        return refusal.invalid_request("the tool server asks before it answers, which it may not here")
    result = for_one_principal(strip_own_meta(reply["result"]))
    capabilities = result.get("capabilities")
    if isinstance(capabilities, dict):
        result = {**result, "capabilities": _granted(context, capabilities)}
    one = context.session.servers[0]
    server, said = one.name, result.get("instructions")
    result = found.introduced(context, one, result)
    passes = context.guard.knows(server) and _passes(context, server, said)
    if not (passes and found.may_instruct(context, one, said)):
        result = {key: value for key, value in result.items() if key != "instructions"}
    else:
        result = {**result, "instructions": inspecting.line(context, server, result["instructions"])}
    if isinstance(result.get("supportedVersions"), list):
        spoken = [version for version in result["supportedVersions"] if version in MODERN_REVISIONS]
        result = {**result, "supportedVersions": spoken}
    return {"result": result}


def _granted(context: Context, capabilities: dict[str, Any]) -> dict[str, Any]:
    """What remains of a server's capabilities: tools and logging; prompts and resources where a grant names some;
    what the guard doesn't know where a grant names it.
    """
    kept = {key: value for key, value in capabilities.items() if key in _RELAYED}
    guard = context.guard
    if guard.grants(Kind.PROMPT):
        kept.update({key: value for key, value in capabilities.items() if key in ("prompts", "completions")})
    if guard.grants(Kind.RESOURCE) and isinstance(capabilities.get("resources"), dict):
        kept["resources"] = capabilities["resources"]
    server = context.session.servers[0].name
    for key in capabilities.keys() - _KNOWN:
        kept.update(offers.extensions(context, server, key, capabilities[key]))
    return kept


def _subscribes(server: Downstream) -> bool:
    resources = server.capabilities.get("resources")
    return isinstance(resources, dict) and resources.get("subscribe") is True


def _together(context: Context) -> dict[str, Any]:
    """Several servers as one: what the guard says of itself for them."""
    capabilities: dict[str, Any] = {"tools": {"listChanged": True}}
    guard = context.guard
    if guard.grants(Kind.PROMPT):
        capabilities["prompts"] = {"listChanged": True}
        capabilities["completions"] = {}
    servers = context.session.servers
    if guard.grants(Kind.RESOURCE):
        capabilities["resources"] = {"listChanged": True}
        if any(_subscribes(server) for server in servers):
            capabilities["resources"]["subscribe"] = True
    if any("logging" in server.capabilities for server in servers):
        capabilities["logging"] = {}
    for server in servers:
        for key in server.capabilities.keys() - _KNOWN:
            for name, said in offers.extensions(context, server.name, key, server.capabilities[key]).items():
                known = capabilities.get(name)
                capabilities[name] = {**said, **known} if isinstance(known, dict) and isinstance(said, dict) else said
    told = [
        f"{server.name}: {inspecting.line(context, server.name, server.hello['instructions'])}"
        for server in servers
        if guard.knows(server.name)
        and _passes(context, server.name, server.hello.get("instructions"))
        and found.may_instruct(context, server, server.hello["instructions"])
    ]
    together: dict[str, Any] = {
        "capabilities": capabilities,
        "serverInfo": {"name": "mcp_guard", "version": __version__},
    }
    if told:
        together["instructions"] = "\n\n".join(told)
    return together
