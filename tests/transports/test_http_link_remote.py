"""Addresses and credentials: one reading of a URL, plain http on this machine only, secrets by reference."""

from __future__ import annotations

import pytest

from mcp_guard.transports.http_link_remote import NoCredential, Remote, is_loopback, origin_of


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://docs.example.com/mcp", "docs.example.com", 443, "/mcp", "docs.example.com"),
        ("https://docs.example.com", "docs.example.com", 443, "/", "docs.example.com"),
        ("https://docs.example.com:8443/a/b?c=d&e", "docs.example.com", 8443, "/a/b?c=d&e", "docs.example.com:8443"),
        ("https://docs.example.com?x=/y", "docs.example.com", 443, "/?x=/y", "docs.example.com"),
        ("http://localhost:80/mcp", "localhost", 80, "/mcp", "localhost"),
        ("http://[::1]:8400/mcp", "::1", 8400, "/mcp", "[::1]:8400"),
        ("https://10.0.0.1/%7Eme/@x", "10.0.0.1", 443, "/%7Eme/@x", "10.0.0.1"),
    ],
)
def test_an_address_has_one_reading(url: str, host: str, port: int, target: str, authority: str) -> None:
    remote = Remote(url)
    assert (remote.host, remote.port, remote.target, remote.authority) == (host, port, target, authority)


@pytest.mark.parametrize(
    "url",
    [
        *("", "docs.example.com/mcp", "ftp://docs.example.com/", "file:///etc/passwd", "https://", "https:///mcp"),
        *("https://docs.example.com:0/", "https://docs.example.com:65536/", "https://docs.example.com:x/"),
        *("https://user@docs.example.com/", "https://user:secret@docs.example.com/", "https://a/#fragment"),
        *("https://a b/", "https://a/b c", "https://a/\r\nX: y", "https://a\\@b/", "https://größe/", "https://a/größe"),
        *("https://[::1/", "https://[::g]/", "https://[fe80::1%25eth0]/", "HTTPS://a/", " https://a/", "https://a/<>"),
        "https://a/" + "x" * 2048,
    ],
)
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Remote(url)


def test_a_password_in_an_address_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValueError, match="token_env") as error:
        Remote("https://user:s3cret@docs.example.com/")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "LOCALHOST"])
def test_plain_http_is_for_this_machine(host: str) -> None:
    assert Remote(f"http://{host}:1/").local_only


@pytest.mark.parametrize("host", ["docs.example.com", "10.0.0.1", "127.1", "localhost.example.com", "[::]"])
def test_plain_http_elsewhere_has_to_be_meant(host: str) -> None:
    with pytest.raises(ValueError, match="plain_http"):
        Remote(f"http://{host}/")
    assert not Remote(f"http://{host}/", plain_http=True).local_only
    assert not is_loopback(host.strip("[]"))


def test_credentials_are_read_by_reference() -> None:
    remote = Remote("https://a/", "TOKEN", {"X-Key": "KEY"})
    found = remote.credentials({"TOKEN": "t", "KEY": "two words", "OTHER": "x"})
    assert found == [("Authorization", "Bearer t"), ("X-Key", "two words")]
    assert remote.variables == ("TOKEN", "KEY")


@pytest.mark.parametrize(
    "value", ["", "s3cret\n", "s3cret\r\nX: y", "s3cret\0", "größe-s3cret", " s3cret", "s3cret" * 2000]
)
def test_a_credential_that_no_header_can_carry_is_named_and_not_shown(value: str) -> None:
    with pytest.raises(NoCredential, match="`TOKEN`") as error:
        Remote("https://a/", "TOKEN").credentials({"TOKEN": value})
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Transfer-Encoding", "Connection", "Accept", "Accept-Encoding", "Content-Type"),
        *("Mcp-Session-Id", "MCP-Protocol-Version", "mcp-param-x", "Last-Event-ID", "Proxy-Authorization", "TE"),
        *("Two Words", "X:", "", "X\r\nY", "größe"),
    ],
)
def test_a_header_that_the_guard_makes_or_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        Remote("https://a/", headers_env={name: "KEY"})


def test_no_header_is_sent_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        Remote("https://a/", "TOKEN", {"authorization": "KEY"})
    with pytest.raises(ValueError, match="twice"):
        Remote("https://a/", headers_env={"X-Key": "A", "x-key": "B"})


@pytest.mark.parametrize("variable", ["Bearer abc", "", "1X", "sk-12345"])
def test_what_is_no_variable_is_taken_for_a_value_and_refused(variable: str) -> None:
    with pytest.raises(ValueError, match="named by the variable") as error:
        Remote("https://a/", variable)
    assert not variable or variable not in str(error.value)


def test_the_origin_holds_neither_path_nor_query() -> None:
    assert Remote("https://a:8443/s/s3cret?key=s3cret").origin == "https://a:8443"
    assert origin_of("https://b/x?s3cret") == "https://b"
    assert origin_of("/relative") == ""
