"""What OAuth metadata says, and what of it counts: pure, fetches nothing.

The server and its documents are data: whoever controls them must not choose who gets the guard's client secret. So
an authorization server counts if a person named it (`issuer`) or if it stands at the server's own origin, and no other.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from mcp_guard.errors import GuardError
from mcp_guard.transports.http_link_remote import OAuth, Place, Remote

_METHODS = ("client_secret_basic", "client_secret_post")
MOST_SECONDS = 86400.0
"""How long a token is kept at most, whatever its lifetime."""
UNSAID_SECONDS = 300.0
"""How long one is kept whose lifetime isn't said."""


class NoToken(GuardError):
    """No access token could be got. Says why, in words that hold no secret and nothing long of what a server said."""


def resource_of(remote: Remote) -> str:
    """What a token is asked for (RFC 8707): the server's address, without a query."""
    return f"{remote.origin}{remote.target.partition('?')[0]}"


def protected_resource_places(remote: Remote) -> Iterator[str]:
    """Where the server may describe itself (RFC 9728), at its own origin alone."""
    path = remote.target.partition("?")[0].rstrip("/")
    if path:
        yield f"{remote.origin}/.well-known/oauth-protected-resource{path}"
    yield f"{remote.origin}/.well-known/oauth-protected-resource"


def issuer_of(document: Mapping[str, Any] | None, remote: Remote, oauth: OAuth) -> str:
    """The authorization server that the guard goes to; `document` is the server's description of itself, if it has one.

    Raises `NoToken` for a description of something else, and for an authorization server that nobody named.
    """
    if document is None:
        return oauth.issuer or remote.origin
    described = document.get("resource")
    if not isinstance(described, str) or not _covers(described, resource_of(remote)):
        raise NoToken("its metadata is about another resource than the one in `url`")
    named = document.get("authorization_servers")
    servers = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    if oauth.issuer is not None:
        if oauth.issuer not in servers:
            raise NoToken("its metadata doesn't name the `issuer` that guard.yaml names")
        return oauth.issuer
    own = [one for one in servers if _origin(one) == remote.origin]
    if not own:
        shown = _origin(servers[0]) if servers else "nowhere"
        raise NoToken(f"its authorization server is elsewhere ({shown}); if that is meant, name it in `oauth: issuer`")
    return own[0]


def _origin(url: str) -> str:
    """Of an address that everybody reads alike; empty for any other."""
    try:
        return Place(url).origin
    except ValueError:
        return ""


def _covers(described: str, resource: str) -> bool:
    described = described.rstrip("/")
    return resource.rstrip("/") == described or resource.startswith(f"{described}/")


def issuer_places(issuer: str) -> Iterator[str]:
    """Where an authorization server describes itself (RFC 8414, and OpenID Connect Discovery)."""
    origin = Place(issuer).origin
    path = Place(issuer).target.partition("?")[0].rstrip("/")
    yield f"{origin}/.well-known/oauth-authorization-server{path}"
    yield f"{origin}/.well-known/openid-configuration{path}"
    if path:
        yield f"{origin}{path}/.well-known/openid-configuration"


def token_place(document: Mapping[str, Any], issuer: str) -> Place:
    """Where tokens are given out. Raises `NoToken` for metadata of another issuer (a mix-up), or of one that can't."""
    if document.get("issuer") != issuer:
        raise NoToken("the authorization server's metadata is another one's (`issuer` differs)")
    grants = document.get("grant_types_supported")
    if isinstance(grants, list) and "client_credentials" not in grants:
        raise NoToken("the authorization server doesn't give tokens for client credentials")
    endpoint = document.get("token_endpoint")
    try:
        return Place(endpoint if isinstance(endpoint, str) else "")
    except ValueError:
        raise NoToken("the authorization server's `token_endpoint` is no address") from None


def token_request(
    document: Mapping[str, Any], oauth: OAuth, client: tuple[str, str], resource: str
) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of the request for a token (RFC 6749, section 4.4)."""
    methods = document.get("token_endpoint_auth_methods_supported", [_METHODS[0]])
    method = next((one for one in _METHODS if isinstance(methods, list) and one in methods), None)
    if method is None:
        raise NoToken("the authorization server takes no client secret")
    form = {"grant_type": "client_credentials", "resource": resource}
    if oauth.scope is not None:
        form["scope"] = oauth.scope
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    name, secret = client
    if method == "client_secret_basic":
        pair = f"{quote(name, safe='')}:{quote(secret, safe='')}"
        headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
    else:
        form |= {"client_id": name, "client_secret": secret}
    return headers, urlencode(form).encode()


def token_in(answer: Mapping[str, Any]) -> tuple[str, float]:
    """The access token and the seconds that it is good for. Raises `NoToken`."""
    token, kind, seconds = answer.get("access_token"), answer.get("token_type"), answer.get("expires_in")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not 0 < len(token) <= 8192:
        raise NoToken("the authorization server's answer has no access token that can stand in a header")
    if " " in token or not isinstance(kind, str) or kind.lower() != "bearer":
        raise NoToken("the authorization server's token is no bearer token")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return token, min(float(seconds), MOST_SECONDS) if known and seconds is not None else UNSAID_SECONDS


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer. Raises `NoToken`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NoToken("what should be OAuth metadata is no JSON object")
    return found
