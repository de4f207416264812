"""Connections to a server behind a URL: to whom they may go, how long they are kept, what TLS has to prove."""

from __future__ import annotations

import asyncio
import datetime
import gc
import ipaddress
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import h11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mcp_guard.eras import Era
from mcp_guard.transports import http_link_connection, http_link_pool, link
from mcp_guard.transports.http_link import HttpLink
from mcp_guard.transports.http_link_connection import Connection
from mcp_guard.transports.http_link_pool import give_back, pool_for
from mcp_guard.transports.http_link_remote import Remote
from mcp_guard.transports.http_link_reply import Reply
from mcp_guard.transports.link import see_links_end
from tests.fixtures.http_server import Heard, HttpServer, Wire, result, serving
from tests.transports.link_support import ENVELOPE, linked, said
from tests.transports.processes import until


class Standing(asyncio.Transport):
    """A connection from one address to another."""

    def __init__(self, here: str, peer: str, port: int = 443) -> None:
        super().__init__({"sockname": (here, 5000), "peername": (peer, port)})

    def is_closing(self) -> bool:
        return False


def place(here: str, peer: str, remote: Remote, port: int = 443) -> str:
    connection = Connection(lambda _: None, lambda *_: None)
    connection.connection_made(Standing(here, peer, port))
    return connection.misplaced(remote)


@pytest.mark.parametrize(
    ("here", "peer", "fits"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("192.0.2.7", "192.0.2.7", True),  # this machine by another of its addresses
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.7", "198.51.100.1", False),
        ("fe80::1%eth0", "fe80::2%eth0", False),
    ],
)
def test_plain_http_goes_to_this_machine_wherever_its_name_leads(here: str, peer: str, fits: bool) -> None:
    assert (place(here, peer, Remote("http://localhost:8080/")) == "") is fits
    assert place(here, peer, Remote("http://a.example/", plain_http=True)) == ""
    assert place(here, peer, Remote("https://localhost/")) == ""


@pytest.mark.parametrize(("here", "peer"), [("127.0.0.1", "127.0.0.1"), ("192.0.2.7", "192.0.2.7"), ("::1", "::1")])
def test_the_guards_own_port_is_not_called_by_whatever_name(
    monkeypatch: pytest.MonkeyPatch, here: str, peer: str
) -> None:
    monkeypatch.setattr(link, "_own_ports", {8400})
    assert "own" in place(here, peer, Remote("https://guard.example:8400/"), 8400)
    assert place(here, peer, Remote("https://guard.example:8401/"), 8401) == ""
    assert place("192.0.2.7", "198.51.100.1", Remote("https://docs.example:8400/"), 8400) == ""


def end_now(server: HttpServer) -> None:
    """Close the server's ends at once, past its event loop."""
    for writer in server._writers:
        writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("said_so", "seconds"),
    [(None, 4.0), ("timeout=30", 29.0), ("max=5, timeout=10", 9.0), ("timeout=9999", 60.0), ("timeout=x", 4.0)],
)
async def test_an_idle_connection_is_kept_for_less_than_its_server_keeps_it(
    said_so: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[float] = []
    keep = Connection.wait

    def wait(self: Connection) -> bool:
        kept.append(self._keep)
        return keep(self)

    monkeypatch.setattr(Connection, "wait", wait)

    async def answer(heard: Heard, wire: Wire) -> None:
        headers: dict[str, Any] = {"keep_alive": said_so} if said_so else {}
        await wire.json(result(heard), **headers)

    async with serving(tools_call=answer) as server, linked(server) as one:
        one.era = Era.MODERN
        await one.call()
        assert kept == [seconds]


async def test_an_idle_connection_is_closed_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link_connection, "KEPT_SECONDS", 0.02)
    async with serving() as server, linked(server) as one:
        await one.open(Era.MODERN)
        await until(lambda: server.open == 0)
        assert said(await one.call("anew")) == "anew"
        assert server.connections == 2


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    async def and_close(heard: Heard, wire: Wire) -> None:
        await wire.json(result(heard))
        wire.writer.close()

    async with serving(tools_call=and_close) as server, linked(server) as one:
        await one.open(Era.MODERN)
        for text in ("a", "b", "c"):
            assert said(await one.call(text)) == text
            await until(lambda: server.open == 0)


async def test_nothing_is_sent_on_an_idle_connection_whose_end_is_already_there() -> None:
    """The end has arrived, and the event loop hasn't come to read it yet."""
    async with serving() as server, linked(server) as one:
        await one.open(Era.MODERN)
        (connection,) = one.link._sender._pool._idle
        assert connection.usable
        end_now(server)
        await until(lambda: not connection.usable or connection._transport is None)
        assert said(await one.call("anew")) == "anew"
        assert server.connections == 2


async def test_where_one_connection_breaks_the_idle_ones_are_not_trusted() -> None:
    async def cut(_: Heard, wire: Wire) -> None:
        wire.cut()

    async with serving(tools_call=cut) as server, linked(server) as one:
        one.era = Era.MODERN
        slow = [one.start("tools/list", {})[1] for _ in range(3)]
        await until(lambda: all(slow))
        assert len(one.link._sender._pool._idle) == 3
        assert "gone" in await one.call()
        assert one.link._sender._pool._idle == []


