"""Grants of what a server may ask of the client, and of what the guard doesn't know: judged like any other grant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from mcp_guard.model import Call, Effect, Kind, Reason, Usage
from mcp_guard.policy.decide import decide, visible
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.policy.sentences import sentence
from mcp_guard.policy.suggest import granting_line
from mcp_guard.wire import digest

POLICY = """\
version: 1
grants:
  - {id: ask, server_requests: {server: web, allow: [elicitation, roots]}}
  - {id: model, server_requests: {server: web, allow: sampling}, budget: {calls: 2}, until: 2030-01-01T00:00:00Z}
  - {id: later, extensions: {server: web, allow: [io.modelcontextprotocol/tasks, acme/do]}}
"""


class Moment:
    """Facts at one moment, with some use of every rule."""

    def __init__(self, used: int = 0, year: int = 2026) -> None:
        self.now = datetime(year, 1, 1, tzinfo=UTC)
        self._used = used

    def used(self, rule: str, account: str = "", seconds: int = 0) -> Usage:
        return Usage(self._used)

    def values(self, rule: str, account: str = "", seconds: int = 0) -> Mapping[str, Collection[str]]:
        return {}

    def fingerprint(self, value: Any) -> str:
        return digest(value)

    def resolve(self, path: str) -> str | None:
        return None

    def added_effects(self, server: str, tool: str) -> frozenset[object]:
        return frozenset()

    def described(self, server: str, tool: str) -> None:
        return None

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return False

    def locked(self, server: str, tool: str) -> bool:
        return False


def authority(text: str = POLICY) -> Authority:
    return Authority((load_text(text.encode(), file="p.yaml", kind="policy"),))


def asked(target: str, server: str = "web", kind: Kind = Kind.SERVER_REQUEST) -> Call:
    return Call("me", "x", server, target, {"message": "hello"}, kind)


@pytest.mark.parametrize("target", ["elicitation", "roots", "sampling"])
def test_a_granted_kind_is_allowed_for_its_server_alone(target: str) -> None:
    assert decide(authority(), asked(target), Moment()).allowed  # type: ignore[arg-type]
    assert decide(authority(), asked(target, "mail"), Moment()).reason is Reason.NO_GRANT  # type: ignore[arg-type]


def test_a_grant_of_tools_grants_no_request_of_the_server() -> None:
    everything = authority('version: 1\ngrants: [{id: all, tool: "*/*", args: any}]\n')
    for kind in (Kind.SERVER_REQUEST, Kind.EXTENSION):
        assert decide(everything, asked("sampling", kind=kind), Moment()).effect is Effect.DENY  # type: ignore[arg-type]
        assert not visible(everything, asked("sampling", kind=kind), Moment())  # type: ignore[arg-type]


def test_a_server_request_and_an_extension_of_the_same_name_are_two_things() -> None:
    assert not decide(authority(), asked("elicitation", kind=Kind.EXTENSION), Moment()).allowed  # type: ignore[arg-type]
    assert not decide(authority(), asked("acme/do"), Moment()).allowed  # type: ignore[arg-type]
    assert decide(authority(), asked("acme/do", kind=Kind.EXTENSION), Moment()).allowed  # type: ignore[arg-type]


def test_sampling_ends_with_its_budget_and_its_date() -> None:
    assert decide(authority(), asked("sampling"), Moment(used=2)).reason is Reason.BUDGET_SPENT  # type: ignore[arg-type]
    assert decide(authority(), asked("sampling"), Moment(year=2031)).reason is Reason.EXPIRED  # type: ignore[arg-type]
    assert decide(authority(), asked("sampling"), Moment(used=1)).charges[0].calls == 1  # type: ignore[arg-type]


def test_a_mandate_that_does_not_grant_it_takes_it_away() -> None:
    mandate = "version: 1\ntask: t\nexpires: 2030-01-01T00:00:00Z\ngrants: [{id: all, tool: web/x, args: any}]\n"
    both = Authority((authority().layers[0], load_text(mandate.encode(), file="m.yaml", kind="mandate")))
    assert decide(both, asked("elicitation"), Moment()).reason is Reason.NO_GRANT  # type: ignore[arg-type]


def test_the_sentences_say_who_may_ask_for_what() -> None:
    said = sentence(authority().layers[0])
    assert said[0] == "ask: may be asked by web for elicitation or roots."
    assert said[2] == "later: may use, not inspected, io.modelcontextprotocol/tasks or acme/do of web."


@pytest.mark.parametrize("kind", [Kind.SERVER_REQUEST, Kind.EXTENSION])
def test_the_line_that_would_allow_it_can_be_pasted(kind: Kind) -> None:
    line = granting_line(asked("sampling", kind=kind), Moment())  # type: ignore[arg-type]
    assert ("server_requests" in line) == (kind is Kind.SERVER_REQUEST)
    assert decide(authority(f"version: 1\ngrants:\n  {line}\n"), asked("sampling", kind=kind), Moment()).allowed  # type: ignore[arg-type]
