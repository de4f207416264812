from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fidelity.checks import CheckId, counted, passed, read_checks, scenario_of
from tests.fidelity.compare import Expected, compare, flaws, judge

PING = CheckId("ping", "ping", "Ping")
ECHO = CheckId("echo", "echo", "Echo")
WHY = "a reason that is long enough"


def differences(alone: dict[CheckId, str], guarded: dict[CheckId, str]) -> list[str]:
    return [str(difference) for difference in compare(alone, guarded)]


def test_equal_runs_have_no_difference() -> None:
    assert compare({PING: "SUCCESS", ECHO: "WARNING"}, {ECHO: "WARNING", PING: "SUCCESS"}) == []


def test_a_check_that_is_missing_through_the_guard_is_lost() -> None:
    assert differences({PING: "SUCCESS", ECHO: "SUCCESS"}, {PING: "SUCCESS"}) == ["lost echo:echo/Echo SUCCESS"]


def test_a_check_that_is_there_through_the_guard_only_is_gained() -> None:
    assert differences({}, {PING: "FAILURE"}) == ["gained ping:ping/Ping FAILURE"]


@pytest.mark.parametrize("status", ["WARNING", "INFO", "SKIPPED", "FAILURE"])
def test_a_downgrade_counts_whatever_the_suites_exit_code_makes_of_it(status: str) -> None:
    assert differences({PING: "SUCCESS"}, {PING: status}) == [f"changed ping:ping/Ping SUCCESS -> {status}"]


def test_an_upgrade_counts_too() -> None:
    assert differences({PING: "WARNING"}, {PING: "SUCCESS"}) == ["changed ping:ping/Ping WARNING -> SUCCESS"]


def test_lines_that_only_tell_what_happened_are_no_difference() -> None:
    assert compare({PING: "INFO"}, {ECHO: "INFO"}) == []


def test_equal_totals_hide_nothing() -> None:
    assert len(compare({PING: "SUCCESS"}, {ECHO: "SUCCESS"})) == 2


def test_a_server_that_fails_alone_is_a_finding() -> None:
    assert flaws({PING: "SUCCESS", ECHO: "WARNING"}) == ["alone echo:echo/Echo WARNING"]


def entry(*found: str, revision: str = "2025-11-25", route: str = "http-stdio") -> Expected:
    return Expected(WHY, revision, frozenset({route}), frozenset(found))


def test_what_is_expected_is_explained() -> None:
    verdict = judge(["lost a"], [entry("lost a")], "2025-11-25", "http-stdio")
    assert verdict.good
    assert verdict.explained == {"lost a": WHY}


def test_what_is_not_expected_fails() -> None:
    verdict = judge(["lost a", "lost b"], [entry("lost a")], "2025-11-25", "http-stdio")
    assert not verdict.good
    assert verdict.unexpected == ("lost b",)


def test_what_was_expected_and_is_not_found_fails_so_that_the_list_only_shrinks() -> None:
    verdict = judge([], [entry("lost a")], "2025-11-25", "http-stdio")
    assert not verdict.good
    assert verdict.vanished == ("lost a",)


@pytest.mark.parametrize("other", [entry("lost a", revision="2026-07-28"), entry("lost a", route="http-http")])
def test_an_expectation_holds_for_its_own_revision_and_route_only(other: Expected) -> None:
    assert judge(["lost a"], [other], "2025-11-25", "http-stdio").unexpected == ("lost a",)


def written(directory: Path, scenario: str, *checks: dict[str, str]) -> None:
    (directory / scenario).mkdir()
    (directory / scenario / "checks.json").write_text(json.dumps(checks))


def test_checks_of_one_id_are_told_apart_by_name_and_number(tmp_path: Path) -> None:
    one, two = {"id": "a", "name": "One", "status": "SUCCESS"}, {"id": "a", "name": "Two", "status": "FAILURE"}
    written(tmp_path, "server-ping-2026-11-21T04-59-13-513Z", one, two, one)
    found = read_checks(tmp_path)
    assert [str(check) for check in found] == ["ping:a/One", "ping:a/Two", "ping:a/One#2"]
    assert (passed(found), counted(found)) == (2, 3)


def test_a_scenario_is_named_without_the_time_of_its_run() -> None:
    assert scenario_of("server-server-initialize-2026-11-21T04-59-13-513Z") == "server-initialize"
    assert scenario_of("sep-2322-client-request-state-2026-11-21T04-59-13-513Z") == "sep-2322-client-request-state"


def test_a_file_of_another_form_is_an_error_and_not_a_run_without_checks(tmp_path: Path) -> None:
    written(tmp_path, "server-ping-2026-11-21T04-59-13-513Z", {"id": "a", "result": "SUCCESS"})
    with pytest.raises(ValueError, match="something else"):
        read_checks(tmp_path)
