"""Names of tools that are nearly another server's."""

from __future__ import annotations

import pytest

from mcp_guard.inspection.scan import Severity
from mcp_guard.inspection.scan.names import Named, near_names


def found(first: str, second: str, *, same_server: bool = False) -> Severity | None:
    here, there = Named("a", first), Named("a" if same_server else "b", second)
    finding = near_names([here, there]).get(there)
    return finding.severity if finding is not None else None


@pytest.mark.parametrize(
    ("first", "second"),
    [("read_file", "read_f\u0456le"), ("send_email", "send_ema1l"), ("transfer_money", "transfer_rnoney")],
)
def test_a_name_in_other_letters_that_look_the_same_is_severe(first: str, second: str) -> None:
    assert found(first, second) is Severity.SEVERE


@pytest.mark.parametrize(
    ("first", "second"), [("get_file", "get-file"), ("sendEmail", "send_email"), ("get_weather", "get_wheather")]
)
def test_another_spelling_of_a_name_is_noted(first: str, second: str) -> None:
    assert found(first, second) is Severity.MINOR


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("search", "search"),
        ("list_issue", "list_issues"),
        ("get_item1", "get_item2"),
        ("get_user", "set_user"),
        ("a", "b"),
    ],
)
def test_names_that_honest_servers_share_are_nothing(first: str, second: str) -> None:
    assert found(first, second) is None


def test_a_server_may_name_its_own_tools_alike() -> None:
    assert found("read_file", "read-file", same_server=True) is None


def test_the_finding_is_on_the_later_one() -> None:
    first, second = Named("a", "send_email"), Named("b", "send_ema1l")
    assert near_names([first, second]).keys() == {second}
    assert near_names([second, first]).keys() == {first}
