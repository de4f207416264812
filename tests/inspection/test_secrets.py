"""Which secrets are found, which texts aren't taken for some, and that no text makes looking slow."""

from __future__ import annotations

import pytest

from mcp_guard.inspection import secrets
from mcp_guard.inspection.detectors import known
from mcp_guard.inspection.secrets import Finder, finder
from tests.growth import linear
from tests.inspection.samples import AWS, PRIVATE_KEY, SECRETS

FOUND = {
    **SECRETS,
    "https://me:" + "hunter2@example.com/x": "password in a url",
    "sk-" + "ant-api03-" + "a1B2" * 6: "anthropic api key",
    "AIza" + "a1B2c" * 7: "google api key",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + "c2lnbmF0dXJl": "json web token",
    "xoxb-" + "123456789-" + "abcdef": "slack token",
    "glpat" + "-" + "a1B2c" * 4: "gitlab token",
    "Authorization: Bearer " + "a1B2c3D4e5": "authorization header",
    PRIVATE_KEY: "private key",
}
NOT_FOUND = [
    "d41d8cd98f00b204e9800998ecf8427e",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "550e8400-e29b-41d4-a716-446655440000",
    "password: see the manual",
    "https://example.com:8080/path?a=b",
    " APARTMENTSBUILDING ",
    "192.168.0.1",
    "The quick brown fox's API key is in the vault.",
]


@pytest.mark.parametrize("text", FOUND)
def test_a_secret_is_found_with_its_kind_between_other_words(text: str) -> None:
    (found,) = finder(()).find(f"before {text} after")
    assert found[2] == FOUND[text]
    taken = f"before {text} after"[found[0] : found[1]]
    assert taken in text
    assert len(taken) >= 7


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_is_no_secret_is_not_taken_for_one(text: str) -> None:
    assert finder(()).find(text) == []


def test_the_kinds_of_the_library_are_all_there() -> None:
    """One that its next version changes so that RE2 doesn't take it must not fall silent."""
    named = {name for name, _ in known()}
    assert {"stripe access key", "twilio api key", "azure storage account access key", "gitlab token"} <= named
    assert len(list(known())) >= 50
    assert "public ip (ipv4)" not in named
    assert all(secrets.expression(pattern) for _, pattern in known())


class NoRoom:
    """The automaton of all expressions, out of memory: it says that nothing fits, not even what always does."""

    def Match(self, text: str) -> None:  # noqa: N802 - the library's name
        return None


def test_an_automaton_without_room_hides_no_secret() -> None:
    found = Finder((), also_known=True)
    found._any = NoRoom()
    assert found.suspects(f"x {AWS}")
    assert [kind for _, _, kind in found.find(f"x {AWS}")] == ["aws access key"]


@pytest.mark.parametrize("text", ["://a:b", "aws key '", "-----BEGIN RSA ", "eyJa.", "//:_authToken="])
def test_no_text_makes_looking_slow(text: str) -> None:
    found = finder(())
    texts = {count: text * count for count in (1_000, 32_000)}
    assert linear(lambda count: found.find(texts[count]), 1_000)


def test_a_lone_surrogate_moves_no_place() -> None:
    text = f"\ud800é {AWS} \udfff"
    ((start, end, _),) = finder(()).find(text)
    assert text[start:end] == AWS
