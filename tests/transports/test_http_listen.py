"""Where the HTTP front may listen, and how it is called there."""

from __future__ import annotations

import asyncio
import socket

import anyio
import pytest

from mcp_guard.errors import InputError
from mcp_guard.transports.http_listen import check_loopback, host_headers, listen, parse_address
from tests.patience import PATIENCE
from tests.ports import free_port
from tests.transports.http_support import Conversations, front, http, modern


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8717", ("127.0.0.1", 8717)),
        ("127.1.2.3:1", ("127.1.2.3", 1)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_a_loopback_address_is_taken_apart(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        ":8717",
        "8717",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "::1:8717",
        "localhost:\u0661",
    ],
)
def test_what_is_no_host_and_port_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError):
        parse_address(text)


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104
        "::",
        "",
        "192.168.1.7",
        "10.0.0.1",
        "169.254.169.254",
        "fe80::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "LOCALHOST",
        "localhost.",
        "localhost.localdomain",
        "localhost.evil.example",
        "my-machine",
        "127.1",
        "0177.0.0.1",
        "2130706433",
        "127.0.0.1.evil.example",
        "*",
    ],
)
def test_a_host_that_others_may_reach_is_an_input_error(host: str) -> None:
    with pytest.raises(InputError, match="no TLS"):
        check_loopback(host)
    with pytest.raises(InputError):
        listen(host, 0)


def test_the_port_may_be_left_out_of_the_host_header_only_where_browsers_leave_it_out() -> None:
    assert "localhost" in host_headers("localhost", 80)
    assert "localhost" not in host_headers("localhost", 8080)
    assert "127.1.2.3:8080" in host_headers("127.1.2.3", 8080)
    assert "127.1.2.3:8080" not in host_headers("127.0.0.1", 8080)


def test_localhost_is_taken_in_both_families_on_one_port() -> None:
    sockets = listen("localhost", 0)
    try:
        assert [bound.getsockname()[0] for bound in sockets] == ["127.0.0.1", "::1"][: len(sockets)]
        assert len({bound.getsockname()[1] for bound in sockets}) == 1
        assert len(sockets) == 2 or not has_ipv6()
    finally:
        for bound in sockets:
            bound.close()


def test_localhost_is_refused_when_somebody_else_has_one_of_its_families() -> None:
    if not has_ipv6():
        pytest.skip("no IPv6 loopback here")
    with socket.socket(socket.AF_INET6) as squatter:
        squatter.bind(("::1", free_port()))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(InputError, match="can't listen"):
            listen("localhost", port)
        with socket.socket() as free:  # and what was bound before is given back
            free.bind(("127.0.0.1", port))


def test_nobody_else_can_bind_the_port_from_then_on() -> None:
    [ours] = listen("127.0.0.1", 0)
    with ours, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(ours.getsockname())


async def test_answers_are_sent_at_once_and_not_held_back_for_an_acknowledgement() -> None:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    [ours] = listen("127.0.0.1", 0)
    async with await asyncio.start_server(on_client, sock=ours):
        _, writer = await asyncio.open_connection(*ours.getsockname())
        with anyio.fail_after(PATIENCE):
            assert await accepted != 0
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
async def test_the_announced_url_works(host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 loopback here")
    async with front(Conversations(), host=host) as url, http() as client:
        assert url.startswith("http://[::1]:" if host == "::1" else f"http://{host}:")
        body, headers = modern("tools/call", {"name": "echo"})
        assert (await client.post(url, json=body, headers=headers)).status_code == 200


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
