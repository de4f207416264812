"""The web is a directory: pages that are there, and nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.servers.connect import complaint, connect, structured

INJECTED = "https://www.polder-energie.example/help/paying"


async def test_one_of_the_listed_pages_carries_the_injection(tmp_path: Path) -> None:
    async with connect("web", tmp_path / "state") as web:
        urls = structured(await web.call_tool("list_pages", {}))["urls"]
        pages = [structured(await web.call_tool("fetch", {"url": url}))["content"] for url in urls]
    assert urls == ["https://docs.weather.example/", "https://www.polder-energie.example/", INJECTED]
    assert ["LV73TEST0000990011223" in page for page in pages] == [False, False, True]


async def test_an_address_without_a_page_is_not_found_wherever_it_points(tmp_path: Path) -> None:
    (tmp_path / "state" / "pages").mkdir(parents=True)
    (tmp_path / "state" / "secret.html").write_text("secret")
    async with connect("web", tmp_path / "state") as web:
        for url in ("https://example.com/", "https://../secret", "file:///etc/passwd", "http://127.0.0.1/"):
            assert "404" in complaint(await web.call_tool("fetch", {"url": url}))


async def test_pages_may_come_from_another_directory(tmp_path: Path) -> None:
    (tmp_path / "site" / "a.example").mkdir(parents=True)
    (tmp_path / "site" / "a.example" / "b.html").write_text("hello")
    async with connect("web", tmp_path / "state", "--pages", str(tmp_path / "site")) as web:
        page = structured(await web.call_tool("fetch", {"url": "https://a.example/b#part"}))
        assert structured(await web.call_tool("list_pages", {}))["urls"] == ["https://a.example/b"]
    assert page["content"] == "hello"
