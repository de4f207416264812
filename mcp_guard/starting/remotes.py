"""Servers that a client reaches by address: which of them the guard can reach in its place, and with what.

Their credentials stay in the client's own file: what was a header becomes a variable of the guard's entry, and
guard.yaml names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mcp_guard.clients import Client, Entry
from mcp_guard.clients.masking import masked_address
from mcp_guard.record.shown import escaped
from mcp_guard.starting.entry_rules import Left, Server, dropped, is_text, members_in_the_way
from mcp_guard.transports.http_link_remote import Remote

_BEARER = re.compile(r"Bearer (\S+)", re.IGNORECASE)


def remote_server(client: Client, entry: Entry) -> Server | Left:
    """The server as guard.yaml can have it, or why it stays."""
    url = entry.url or ""
    why = next(_reasons(client, entry, url), "")
    if why:
        return Left(entry, why)
    prefix = re.sub(r"[^A-Z0-9]+", "_", entry.name.upper()).strip("_") or "SERVER"
    env: dict[str, str | None] = {}
    headers: dict[str, str] = {}
    token = ""
    for header, value in entry.headers.items():
        bearer = _BEARER.fullmatch(value) if header.lower() == "authorization" else None
        variable = f"{prefix}_TOKEN" if bearer else f"{prefix}_{re.sub('[^A-Z0-9]+', '_', header.upper())}_SECRET"
        variable = next(one for one in (variable, *(f"{variable}_{n}" for n in range(2, 99))) if one not in env)
        env[variable] = bearer[1] if bearer else value
        if bearer:
            token = variable
        else:
            headers[header] = variable
    return Server(entry.name, entry, (), "", env, dropped(entry), url, token, headers)


def _reasons(client: Client, entry: Entry, url: str) -> Iterator[str]:
    kind = entry.members.get(client.shape.type) if client.shape.type else None
    if entry.program is not None:
        yield "it has a command and an address: which of them counts is the client's choice"
    if kind == "sse" or (client.id == "gemini-cli" and "httpUrl" not in entry.members):
        yield "it speaks the older SSE transport, which the guard doesn't"
    address = masked_address(url)
    for what, one in (("name", entry.name), ("address", address), *(("headers", name) for name in entry.headers)):
        if not all(char.isprintable() for char in one):
            yield f"its {what} has characters that can't be seen: `{escaped(one[:80])}`"
    if not all(is_text(value) for value in entry.headers.values()):
        yield "the value of a header is no text that could be sent"
    if "$" in url or "{" in url:
        yield f"{client.title} fills in its address; write it out"
    if address != url:
        yield "its address holds what may be a secret; move it into a header: guard.yaml names secrets, it has none"
    try:
        local = Remote(url).local_only
        Remote(url, headers_env=dict.fromkeys(entry.headers, "NAME"))
    except ValueError as error:
        yield str(error)
        return
    yield from members_in_the_way(client, entry)
    if not entry.headers and not local:
        yield (
            "it has no credential here, so it may want a sign-in that only the client does; "
            "if it wants none, add it to guard.yaml by hand"
        )