async def test_a_connection_on_which_more_came_than_was_asked_for_is_not_used_again() -> None:
    async def more(heard: Heard, wire: Wire) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":{"content":[]}}' % heard.message["id"]
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
        await wire.send(body + b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")

    async with serving(tools_call=more) as server, linked(server) as one:
        one.era = Era.MODERN
        assert (await one.call())["result"] == {"content": []}
        await until(lambda: server.open == 0)


async def test_no_connection_in_time_is_a_request_that_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link_pool, "CONNECT_DEADLINE", 0.05)

    async def never(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    async with serving() as server, linked(server) as one:
        answer = await one.open(Era.MODERN)
        assert answer == {"gone": "no connection within 0.05 seconds", "unsent": True}


async def test_a_name_with_several_addresses_that_all_refuse_is_said_to_refuse() -> None:
    async with serving() as server:
        port = server.port
    answers: list[dict[str, Any]] = []
    nobody = link_to(f"http://localhost:{port}/")
    nobody.request("server/discover", {"_meta": ENVELOPE}, answers.append)
    await until(lambda: answers)
    assert answers == [{"gone": "it refuses connections", "unsent": True}]
    nobody.close()


def link_to(url: str) -> HttpLink:
    """A link of which nobody wants to hear."""
    return HttpLink(
        Remote(url),
        on_notification=lambda *_: None,
        on_request=lambda *_: lambda _: None,
        on_odd=lambda _: None,
        on_gone=lambda _: None,
    )


# --- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca.pem`, and `good.pem` for 127.0.0.1, `other.pem` for another name, `old.pem` of yesterday, signed by it."""
    directory = tmp_path_factory.mktemp("certificates")
    ca_key, ca_name = ec.generate_private_key(ec.SECP256R1()), _name("a test authority")
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)

    def made(key: Any, name: x509.Name, end: datetime.datetime, extension: Any, critical: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(ca_name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - 2 * day)
        builder = builder.not_valid_after(end).add_extension(extension, critical)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        return builder.add_extension(identifier, False).sign(ca_key, hashes.SHA256())

    authority = made(ca_key, ca_name, now + day, x509.BasicConstraints(ca=True, path_length=0), True)
    (directory / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    other = x509.SubjectAlternativeName([x509.DNSName("other.example")])
    for name, end, names in (("good", now + day, local), ("other", now + day, other), ("old", now - day, local)):
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        certificate = made(key, _name(name), end, names, False)
        (directory / f"{name}.pem").write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return directory


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


async def over_tls(url: str) -> dict[str, Any]:
    answers: list[dict[str, Any]] = []
    secure = link_to(url.replace("http:", "https:"))
    secure.request("server/discover", {"_meta": ENVELOPE}, answers.append)
    await until(lambda: answers)
    secure.close()
    await see_links_end(5)
    return answers[0]


def serves_with(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's own store can't be set by a test")


@on_linux
async def test_a_certificate_that_the_system_trusts_is_enough(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    async with serving(ssl=serves_with(certificates / "good.pem")) as server:
        assert "result" in await over_tls(server.url)


@on_linux
@pytest.mark.parametrize(
    ("trusted", "certificate", "why"),
    [
        ("/dev/null", "good", "unable to get local issuer"),
        ("ca.pem", "other", "mismatch"),
        ("ca.pem", "old", "expired"),
    ],
)
async def test_a_certificate_that_proves_nothing_is_a_request_that_was_not_sent(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, certificate: str, why: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / trusted))
    async with serving(ssl=serves_with(certificates / f"{certificate}.pem")) as server:
        answer = await over_tls(server.url)
        assert "its certificate isn't accepted" in answer["gone"] and why in answer["gone"]
        assert answer["unsent"] is True
        assert server.heard == []


async def test_a_server_that_speaks_no_tls_is_not_spoken_to_without() -> None:
    heard: list[bytes] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        heard.append(await reader.read())
        writer.close()

    listener = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with listener:
        answer = await over_tls(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
        assert answer == {"gone": "no TLS connection could be made", "unsent": True}
        await until(lambda: heard)
    assert b"server/discover" not in heard[0]


async def test_connections_that_are_given_up_while_they_are_made_do_not_stay_open() -> None:
    """Whatever step of it the end comes at; and without the help of a garbage collection."""
    gc.disable()
    try:
        async with serving() as server:
            for steps in range(24):
                pool = pool_for(Remote(server.url))
                request = h11.Request(method="GET", target="/mcp", headers=[("Host", "127.0.0.1")])
                exchange = pool.send(request, b"", Reply(1000, lambda _: None, lambda _: None))
                for _ in range(steps):
                    await asyncio.sleep(0)
                exchange.abort()
                give_back(pool)
            await see_links_end(5)
            await until(lambda: server.open == 0, "connections stay open")
    finally:
        gc.enable()
