"""The ready policies fit the published servers that they are for, as those listed their tools (`listed.json`).

`listed.json` has the arguments of each tool that a ready policy names, an optional one with a `?`: facts from the
listings behind the effects catalogue, which has the names too. `check` must find nothing odd with them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.catalogue.refresh import entries
from mcp_guard.policy.document import Authority
from mcp_guard.policy.oddities import oddities
from tests.policies.test_index import EXPLAINED, text
from tests.policies.test_policies import suite_of

LISTED: dict[str, Any] = json.loads(Path(__file__).with_name("listed.json").read_text("utf-8"))
OWN = {"desk"}  # tools that nobody publishes: the policy says so


def arguments(server: str, tool: str) -> dict[str, bool]:
    """The tool's arguments, and whether each is required."""
    return {name.removesuffix("?"): not name.endswith("?") for name in LISTED[server]["tools"][tool]}


def servers_of(document: str) -> set[str]:
    return {name.server for rule in suite_of(document).document.rules for name in rule.names}


@pytest.mark.parametrize("server", LISTED)
def test_what_is_listed_is_what_the_catalogue_knows(server: str) -> None:
    assert LISTED[server]["tools"].keys() <= entries()[LISTED[server]["catalogue"]].tools.keys()


@pytest.mark.parametrize("document", EXPLAINED)
def test_every_server_is_a_published_one_or_said_to_be_the_readers_own(document: str) -> None:
    found = servers_of(document)
    assert found
    assert found - LISTED.keys() <= OWN
    head = text(document).partition("version:")[0]
    assert [server for server in found if f"`{server}`" not in head] == []


@pytest.mark.parametrize("document", EXPLAINED)
def test_check_finds_nothing_odd(document: str) -> None:
    known = {server: LISTED[server]["tools"].keys() for server in servers_of(document) - OWN}
    known |= dict.fromkeys(servers_of(document) & OWN)
    taken = {
        f"{server}/{tool}": list(arguments(server, tool))
        for server in known
        if server not in OWN
        for tool in known[server]
    }
    found = oddities(Authority((suite_of(document).document,)), known, arguments=taken)
    assert [(one.rule, one.message) for one in found] == []


@pytest.mark.parametrize("document", EXPLAINED)
def test_no_grant_leaves_out_what_its_tool_requires(document: str) -> None:
    for rule in suite_of(document).document.rules:
        limits = rule.arguments
        if limits is None or not rule.is_grant or limits.others:
            continue
        for name in rule.names:
            if name.server not in OWN:
                wanted = {one for one, required in arguments(name.server, name.target).items() if required}
                assert wanted <= limits.listed.keys() | limits.optional.keys(), f"{rule.ref.id}: {name}"
