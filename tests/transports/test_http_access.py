"""Who gets in: the token, its file, Host and Origin."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_guard.errors import InputError
from mcp_guard.transports.http_access import Access, Refused, check_request, token_file, token_from_env
from mcp_guard.transports.http_listen import host_headers
from tests.transports.http_support import TOKEN, Conversations, front, http, message, modern

GOOD = {"host": "127.0.0.1:8717", "authorization": f"Bearer {TOKEN}"}


def verdict(method: str = "POST", path: str = "/mcp", *, origins: tuple[str, ...] = (), **headers: str | None) -> int:
    """The status that a request with these headers is refused with; 0 if it gets in."""
    wanted = {**GOOD, **headers}
    lines = [(name.encode(), value.encode()) for name, value in wanted.items() if value is not None]
    return verdict_of(lines, method, path, origins)


def verdict_of(
    lines: list[tuple[bytes, bytes]], method: str = "POST", path: str = "/mcp", origins: tuple[str, ...] = ()
) -> int:
    try:
        access = Access(TOKEN, frozenset(origins))
        check_request(access, host_headers("127.0.0.1", 8717), method, path, lines)
    except Refused as refused:
        return refused.status
    return 0


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_the_holder_of_the_token_gets_in(method: str) -> None:
    assert verdict(method) == 0
    assert verdict(method, authorization=f"bearer {TOKEN}") == 0


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer  {TOKEN}",
        f"Bearer {TOKEN} ",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN}, Bearer other",
        "Bearer ü",
    ],
)
def test_anything_but_the_exact_token_is_unauthorized(sent: str | None) -> None:
    assert verdict(authorization=sent) == 401


def test_two_authorization_headers_are_unauthorized_even_if_one_is_right() -> None:
    right, wrong = (b"authorization", f"Bearer {TOKEN}".encode()), (b"authorization", b"Bearer other")
    host = (b"host", GOOD["host"].encode())
    assert verdict_of([host, right, wrong]) == 401
    assert verdict_of([host, wrong, right]) == 401


def test_a_refusal_says_how_to_authenticate() -> None:
    with pytest.raises(Refused) as caught:
        check_request(Access(TOKEN), {"h"}, "POST", "/mcp", [(b"host", b"h")])
    assert (b"www-authenticate", b"Bearer") in caught.value.headers


@pytest.mark.parametrize("host", ["127.0.0.1:8717", "localhost:8717", "[::1]:8717", "LOCALHOST:8717"])
def test_the_names_of_this_place_are_taken(host: str) -> None:
    assert verdict(host=host) == 0


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "127.0.0.1",
        "localhost",
        "localhost:8718",
        "localhost.:8717",
        "localhost:8717.evil.example",
        "evil.example:8717",
        "evil.example",
        "127.0.0.2:8717",
        "user@localhost:8717",
        "localhost:08717",
        "::1:8717",
    ],
)
def test_any_other_host_is_misdirected(host: str | None) -> None:
    assert verdict(host=host) == 421


def test_two_host_headers_are_misdirected() -> None:
    lines = [(b"host", b"127.0.0.1:8717"), (b"host", b"127.0.0.1:8717")]
    assert verdict_of([*lines, (b"authorization", GOOD["authorization"].encode())]) == 421


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8717", "http://localhost:8717", "https://evil.example", "null", ""]
)
def test_no_origin_is_allowed_unless_it_is_listed(origin: str) -> None:
    assert verdict(origin=origin) == 403
    assert verdict(origin=origin, origins=("https://app.example",)) == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://app.example", 0),
        ("https://app.example:443", 403),
        ("http://app.example", 403),
        ("https://app.example.evil.example", 403),
        ("https://APP.example", 403),
    ],
)
def test_a_listed_origin_is_matched_exactly(origin: str, status: int) -> None:
    assert verdict(origin=origin, origins=("https://app.example",)) == status


def test_a_listed_origin_beside_another_is_refused() -> None:
    lines = [(name.encode(), value.encode()) for name, value in GOOD.items()]
    origins = [(b"origin", b"https://app.example"), (b"origin", b"https://evil.example")]
    assert verdict_of([*lines, *origins], origins=("https://app.example",)) == 403


def test_other_paths_are_not_found_and_other_methods_not_allowed() -> None:
    for path in ("/", "/mcp/", "/MCP", "/mcp2", "/.well-known/oauth-protected-resource"):
        assert verdict(path=path) == 404
        assert verdict(path=path, authorization=None) == 404
    for method in ("PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"):
        assert verdict(method) == 405
        assert verdict(method, authorization=None) == 401


@pytest.mark.parametrize("origin", ["*", "app.example", "https://", "https://a.example/", "https://*.example", "null"])
def test_an_origin_that_is_not_exact_is_an_input_error(origin: str) -> None:
    with pytest.raises(InputError, match="exact origin"):
        Access(TOKEN, frozenset({origin}))


def test_the_principal_names_the_token_without_showing_it() -> None:
    access = Access("correct-horse-battery-staple")
    assert access.principal == "http:87cbebfe"
    assert "correct" not in repr(access)
    assert Access("another-horse-battery-staple").principal != access.principal


# --- Over the wire ---


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"authorization": "Bearer wrong"}, 401),
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://app.example"}, 200),
    ],
)
async def test_the_front_checks_every_request(headers: dict[str, str], status: int) -> None:
    conversations = Conversations()
    async with front(conversations, origins=frozenset({"https://app.example"})) as url, http() as client:
        body, more = modern("tools/call", {"name": "echo"})
        response = await client.post(url, json=body, headers={**more, **headers})
    assert response.status_code == status
    assert len(conversations.opened) == (status == 200)
    if status == 401:
        assert response.headers["www-authenticate"] == "Bearer"


async def test_a_token_in_the_query_is_no_token() -> None:
    async with front(Conversations()) as url, http() as client:
        del client.headers["authorization"]
        for query in (f"?token={TOKEN}", f"?access_token={TOKEN}", f"?authorization=Bearer+{TOKEN}"):
            assert (await client.post(url + query, json=message("ping"))).status_code == 401


async def test_a_request_without_the_token_is_refused_before_its_body_is_read() -> None:
    async with front(Conversations()) as url, http(authorization="Bearer wrong") as client:
        assert (await client.post(url, content=b"{", headers={"expect": "100-continue"})).status_code == 401


# --- The token ---


def test_a_minted_token_is_in_a_file_that_only_its_owner_reads_and_then_gone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    before = os.umask(0)
    try:
        with token_file(path) as token:
            assert path.read_text() == token
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert len(token) == 43
            assert Access(token).principal.startswith("http:")
            assert list(tmp_path.iterdir()) == [path]
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []


def test_two_tokens_differ(tmp_path: Path) -> None:
    with token_file(tmp_path / "a") as one, token_file(tmp_path / "b") as other:
        assert one != other


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_a_token_is_never_written_over_or_through_what_stands_there(tmp_path: Path, kind: str) -> None:
    path, target = tmp_path / "token", tmp_path / "target"
    if kind == "file":
        path.write_text("old")
    else:
        path.symlink_to(target)
        if kind == "link":
            target.write_text("old")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="exists"), token_file(path):
        pass
    assert sorted(tmp_path.iterdir()) == before
    assert kind == "dangling" or path.read_text() == "old"


def test_the_token_file_of_a_killed_guard_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text("A" * 43)  # as a minted one; nobody holds it locked
    with token_file(path) as token:
        assert path.read_text() == token


def test_the_token_file_of_a_running_guard_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with token_file(path) as token:
        with pytest.raises(InputError, match="another guard runs"), token_file(path):
            pass
        assert path.read_text() == token


def test_the_holder_of_a_minted_token_keeps_one_name_over_restarts() -> None:
    assert {Access(token, holder="local:ann").principal for token in ("x" * 16, "y" * 16)} == {"local:ann"}


def test_a_token_file_that_somebody_replaced_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with token_file(path):
        other = tmp_path / "other"
        other.write_text("another guard's")
        other.replace(path)
    assert path.read_text() == "another guard's"


def test_a_token_file_is_removed_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), token_file(tmp_path / "token"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_token_file_without_its_directory_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't write the token file"), token_file(tmp_path / "no" / "token"):
        pass


def test_a_token_comes_from_the_environment() -> None:
    assert token_from_env("NAME", {"NAME": "x" * 16}) == "x" * 16


@pytest.mark.parametrize(
    "value", [None, "", "short", "x" * 15, "has a space in the middle", "tab\tin-the-middle", "ünïcödé-is-not-ascii"]
)
def test_a_token_of_the_environment_that_is_no_token_is_an_input_error(value: str | None) -> None:
    with pytest.raises(InputError, match="--token-env NAME") as caught:
        token_from_env("NAME", {} if value is None else {"NAME": value})
    assert not value or value not in str(caught.value)


def test_checking_an_option_does_not_import_the_sdk() -> None:
    program = (
        "import sys, mcp_guard.transports.http_access, mcp_guard.transports.http_listen; print('mcp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
