"""What becomes of one client's conversation when what is granted is another from here on.

Calls under way go on as they were judged, and what is said afterwards is judged anew anyway. Here the client is told
that its lists may be others, and what it listens to without a grant ends now, not at the next delivery.
"""

from __future__ import annotations

import asyncio

from mcp_guard import listing, log, subscriptions
from mcp_guard.context import Context
from mcp_guard.deliveries import PROMPTS, RESOURCES


def rebound(context: Context) -> None:
    """Take it up outside of whatever found it out, which may be a judgement."""
    asyncio.get_running_loop().call_soon(_take_up, context)


def _take_up(context: Context) -> None:
    if context.session.closed:
        return
    try:
        _forget(context)
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


def _forget(context: Context) -> None:
    """The lock may be another: what was held against the old one is looked at again."""
    context.listed.clear()
    for server in context.session.servers:
        server.listing = None
        listing.changed(context, server)
