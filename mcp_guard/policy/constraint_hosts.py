"""Checks on where something goes: `domain_in` (a mail address or a host) and `host_in` (a URL).

Core: no DNS; names are compared, not what they resolve to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mcp_guard.model import Answer, Facts
from mcp_guard.policy.canonical import Unclear, parse_mail_host, parse_url, why_odd_host
from mcp_guard.policy.constraint_kinds import Domain, Place

Check: TypeAlias = Callable[[object, Facts], Answer]

YES, NO, UNSURE = Answer.YES, Answer.NO, Answer.UNSURE


def check_domain_in(domains: tuple[Domain, ...]) -> Check:
    verdict = _host_verdict(domains)

    def check(value: object, facts: Facts) -> Answer:
        if type(value) is not str:
            return UNSURE
        host = parse_mail_host(value)
        return UNSURE if isinstance(host, Unclear) else verdict(host)

    return check


def check_host_in(places: tuple[Place, ...]) -> Check:
    by_origin = {
        (place.scheme, place.port): _host_verdict(
            tuple(other.domain for other in places if (other.scheme, other.port) == (place.scheme, place.port))
        )
        for place in places
    }
    anywhere = _host_verdict(tuple(place.domain for place in places))

    def check(value: object, facts: Facts) -> Answer:
        if type(value) is not str:
            return UNSURE
        origin = parse_url(value)
        if isinstance(origin, Unclear):
            return UNSURE
        verdict = by_origin.get((origin.scheme, origin.port))
        if verdict is not None and verdict(origin.host) is YES:
            return YES
        # A listed host by another scheme or port is not granted, and not out of a deny's reach either.
        return NO if anywhere(origin.host) is NO else UNSURE

    return check


def _host_verdict(domains: tuple[Domain, ...]) -> Callable[[str], Answer]:
    hosts = frozenset(domain.host for domain in domains if not domain.subdomains)
    parents = frozenset(domain.host for domain in domains if domain.subdomains)
    suffixes = tuple(f".{parent}" for parent in parents)

    def verdict(host: str) -> Answer:
        if host in hosts:
            return YES
        # `.example.com` means sub-domains; whether its author meant the name itself too, nobody can say.
        if host in parents or why_odd_host(host) is not None:
            return UNSURE
        return YES if suffixes and host.endswith(suffixes) else NO

    return verdict
