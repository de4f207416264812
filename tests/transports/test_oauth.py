"""Access tokens for servers behind URLs: whom the guard asks, what it shows, and where its secret goes.

One scripted server on loopback is tool server and authorization server; what it heard is the evidence.
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard import downstream, log
from mcp_guard.transports import http_oauth_token
from mcp_guard.transports.http_link_remote import OAuth, Place, Remote
from mcp_guard.transports.http_oauth_fetch import Reach, fetch, is_public
from mcp_guard.transports.http_oauth_metadata import NoToken, issuer_of, token_in, token_place
from tests.fixtures.http_server import Heard, HttpServer, Wire, no_stream, serving
from tests.remote_scene import begin, remote_scene
from tests.transports.processes import until

SECRET = "s3cret/with:odd chars"
OAUTH = OAuth("DOCS_ID", "DOCS_SECRET", "read write")
HOST = "https://docs.example.com"


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the person is told; the variables are set."""
    monkeypatch.setenv("DOCS_ID", "guard:1")
    monkeypatch.setenv("DOCS_SECRET", SECRET)
    monkeypatch.setattr(downstream, "FIRST_BACK_OFF", 60.0)
    said: list[Any] = []
    monkeypatch.setattr(log, "_taker", lambda text, values: said.append((text, values)))
    return said


class Issuer:
    """Scripts of a server that gives its own tokens and takes no others."""

    def __init__(self, **changed: Any) -> None:
        self.changed = changed
        self.given = 0
        self.seconds: Any = 3600
        self.server: HttpServer | None = None

    @property
    def origin(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.port}"

    async def get(self, heard: Heard, wire: Wire) -> None:
        document: dict[str, Any] | None = None
        if heard.target == "/.well-known/oauth-protected-resource/mcp":
            document = {"resource": f"{self.origin}/mcp", "authorization_servers": [f"{self.origin}/as"]}
        elif heard.target == "/.well-known/oauth-authorization-server/as":
            document = {"issuer": f"{self.origin}/as", "token_endpoint": f"{self.origin}/token"}
        elif not heard.target.startswith("/.well-known"):
            return await no_stream(heard, wire)
        if document is None or heard.header("authorization") is not None:
            return await wire.respond(404)
        return await wire.json({name: self.changed.get(name, value) for name, value in document.items()})

    async def token(self, heard: Heard, wire: Wire) -> None:
        self.given += 1
        token = {"access_token": f"token-number-{self.given}", "token_type": "Bearer", "expires_in": self.seconds}
        await wire.json({**token, **self.changed})

    def serving(self) -> Any:
        return serving(GET=self.get, **{"(form)": self.token})


async def test_a_token_is_got_before_anything_is_said_and_goes_with_every_message(tmp_path: Path) -> None:
    issuer = Issuer()
    async with issuer.serving() as issuer.server, remote_scene(tmp_path, issuer.server, oauth=OAUTH) as scene:
        await begin(scene)
        assert "error" not in await scene.call("echo", {"text": "x"})
    heard = issuer.server.heard
    (form,) = issuer.server.of("(form)")
    assert parse_qs(form.body.decode()) == {
        "grant_type": ["client_credentials"],
        "resource": [f"{issuer.origin}/mcp"],
        "scope": ["read write"],
    }
    basic = base64.b64decode((form.header("authorization") or "").removeprefix("Basic ")).decode()
    assert basic == "guard%3A1:s3cret%2Fwith%3Aodd%20chars"
    calls = [one for one in heard if one.target == "/mcp"]
    assert heard.index(form) < heard.index(calls[0])
    assert {one.header("authorization") for one in calls} == {"Bearer token-number-1"}
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"token-number" not in kept and SECRET.encode() not in kept


