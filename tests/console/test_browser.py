"""The console in a real browser: the system's Chromium, headless, driven by Playwright. `make test-console` runs it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_guard.policy.document import load_policy
from mcp_guard.record.entries import EntryKind
from tests.approvals.room import Room, answer_of
from tests.console.process import console
from tests.console.test_pages import ECHO, HOSTILE, question
from tests.console.visitor import with_pin
from tests.guards import RecordingDownstream
from tests.patience import PATIENCE
from tests.presence.person import PIN

pytestmark = pytest.mark.console
ROOT = Path(__file__).parents[2]
AXE = ROOT / ".console" / "node_modules" / "axe-core" / "axe.min.js"
BROWSERS = ("chromium", "google-chrome")
PAGES = ("/now", "/authority", "/approvals", "/log", "/servers", "/report")
POLICY = """version: 1
grants:
  - id: read-project
    tool: [files/list_directory, files/read_text_file]
    args: {path: {under: $project, not_name: [".env"]}}
  - {id: say, tool: raw/echo, args: any, budget: {calls: 40}, ask: true}
  - {id: old, tool: bank/balance, args: any, until: 2026-01-01T00:00:00Z}
ask: [{id: big, tool: bank/transfer_money, args: {amount: {above: 50}}}]
deny: [{id: no-new-payees, tool: bank/add_*}]
"""


@asynccontextmanager
async def browser() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.fail("there is no Chromium; on Debian: apt install chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield started
        finally:
            await started.close()


async def log_in(page: Any, link: str) -> str:
    """Follow the link and press its button, by keyboard. The console's origin."""
    await page.goto(link)
    await page.get_by_role("button").press("Enter")
    await page.wait_for_url("**/now")
    return link.partition("/login/")[0]


def scene(home: Path) -> Room:
    """A guard with a policy on file, a client with a name, and what hostile servers and models would write."""
    policy = home / "policy.yaml"
    policy.write_text(POLICY)
    document = load_policy(policy)
    room = Room(home, POLICY.replace("$project", "/srv/project"), servers=[RecordingDownstream(tools=[ECHO])])
    with_pin(room.directory)
    grants = [rule.ref.id for rule in document.rules if rule.is_grant]
    said = {"kind": "policy", "file": str(policy), "digest": document.digest, "grants": grants}
    room.scene.record.note(EntryKind.LOADED, {"documents": [said], "session": "s1"})
    room.scene.record.note(EntryKind.SERVER_STARTED, {"server": "raw", "why": ""})
    return room


async def hostile(room: Room) -> None:
    room.scene.gateway.session.client = HOSTILE[0] + HOSTILE[1]
    for text in HOSTILE:
        await room.scene.call(text, {"a": text})
        room.scene.record.note(EntryKind.SERVER_EXITED, {"server": text, "why": text})


async def test_a_person_answers_by_keyboard_and_nothing_that_others_wrote_runs(tmp_path: Path) -> None:
    room = scene(tmp_path)
    await hostile(room)
    _, answer = await room.start(text=" ".join(HOSTILE), **{HOSTILE[1]: HOSTILE[0]})
    entry = question(room)
    async with browser() as chromium:
        page = await chromium.new_page()
        odd: list[str] = []
        page.on("dialog", lambda dialog: odd.append(f"dialog {dialog.message}"))
        page.on("pageerror", lambda error: odd.append(f"error {error}"))
        page.on("console", lambda said: odd.append(f"{said.type} {said.text}") if said.type == "error" else None)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        with console(room.directory) as link:
            origin = await log_in(page, link)
            for path in (*PAGES, f"/log/{entry}", f"/approvals/{entry}"):
                await page.goto(origin + path)
                assert "mcp_guard" in await page.title()
                assert await page.locator("img, iframe, object, embed, main script, main style").count() == 0
                bad = "els => els.filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"
                assert await page.locator("*").evaluate_all(bad) == 0
            await page.get_by_label("Your PIN, to agree").fill(PIN)
            await page.keyboard.press("Enter")
            await page.wait_for_url("**/approvals?done=approved")
            assert "isError" not in (await answer_of(answer))["result"]
            again = await chromium.new_page()
            assert (await again.goto(link)).status == 403
            port = origin.rpartition(":")[2]
            for host in ("127.0.0.1", "localhost", "guard-0.localhost"):
                assert (await again.goto(f"http://{host}:{port}/now")).status == 421
        assert odd == []
        assert {url.partition("://")[2].partition("/")[0] for url in requests} == {origin.partition("://")[2]}
    assert room.executed() == 1 and room.verified() == []


async def test_a_page_that_is_open_shows_a_new_question_by_itself(tmp_path: Path) -> None:
    room = scene(tmp_path)
    async with browser() as chromium:
        with console(room.directory) as link:
            page = await chromium.new_page()
            await log_in(page, link)
            assert await page.get_by_text("Read question").count() == 0
            await page.evaluate("document.activeElement.blur()")
            await page.wait_for_timeout(0)
            async with asyncio.timeout(PATIENCE):
                await room.start(text="hi")
                await page.get_by_text("Read question").wait_for()
            plain = await (await chromium.new_context(java_script_enabled=False)).new_page()
            assert (await plain.goto(link)).status == 403


async def test_the_pages_keep_the_rules_of_accessibility_light_dark_and_on_a_phone(tmp_path: Path) -> None:
    room = scene(tmp_path)
    await hostile(room)
    for text in ("Pay Polder Energie", "Write the note"):
        await room.start(text=text, n=1)
    with room.desk() as desk:
        desk.halt("server:web", "by local:me")
        first, second = desk.waiting()
    found: list[str] = []
    async with browser() as chromium:
        with console(room.directory) as link:
            context = await chromium.new_context(bypass_csp=True)  # for axe alone, which is put into the page
            page = await context.new_page()
            origin = await log_in(page, link)
            for scheme, width in (("light", 1100), ("dark", 1100), ("dark", 360)):
                await page.emulate_media(color_scheme=scheme)
                await page.set_viewport_size({"width": width, "height": 800})
                for path in (*PAGES, f"/approvals/{second.entry}", f"/log/{first.entry}"):
                    await page.goto(f"{origin}{path}?still")
                    await page.evaluate(AXE.read_text("utf-8"))
                    result = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
                    found += [
                        f"{scheme} {width} {path}: {one['id']} {one['nodes'][0]['target']}"
                        for one in result["violations"]
                    ]
                    wide = await page.evaluate("document.documentElement.scrollWidth")
                    assert wide <= width, f"{path} is {wide} pixels wide on {width}"
    assert found == [], "\n".join(found)
