"""Names that `init` gives: no server's tools could be another's, and no variable steers the guard itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.catalog import SERVER_NAME
from mcp_guard.config import share_prefix
from mcp_guard.starting.naming import is_credential, server_name, steers, variable_names


@given(st.lists(st.text(max_size=40) | st.sampled_from(["a", "a_", "A", "a__b", "a b", "é", "a-2"]), max_size=8))
def test_every_name_becomes_one_that_guard_yaml_takes_and_no_two_share_a_prefix(wanted: list[str]) -> None:
    names: list[str] = []
    for name in wanted:
        names.append(server_name(name, names))
    assert all(SERVER_NAME.fullmatch(name) for name in names)
    assert not any(share_prefix(one, other) for at, one in enumerate(names) for other in names[:at])


def test_a_name_that_fits_stays_as_it_is() -> None:
    assert server_name("My-server_1", []) == "My-server_1"
    assert server_name("my server", []) == "my-server"
    assert server_name("files", ["files"]) == "files-2"
    assert server_name("FILES", ["files"]) == "FILES-2"


@pytest.mark.parametrize(
    "name",
    [
        *("PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "PATH", "HOME", "XDG_CONFIG_HOME"),
        *("MCP_GUARD_STATE", "NODE_OPTIONS", "pythonpath", "BASH_ENV", "PYTHON_TOKEN", "LD_LIBRARY_KEY", "HTTPS_PROXY"),
        *("SSL_CERT_FILE", "TMPDIR", "LANG", "NO_COLOR", "token", "X=Y_TOKEN", "MCP_GUARD_HTTP_TOKEN"),
    ],
)
def test_a_variable_that_the_guard_itself_could_read_waits_under_a_name_of_ours(name: str) -> None:
    (other,) = variable_names("files", {name: "x"}, {}).values()
    assert other.startswith("GUARDED_FILES_")
    assert not steers(other)
    assert not is_credential(name)


def test_a_credential_keeps_its_name() -> None:
    assert variable_names("files", {"GITHUB_TOKEN": "t", "API_KEY": "k"}, {}) == {
        "GITHUB_TOKEN": "GITHUB_TOKEN",
        "API_KEY": "API_KEY",
    }


def test_two_values_under_one_name_wait_under_two_and_one_value_under_one() -> None:
    assert variable_names("b", {"API_TOKEN": "2"}, {"API_TOKEN": "1"}) == {"API_TOKEN": "GUARDED_B_API_TOKEN"}
    assert variable_names("b", {"API_TOKEN": "1"}, {"API_TOKEN": "1"}) == {"API_TOKEN": "API_TOKEN"}
    taken = {"API_TOKEN": "1", "GUARDED_B_API_TOKEN": "2"}
    assert variable_names("b", {"API_TOKEN": "3"}, taken) == {"API_TOKEN": "GUARDED_B_API_TOKEN_2"}


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.sampled_from("123"), max_size=6))
def test_no_two_values_ever_wait_under_one_name(env: dict[str, str]) -> None:
    names = variable_names("s", dict(env), {"A_TOKEN": "9"})
    values: dict[str, str] = {"A_TOKEN": "9"}
    for name, other in names.items():
        assert values.setdefault(other, env[name]) == env[name]