async def test_a_token_is_renewed_in_time_and_all_sessions_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_oauth_token, "RENEWED_AT", 0.0)
    monkeypatch.setattr(http_oauth_token, "AGAIN_AFTER", 0.0)
    issuer = Issuer()
    issuer.seconds = 60
    async with issuer.serving() as issuer.server:
        async with (
            remote_scene(tmp_path / "a", issuer.server, oauth=OAUTH) as scene,
            remote_scene(tmp_path / "b", issuer.server, oauth=OAUTH) as other,
        ):
            await begin(scene)
            monkeypatch.setattr(http_oauth_token, "RENEWED_AT", 1.0)
            await until(lambda: issuer.given >= 2, "no new token")
            given = issuer.given
            await begin(other)
            assert issuer.given == given
            await scene.call("echo", {"text": "x"})
        (call,) = issuer.server.of("tools/call")
        assert call.header("authorization") != "Bearer token-number-1"
        assert http_oauth_token._tokens == {}


async def test_a_refused_call_is_not_sent_again_and_the_next_one_has_a_new_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_oauth_token, "AGAIN_AFTER", -1.0)
    issuer = Issuer()
    refusals = [401]

    async def choosy(heard: Heard, wire: Wire) -> None:
        status = refusals.pop() if refusals else 0
        if status:
            return await wire.respond(status)
        return await wire.json({"jsonrpc": "2.0", "id": heard.message["id"], "result": {"content": []}})

    async with (
        serving(GET=issuer.get, tools_call=choosy, **{"(form)": issuer.token}) as issuer.server,
        remote_scene(tmp_path, issuer.server, oauth=OAUTH) as scene,
    ):
        await begin(scene)
        assert "error" in await scene.call("echo", {"text": "once"})
        await until(lambda: issuer.given == 2, "no new token")
        assert "error" not in await scene.call("echo", {"text": "twice"})
        assert issuer.server.executed == ["once", "twice"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"resource": "https://other.example/mcp"}, "another resource"),
    ({"authorization_servers": ["https://evil.example"]}, "elsewhere (https://evil.example)"),
    ({"authorization_servers": []}, "elsewhere"),
    ({"issuer": "https://evil.example"}, "another one's"),
    ({"token_endpoint": "http://evil.example/token"}, "isn't https"),
    ({"token_endpoint": "https://127.0.0.1:1/token"}, "not at a public address"),
    ({"token_endpoint": "https://[::ffff:10.0.0.1]/token"}, "not at a public address"),
    ({"token_endpoint": "https://169.254.169.254/latest"}, "not at a public address"),
    ({"token_endpoint": "file:///etc/passwd"}, "no address"),
    ({"access_token": "a\r\nX: 1"}, "stand in a header"),
    ({"token_type": "DPoP"}, "no bearer token"),
]


@pytest.mark.parametrize(("changed", "why"), WRONG)
async def test_what_is_wrong_with_the_metadata_keeps_secret_and_calls_at_home(
    tmp_path: Path, told: list[Any], changed: dict[str, Any], why: str
) -> None:
    issuer = Issuer(**changed)
    async with issuer.serving() as issuer.server, remote_scene(tmp_path, issuer.server, oauth=OAUTH) as scene:
        assert "error" in await begin(scene)
    assert [one for one in issuer.server.heard if one.target == "/mcp"] == []
    assert why in json.dumps(told) + str([row.body for row in scene.rows()])
    if not changed.keys() & {"access_token", "token_type"}:
        assert issuer.server.of("(form)") == []
    assert SECRET not in json.dumps(told)


async def test_a_redirect_of_metadata_or_token_is_not_followed(tmp_path: Path) -> None:
    issuer = Issuer()

    async def away(_: Heard, wire: Wire) -> None:
        await wire.respond(302, location=f"{issuer.origin}/elsewhere")

    for scripts in ({"GET": away, "(form)": issuer.token}, {"GET": issuer.get, "(form)": away}):
        async with serving(**scripts) as issuer.server, remote_scene(tmp_path, issuer.server, oauth=OAUTH) as scene:
            assert "error" in await begin(scene)
        assert [one for one in issuer.server.heard if one.target in ("/mcp", "/elsewhere")] == []


