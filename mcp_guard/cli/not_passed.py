"""Variables of the guard's own environment that a server may miss: where a network needs a proxy or certificates.

A client may have started the server with all of its variables; the guard passes on those that guard.yaml names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcp_guard.server_spec import ServerSpec

_NETWORK = frozenset(
    {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {"NPM_CONFIG_REGISTRY", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"}
)
"""What `npx`, `uvx` and the like go by to fetch a server. The proxies' names are also written in small letters."""


def not_passed(spec: ServerSpec, environment: Mapping[str, str]) -> list[str]:
    """The names that are set here and that this server doesn't get, in order; none if it gets everything."""
    if spec.env is None or spec.remote is not None:
        return []
    return sorted(name for name in environment if name.upper() in _NETWORK and name not in spec.env)


def in_words(names: Iterable[str]) -> str:
    """What to do about it, on one line; empty if there is nothing to do."""
    listed = ", ".join(names)
    return f"it doesn't get {listed}, set here; if it needs them, in guard.yaml: env: [{listed}]" if listed else ""
