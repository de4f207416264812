"""Who gets into the console, and what a page elsewhere, another program or a tool server gets instead."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from mcp_guard.console.door import LINK_LIFE, SESSION_LIFE
from mcp_guard.console.pages import PAGES
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.stops import EVERYTHING
from tests.console.visitor import FORM, Visitor
from tests.record.examples import open_record

ACTS = [page.path.replace("{entry}", "ab-1") for page in PAGES if page.act is not None]
SHOWN = [page.path.replace("{entry}", "ab-1") for page in PAGES if page.show is not None]


@pytest.fixture
async def visitor(tmp_path: Path) -> Visitor:
    with open_record(tmp_path):
        pass
    return await Visitor(tmp_path / "state").log_in()


def changes(visitor: Visitor) -> int:
    with open_for_reading(visitor.state) as query:
        return len([row for row in query.entries(Filter()) if row.kind.value != "opened"])


async def test_the_link_lets_one_browser_in_once(tmp_path: Path) -> None:
    visitor = Visitor(tmp_path)
    link = f"/login/{visitor.ticket}"
    for _ in range(2):  # looking at it, as a mail program may, uses nothing up
        assert (await visitor.raw("GET", link, [visitor.host])).status == 200
    await visitor.log_in()
    assert (await visitor.get("/now")).status == 200
    assert (await visitor.raw("GET", link, [visitor.host])).status == 403
    again = await visitor.raw("POST", link, [visitor.host, visitor.origin, FORM])
    assert (again.status, again.header("set-cookie")) == (403, "")


async def test_an_old_link_and_a_wrong_one_let_nobody_in(tmp_path: Path) -> None:
    visitor = Visitor(tmp_path)
    for ticket in ("", "x", visitor.ticket[:-1], f"{visitor.ticket}x"):
        answer = await visitor.raw("POST", f"/login/{ticket}", [visitor.host, visitor.origin, FORM])
        assert answer.status in (403, 404) and not answer.header("set-cookie")
    visitor.clock.now += LINK_LIFE
    assert (await visitor.raw("POST", f"/login/{visitor.ticket}", [visitor.host, visitor.origin, FORM])).status == 403


async def test_nothing_is_shown_and_nothing_is_done_without_the_cookie(visitor: Visitor) -> None:
    before = changes(visitor)
    wrong = ["", "mcp-guard-console=", f"{visitor.cookie}x", f"{visitor.cookie}; {visitor.cookie}", "other=1"]
    for cookie in wrong:
        headers = [visitor.host, ("cookie", cookie)]
        for path in ["/", "/moment", *SHOWN]:
            assert (await visitor.raw("GET", path, headers)).status == 403
        for path in ACTS:
            body = urlencode({"form": visitor.secret, "kind": EVERYTHING}).encode()
            assert (await visitor.raw("POST", path, [*headers, visitor.origin, FORM], body)).status == 403
    assert changes(visitor) == before


async def test_a_browser_that_came_in_is_out_after_a_day_and_when_it_leaves(visitor: Visitor) -> None:
    left = await visitor.post("/leave")
    assert "Max-Age=0" in left.header("set-cookie")
    assert (await visitor.get("/now")).status == 403
    assert (await visitor.raw("GET", f"/login/{visitor.ticket}", [visitor.host])).status == 403
    other = await Visitor(visitor.state).log_in()
    other.clock.now += SESSION_LIFE
    assert (await other.get("/now")).status == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8711", "localhost:8711", "guard-0000000000000000.localhost:8711", None])
async def test_no_other_host_is_answered(visitor: Visitor, host: str | None) -> None:
    for path in ("/now", f"/login/{visitor.ticket}", "/static/console.css"):
        headers = [("cookie", visitor.cookie)] + ([] if host is None else [("host", host)])
        assert (await visitor.raw("GET", path, headers)).status == 421
    twice = [visitor.host, ("host", "localhost:8711"), ("cookie", visitor.cookie)]
    assert (await visitor.raw("GET", "/now", twice)).status == 421
    assert (await visitor.raw("GET", "/now", [("host", visitor.door.host.split(":")[0])])).status == 421


def test_every_start_has_a_host_and_a_link_of_its_own(tmp_path: Path) -> None:
    doors = [Visitor(tmp_path).door for _ in range(20)]
    assert len({door.host for door in doors}) == len({door.link for door in doors}) == 20
    assert all(door.host.endswith(".localhost:8711") for door in doors)


@pytest.mark.parametrize("origin", [None, "null", "http://localhost:8711", "https://evil.example", "HTTP"])
async def test_a_form_from_another_origin_does_nothing(visitor: Visitor, origin: str | None) -> None:
    before = changes(visitor)
    body = urlencode({"form": visitor.secret, "kind": EVERYTHING}).encode()
    sent = [] if origin is None else [("origin", visitor.door.origin.upper() if origin == "HTTP" else origin)]
    for path in (*ACTS, "/leave"):
        headers = [visitor.host, FORM, ("cookie", visitor.cookie), *sent]
        assert (await visitor.raw("POST", path, headers, body)).status == 403
    if sent:
        assert (await visitor.get("/now", *sent)).status == 403
    assert changes(visitor) == before
    assert (await visitor.get("/now")).status == 200


@pytest.mark.parametrize("fields", [{}, {"form": ""}, {"form": "x"}, {"form": ["{}", "{}"]}])
async def test_a_form_without_its_secret_does_nothing(visitor: Visitor, fields: dict[str, object]) -> None:
    before = changes(visitor)
    filled = {name: [visitor.secret] * 2 if isinstance(one, list) else one for name, one in fields.items()}
    body = urlencode({**filled, "kind": EVERYTHING}, doseq=True).encode()
    for path in (*ACTS, "/leave"):
        headers = [visitor.host, visitor.origin, FORM, ("cookie", visitor.cookie)]
        assert (await visitor.raw("POST", path, headers, body)).status == 403
    assert changes(visitor) == before


async def test_a_form_of_another_kind_or_size_is_not_read(visitor: Visitor) -> None:
    own = [visitor.host, visitor.origin, ("cookie", visitor.cookie)]
    body = urlencode({"form": visitor.secret, "kind": EVERYTHING}).encode()
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x", ""):
        assert (await visitor.raw("POST", "/now/stop", [*own, ("content-type", kind)], body)).status == 415
    assert (await visitor.raw("POST", "/now/stop", [*own, FORM], body + b"&x=" + b"x" * 20_000)).status == 413
    assert (await visitor.raw("POST", "/now/stop", [*own, FORM], body + b"&x=%ff")).status == 400
    assert (await visitor.raw("POST", "/now/stop", [*own, FORM], body + b"&x=1" * 200)).status == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
async def test_other_methods_are_refused(visitor: Visitor, method: str) -> None:
    headers = [visitor.host, visitor.origin, ("cookie", visitor.cookie)]
    assert (await visitor.raw(method, "/now", headers)).status == 405
    for act in ACTS:
        assert (await visitor.get(act)).status in (404, 405)  # nothing is changed by following a link


@pytest.mark.parametrize(
    ("name", "value"),
    [("sec-fetch-dest", "iframe"), ("sec-fetch-dest", "embed"), ("sec-fetch-site", "cross-site"),
     ("sec-fetch-site", "same-site")],
)  # fmt: skip
async def test_a_page_elsewhere_neither_frames_nor_fetches_it(visitor: Visitor, name: str, value: str) -> None:
    assert (await visitor.get("/now", (name, value))).status == 403
    assert (await visitor.get("/now", ("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "document"))).status == 200


async def test_the_cookie_is_for_this_host_alone_and_no_script_reads_it(tmp_path: Path) -> None:
    visitor = Visitor(tmp_path)
    answer = await visitor.raw("POST", f"/login/{visitor.ticket}", [visitor.host, visitor.origin, FORM])
    value, *flags = answer.header("set-cookie").split("; ")
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    assert visitor.ticket not in value


async def test_every_answer_forbids_inline_code_frames_foreign_things_and_copies(visitor: Visitor) -> None:
    answers = [await visitor.get(path) for path in ("/now", "/none", "/static/live.js", "/moment", "/log/ab-1")]
    answers += [await visitor.raw("GET", "/now", [("host", "evil")]), await visitor.raw("POST", "/now", [visitor.host])]
    for answer in answers:
        policy = dict(part.partition(" ")[::2] for part in answer.header("content-security-policy").split("; "))
        assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert policy["base-uri"] == "'none'"
        assert answer.header("cache-control") == "no-store"
        assert answer.header("x-frame-options") == "DENY"
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("referrer-policy") == "same-origin"
        assert not answer.header("server") and not answer.header("access-control-allow-origin")


async def test_an_error_of_ours_says_nothing_of_what_it_was(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret-value")

    monkeypatch.setattr("mcp_guard.console.rows.waiting", fail)
    with pytest.raises(RuntimeError):  # what the web server sees, once the answer is out
        await visitor.get("/now")
    answer = visitor.last
    assert answer.status == 500 and "secret-value" not in answer.text
    assert answer.header("x-frame-options") == "DENY"


def test_no_template_has_inline_code_or_leads_elsewhere() -> None:
    folder = Path(__file__).parents[2] / "mcp_guard" / "console" / "templates"
    for file in folder.glob("*.html"):
        text = file.read_text()
        for word in ("|safe", "autoescape false", " on", "style=", "javascript:", "http://", "https://", "<style"):
            if word == " on":
                assert not [part for part in text.split("<")[1:] if " on" in part.partition(">")[0] and "=" in
                            part.partition(" on")[2].split(" ")[0]], file  # fmt: skip
            else:
                assert word not in text, (file, word)
        assert "<script>" not in text
