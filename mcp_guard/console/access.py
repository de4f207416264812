"""What a request must look like before any of it counts: host, method, origin, purpose, cookie.

The order matters: what a page elsewhere made a browser send learns nothing but that it was refused. Knows ASGI's
headers and no framework.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcp_guard.console.door import COOKIE, Door, Visit
from mcp_guard.transports.http_access import Headers, Refused, values

METHODS = {"GET", "HEAD", "POST"}
FRAMES = {b"iframe", b"frame", b"embed", b"object", b"fencedframe"}
MAX_PATH = 2048  # bytes of path and query together
OUTSIDE = "Open the link that the terminal shows. It works once; for another one, start `mcp-guard console` again."


def check(door: Door, method: str, path: str, query: bytes, headers: Headers) -> Visit | None:
    """Who it is that asks: None where nobody needs to have come in. Raises Refused; nothing of a body was read."""
    hosts = values(headers, b"host")
    if len(hosts) != 1 or hosts[0].decode("latin-1").lower() != door.host:
        raise Refused(421, "the Host header doesn't name this console")  # another name that leads to loopback
    if method not in METHODS:
        raise Refused(405, "the method isn't allowed", ((b"allow", b"GET, HEAD, POST"),))
    if len(path) + len(query) > MAX_PATH:
        raise Refused(414, "the address is too long")
    origins = values(headers, b"origin")
    wanted = [door.origin.encode()]
    if origins != wanted and (origins or method == "POST"):  # of a page elsewhere, of a form without an origin
        raise Refused(403, "this origin isn't the console's")
    arriving = path.startswith("/login/")
    _check_purpose(headers, from_outside=arriving and method != "POST")
    if arriving or path.startswith("/static/"):
        return None
    visit = door.visit(_cookies(values(headers, b"cookie")))
    if visit is None:
        raise Refused(403, OUTSIDE)
    return visit


def _check_purpose(headers: Headers, *, from_outside: bool) -> None:
    """What browsers say themselves of why they ask; what isn't a browser says nothing and still needs the cookie.

    The login link alone may be followed from elsewhere: a terminal, or the page that `--open` writes.
    """
    if any(value in FRAMES for value in values(headers, b"sec-fetch-dest")):
        raise Refused(403, "the console isn't shown inside of another page")
    sites = values(headers, b"sec-fetch-site")
    if not from_outside and any(site not in (b"same-origin", b"none") for site in sites):
        raise Refused(403, "the console isn't reached from other pages")


def _cookies(lines: Sequence[bytes]) -> list[str]:
    """The values of our cookie in every `Cookie` line."""
    pairs = (pair.strip().partition("=") for line in lines for pair in line.decode("latin-1").split(";"))
    return [value for name, _, value in pairs if name == COOKIE]