async def test_a_variable_that_is_not_set_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCS_SECRET")
    issuer = Issuer()
    async with issuer.serving() as issuer.server, remote_scene(tmp_path, issuer.server, oauth=OAUTH) as scene:
        assert "error" in await begin(scene)
    assert [one for one in issuer.server.heard if one.body] == []


def test_an_authorization_server_elsewhere_counts_only_if_a_person_named_it() -> None:
    remote = Remote(f"{HOST}/mcp", oauth=OAUTH)
    named = OAuth("A", "B", issuer="https://login.example.com")
    document = {"resource": HOST, "authorization_servers": ["https://login.example.com", HOST]}
    assert issuer_of(document, remote, OAUTH) == HOST
    assert issuer_of(document, remote, named) == "https://login.example.com"
    assert issuer_of(None, remote, named) == "https://login.example.com"
    for odd in ("https://docs.example.com@evil.example/", "https://docs.example.com.evil.example", f"{HOST}#x"):
        with pytest.raises(NoToken):
            issuer_of({**document, "authorization_servers": [odd]}, remote, OAUTH)
    with pytest.raises(NoToken):
        issuer_of({**document, "authorization_servers": [HOST]}, remote, named)


@given(st.dictionaries(st.sampled_from(["issuer", "token_endpoint", "grant_types_supported", "resource"]), st.none()
       | st.booleans() | st.integers() | st.text() | st.lists(st.text())))  # fmt: skip
def test_whatever_metadata_says_it_is_a_place_or_no_token(document: dict[str, Any]) -> None:
    for act in (lambda: issuer_of(document, Remote(f"{HOST}/mcp"), OAUTH), lambda: token_place(document, HOST)):
        try:
            act()
        except NoToken:
            continue


def test_a_token_without_a_lifetime_is_kept_for_a_short_while_and_none_for_more_than_a_day() -> None:
    token = {"access_token": "abc", "token_type": "bearer"}
    assert token_in(token) == ("abc", 300.0)
    assert token_in({**token, "expires_in": 10**9}) == ("abc", 86400.0)
    assert token_in({**token, "expires_in": True}) == ("abc", 300.0)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *(("8.8.8.8", True), ("2001:4860:4860::8888", True), ("64:ff9b::808:808", True)),
        *(("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", False), ("0.0.0.0", False)),  # noqa: S104
        *(("::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:127.0.0.1", False)),
        *(("64:ff9b::a00:1", False), ("2002:7f00:1::", False), ("224.0.0.1", False), ("100.64.0.1", False)),
    ],
)
def test_an_address_is_public_in_every_way_of_reading_it_or_not_at_all(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_the_one_that_is_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, asked, reached = asyncio.get_running_loop(), list[str](), list[str]()

    async def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("8.8.8.8" if len(asked) == 1 else "127.0.0.1", port))]

    async def connect(host: str, *_: Any, **options: Any) -> Any:
        reached.append(host)
        assert options["server_hostname"] == "rebinding.example"
        raise OSError

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    monkeypatch.setattr(asyncio, "open_connection", connect)
    with pytest.raises(NoToken, match="can't be reached"):
        await fetch(Place("https://rebinding.example/x"), Reach.PUBLIC)
    assert (asked, reached) == (["rebinding.example"], ["8.8.8.8"])
    with pytest.raises(NoToken, match="not at a public address"):
        await fetch(Place("https://rebinding.example/x"), Reach.PUBLIC)
    monkeypatch.setattr(loop, "getaddrinfo", lambda *_, **__: asyncio.sleep(0, [(2, 1, 6, "", ("8.8.8.8", 80))]))
    with pytest.raises(NoToken, match="for this machine only"):
        await fetch(Place("http://localhost/x"), Reach.NAMED)
