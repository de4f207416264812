"""What is read in one way only: paths, hosts, mail addresses, URLs."""

from __future__ import annotations

import posixpath
import unicodedata
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.policy.canonical import (
    Origin,
    Unclear,
    loose,
    parse_host,
    parse_mail_host,
    parse_url,
    tidied,
    why_not_absolute,
    why_not_canonical,
    why_not_relative,
)


@pytest.mark.parametrize(
    "text",
    ["/", "/srv", "/srv/project/", "src/main.py", "/srv/.env", "/a b/c", "/srv/..env", "/a/b.", "/é", "/日本", "/a~b"],
)
def test_an_ordinary_path_is_canonical(text: str) -> None:
    assert why_not_canonical(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("/srv/../etc", "dots"),
        ("/srv/./a", "dots"),
        ("/srv/...", "dots"),
        ("/srv/.. /etc", "dots"),
        ("..", "dots"),
        (".", "dots"),
        ("./a", "dots"),
        ("//srv", "//"),
        ("/srv//", "//"),
        ("~", "~"),
        ("~root/x", "~"),
        ("/srv\\..\\etc", "backslash"),
        ("/srv/%2e%2E/etc", "percent"),
        ("/srv%2fx", "percent"),
        ("/srv/%252e", "percent"),
        ("/srv/%65nv", "percent"),
        ("/srv/a\0.txt", "control"),
        ("/srv/a\n", "control"),
        ("/srv/a\x7f", "control"),
        ("/srv/\u202egpj.exe", "bidirectional"),
        ("/srv/.e\u200bnv", "invisible"),
        ("/srv/\u00a0x", "invisible"),
        ("/srv/\ud800", "unassigned"),
        ("/srv/\uff0e\uff0e/etc", "normalisation"),
        ("/srv/\uff0eenv", "normalisation"),
        ("/srv\uff0fetc", "normalisation"),
        ("/srv/e\u0301", "normalisation"),
        ("/srv/\ufb01le", "normalisation"),
        ("/srv/a\ufe0fb", "normalisation"),
        ("/srv/a\u034fb", "normalisation"),
        (" /srv", "white space"),
        ("/srv/a ", "white space"),
    ],
)
def test_a_path_with_two_readings_says_why_without_quoting_itself(text: str, reason: str) -> None:
    why = why_not_canonical(text)
    assert why is not None
    assert reason in why
    assert len(text) < 4 or text not in why


@given(st.text(alphabet="ab./~ %2eE\\\0\u202e\uff0e\uff0f\u0301é", max_size=12))
def test_a_canonical_path_survives_every_repair_that_a_server_might_make(text: str) -> None:
    if why_not_canonical(text) is None:
        assert posixpath.normpath(text) == (text.rstrip("/") or "/")
        assert unicodedata.normalize("NFKC", text) == text
        assert tidied(text) == loose(text.rstrip("/") or "/")


@pytest.mark.parametrize("text", ["/etc", "-rf", "$HOME/x", "~/x", "../x", "a/../../x", "host:/etc", "C:x", "", "./"])
def test_a_relative_path_that_may_leave_is_refused(text: str) -> None:
    assert why_not_relative(text) is not None


@pytest.mark.parametrize("text", [".", "src", "src/main.py", ".env", "src/", "a-b", "src/-x", "a/b:c"])
def test_a_plain_relative_path_is_accepted(text: str) -> None:
    assert why_not_relative(text) is None


def test_a_relative_path_is_not_absolute() -> None:
    assert why_not_absolute("srv/project") == "is not an absolute path"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.com", Origin("https", "example.com", 443)),
        ("HTTPS://Example.COM/a?b#c", Origin("https", "example.com", 443)),
        ("http://localhost:8080/", Origin("http", "localhost", 8080)),
        ("https://example.com/@evil.org", Origin("https", "example.com", 443)),
        ("https://127.0.0.1/", Origin("https", "127.0.0.1", 443)),
        ("https://[::1]:8443/x", Origin("https", "[::1]", 8443)),
        ("https://xn--bcher-kva.example/", Origin("https", "xn--bcher-kva.example", 443)),
        ("https://example.com/ünï", Origin("https", "example.com", 443)),
    ],
)
def test_a_plain_url_is_read(url: str, origin: Origin) -> None:
    assert parse_url(url) == origin


