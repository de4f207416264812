"""Names: of servers in guard.yaml, and of the variables that their values wait under in the guard's own environment.

The variables of an entry become the guard's own, so a name that means something to a process that starts (`PYTHONPATH`,
`LD_PRELOAD`, `PATH`) would let a project's file steer the guard itself. Only names that plainly hold a credential stay
as they are; every other one is given a name of ours, and guard.yaml says what it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from mcp_guard.config import share_prefix

LONGEST = 32

_CREDENTIAL = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_(TOKEN|KEY|SECRET|PASSWORD|PAT)")
_STEERING = re.compile(
    r"(PYTHON|LD_|DYLD_|MCP_GUARD|XDG_|UV|PIP|NODE|NPM|BUN|DENO|JAVA|JDK|PERL|RUBY|BASH|DOTNET|CORECLR|GLIBC|GCONV|OPENSSL|SSL_CERT|SSLKEYLOG|LOCPATH).*"
    r"|PATH|HOME|ENV|SHELL|IFS",
    re.IGNORECASE,
)


def is_credential(name: str) -> bool:
    """Does the name plainly say that its value is a secret, and nothing that starts a process would look for?"""
    return _CREDENTIAL.fullmatch(name) is not None and not steers(name)


def says_secret(name: str) -> bool:
    """Does the name say that its value is a secret, whatever else it does (`NODE_AUTH_TOKEN`)?"""
    return _CREDENTIAL.fullmatch(name.upper()) is not None


def steers(name: str) -> bool:
    """May a variable of this name change which program or which code a process runs?"""
    return _STEERING.fullmatch(name) is not None


def server_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted` as guard.yaml takes it, and so that no tool of it could be another server's."""
    others = list(taken)
    plain = (
        re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9_-]+", "-", wanted)).strip("-_")[:LONGEST].rstrip("-_") or "server"
    )
    names = (plain, *(f"{plain[: LONGEST - 5]}-{number}" for number in range(2, len(others) + 3)))
    return next(name for name in names if not any(share_prefix(name, other) for other in others))


def variable_names(server: str, env: Mapping[str, str | None], given: Mapping[str, str | None]) -> dict[str, str]:
    """By the server's own name of each variable: the one that the guard has it under.

    `given` are those that the guard's entry has already, with their values; one value under one name may serve several.
    """
    found: dict[str, str] = {}
    for name, value in env.items():
        taken = {**given, **{found[other]: env[other] for other in found}}
        found[name] = name if _stays(name, value, taken) else _other_name(server, name, value, taken)
    return found


def _stays(name: str, value: str | None, taken: Mapping[str, str | None]) -> bool:
    free = name not in taken or taken[name] == value
    return free and is_credential(name)


def _other_name(server: str, name: str, value: str | None, taken: Mapping[str, str | None]) -> str:
    base = re.sub(r"[^A-Z0-9]+", "_", f"GUARDED_{server}_{name}".upper())[:100]
    return next(free for free in _numbered(base, taken) if free not in taken or taken[free] == value)


def _numbered(base: str, taken: Collection[str]) -> Iterable[str]:
    return (base, *(f"{base}_{number}" for number in range(2, len(taken) + 3)))
