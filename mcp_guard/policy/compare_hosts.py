"""Comparing lists of domains and of places: does one list's reach lie within another's?

Core. Mirrors `constraint_hosts`: a listed host, or a name below one written with a leading dot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcp_guard.policy.canonical import why_odd_host
from mcp_guard.policy.constraint_kinds import Domain, DomainIn, HostIn, Place

Origins = tuple[tuple[str, int], ...]


def all_listed(inner: DomainIn | HostIn, outer: DomainIn | HostIn) -> bool:
    """A clear yes of `inner` is a clear yes of `outer`."""
    if isinstance(inner, DomainIn) and isinstance(outer, DomainIn):
        return all(_is_listed(domain, outer.domains) for domain in inner.domains)
    if isinstance(inner, HostIn) and isinstance(outer, HostIn):
        return all(_is_listed(place.domain, _same_origin(place, outer.places)) for place in inner.places)
    return False


def all_reached(inner: DomainIn | HostIn, outer: DomainIn | HostIn) -> bool:
    """What `inner` doesn't clearly refuse, `outer` doesn't either: its reach as a deny is as wide."""
    if type(inner) is not type(outer):
        return False
    reach = _domains(outer)
    return all(_is_reached(domain, reach) for domain in _domains(inner))


def none_reached(inner: DomainIn | HostIn, outer: DomainIn | HostIn) -> bool:
    """A clear yes of `inner` is a clear no of `outer`."""
    if type(inner) is not type(outer):
        return False
    reach = _domains(outer)
    return all(
        why_odd_host(domain.host) is None and not any(_may_meet(domain, other) for other in reach)
        for domain in _domains(inner)
    )


def _domains(constraint: DomainIn | HostIn) -> list[Domain]:
    if isinstance(constraint, DomainIn):
        return list(constraint.domains)
    return [place.domain for place in constraint.places]


def _same_origin(place: Place, places: Iterable[Place]) -> list[Domain]:
    return [other.domain for other in places if (other.scheme, other.port) == (place.scheme, place.port)]


def _is_listed(domain: Domain, outer: Sequence[Domain]) -> bool:
    hosts = {other.host for other in outer if not other.subdomains}
    parents = {other.host for other in outer if other.subdomains}
    if not domain.subdomains:
        if domain.host in hosts:
            return True
        unclear = domain.host in parents or why_odd_host(domain.host) is not None
        return not unclear and any(_is_below(domain.host, parent) for parent in parents)
    # A parent's own name is unclear, so one that lies below the domain would be a hole in the cover.
    holes = any(_is_below(parent, domain.host) for parent in parents - hosts)
    return not holes and any(domain.host == parent or _is_below(domain.host, parent) for parent in parents)


def _is_reached(domain: Domain, outer: Iterable[Domain]) -> bool:
    for other in outer:
        if domain.host == other.host and (other.subdomains or not domain.subdomains):
            return True
        if other.subdomains and _is_below(domain.host, other.host):
            return True
    return False


def _may_meet(domain: Domain, other: Domain) -> bool:
    if domain.host == other.host:
        return True
    below = domain.subdomains and _is_below(other.host, domain.host)
    return below or (other.subdomains and _is_below(domain.host, other.host))


def _is_below(host: str, parent: str) -> bool:
    return host.endswith(f".{parent}")
