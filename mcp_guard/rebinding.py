"""What becomes of one client's conversation when what is granted is another from here on.

Calls under way go on as they were judged, and what is said afterwards is judged anew anyway. Here the client is told
that its lists may be others, and what it listens to without a grant ends now, not at the next delivery.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mcp_guard import listing, log, subscriptions
from mcp_guard.context import Context
from mcp_guard.deliveries import PROMPTS, RESOURCES


def rebound(context: Context, documents: bool) -> None:
    """Take it up outside of whatever found it out, which may be a judgement: but what was listed under an old lock is
    forgotten at once.
    """
    if documents:
        _forget(context)
    asyncio.get_running_loop().call_soon(_take_up, context)


def _take_up(context: Context) -> None:
    if context.session.closed:
        return None
    try:
        if context.guard.ended:
            return _end(context)
        for server, uri in list(context.session.subscriptions):
            if not subscriptions.readable(context, server, uri):
                subscriptions.end(context, server, uri)
        for stream in list(context.session.streams):
            stream.judge_again()
        listing.announce(context)
        for method in (PROMPTS, RESOURCES):
            context.tell(method, "", None)
    except Exception as error:  # each of these is judged again when it delivers
        log.warning("a client couldn't be told that what is granted has changed", error=type(error).__name__)


def _end(context: Context) -> None:
    """Nothing binds it any more, for good: what is under way is still answered, and the client is told nothing else."""
    context.session.notify = _told_nothing
    context.session.subscriptions.clear()
    for stream in list(context.session.streams):
        stream.end()


def _told_nothing(method: str, params: dict[str, Any] | None) -> None:
    """Whoever holds a token that was revoked may still hold a stream open."""


def _forget(context: Context) -> None:
    """The lock may be another: what was held against the old one is looked at again."""
    context.listed.clear()
    for server in context.session.servers:
        server.listing = None
        listing.changed(context, server)