AMBIGUOUS_URLS = [
    "example.com",
    "//example.com",
    "https:/example.com",
    "https:example.com",
    "https:///example.com",
    "https://",
    "https://:443",
    "ftp://example.com",
    "file:///etc/passwd",
    "javascript://example.com",
    "https://user@example.com",
    "https://example.com@evil.org",
    "https://example.com:443@evil.org",
    "https://example.com%40evil.org",
    "https://example%2ecom",
    "https://example.com\\@evil.org",
    "https:\\\\example.com",
    "https://example.com\\.evil.org",
    "https://exam\tple.com",
    "https://example.com\n.evil.org",
    " https://example.com",
    "https://example.com /",
    "https://example.com\0.evil.org",
    "https://example.com.",
    "https://example..com",
    "https://.example.com",
    "https://-example.com",
    "https://example.com:",
    "https://example.com:0443",
    "https://example.com:99999",
    "https://example.com:+443",
    "https://example.com:\uff14\uff14\uff13",
    "https://example.com?@evil.org",
    "https://example.com#@evil.org",
    "https://ex\u0430mple.com",  # a Cyrillic letter
    "https://\uff45xample.com",
    "https://example\u3002com",
    "https://\u212aelvin.example",
    "http\u017f://example.com",
    "https://0x7f.1",
    "https://0x7f000001",
    "https://2130706433",
    "https://017700000001",
    "https://127.1",
    "https://127.0.0.01",
    "https://127.0.0.1.",
    "https://1.2.3.256",
    "https://example.1",
    "https://example.0x",
    "https://[::1",
    "https://[::1]x",
    "https://[0:0:0:0:0:0:0:1]",
    "https://[::ffff:127.0.0.1]",
    "https://[::ffff:7f00:1]",
    "https://[fe80::1%eth0]",
    "https://::1",
    "https://[example.com]",
    "https://exa_mple.com",
    f"https://{'a' * 64}.com",
    f"https://{'a.' * 127}com",
]


@pytest.mark.parametrize("url", AMBIGUOUS_URLS)
def test_a_url_with_two_readings_is_unclear(url: str) -> None:
    assert isinstance(parse_url(url), Unclear)


@given(
    st.lists(
        st.sampled_from([*"https:/@.#?%\\[]\t ", "http", "//", "example.com", "evil.org", "443", "\u017f", "\u3002"])
    )
)
def test_a_url_that_is_read_is_read_alike_by_the_standard_library(pieces: list[str]) -> None:
    url = "".join(pieces)
    origin = parse_url(url)
    if isinstance(origin, Origin):
        parts = urlsplit(url)
        assert (parts.scheme, parts.hostname) == (origin.scheme, origin.host.strip("[]"))
        assert parts.port in (origin.port, None)
        assert parts.username is None


@pytest.mark.parametrize("text", ["alice@example.com", "A.b+c@EXAMPLE.com", "example.com", "o'brien@example.com"])
def test_one_plain_address_or_host_has_a_host(text: str) -> None:
    assert parse_mail_host(text) == "example.com"


AMBIGUOUS_MAIL = [
    "",
    "@example.com",
    "alice@",
    "alice@example.com.",
    "alice@evil.org@example.com",
    "alice@example.com@evil.org",
    "Alice <alice@example.com>",
    "<alice@example.com>",
    '"alice"@example.com',
    '"evil@evil.org"@example.com',
    "alice(x)@example.com",
    "alice@example.com(x)",
    "alice@evil.org,bob@example.com",
    "alice@evil.org;bob@example.com",
    "alice@evil.org bob@example.com",
    "alice@evil.org\nbob@example.com",
    "alice@example.com\r\nBcc: eve@evil.org",
    "alice@example.com\0",
    "alice%evil.org@example.com",
    "evil.org!alice@example.com",
    "mailto:alice@example.com",
    "alice:eve@evil.org@example.com",
    "-oQ/tmp@example.com",
    ".alice@example.com",
    "alice.@example.com",
    "al..ice@example.com",
    "alice@[127.0.0.1]",
    "alice@127.0.0.1",
    "alice@[::1]",
    "alice@ex\u0430mple.com",
    "alicé@example.com",
    "alice\uff20example.com",
    "alice@example\u3002com",
    "example.com:25",
    "user:pw@example.com",
    "alice@example.com?cc=eve",
    "alice@example.com/x",
    "alice\\@example.com",
    f"{'a' * 65}@example.com",
]


@pytest.mark.parametrize("text", AMBIGUOUS_MAIL)
def test_an_address_with_two_readings_is_unclear(text: str) -> None:
    assert isinstance(parse_mail_host(text), Unclear)


@given(st.text())
def test_no_text_breaks_a_parser(text: str) -> None:
    for parse in (parse_host, parse_mail_host, parse_url):
        assert isinstance(parse(text), (str, Origin, Unclear))
    for reason in (why_not_canonical(text), why_not_relative(text), why_not_absolute(text)):
        assert reason is None or reason
    assert isinstance(tidied(text), str)


@pytest.mark.parametrize(
    "text", ["FORCE", " force", "for\u200bce", "\uff46\uff4f\uff52\uff43\uff45", "force\0", "Force\n"]
)
def test_texts_that_a_careless_reader_takes_for_one_have_one_loose_form(text: str) -> None:
    assert loose(text) == loose("force")
