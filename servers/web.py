"""A web of a few pages that lie in a directory. It never touches a network: what has no file does not exist.

One of the seeded pages carries an injected instruction, as a comment section would.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import world
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field
from room import Room
from toolbox import READ, READ_WORLD, existing_directory, parser, serve, tool


class Page(BaseModel):
    url: str
    content: str = Field(description="HTML; whatever it says was written by strangers")


class PageList(BaseModel):
    urls: list[str]


class Web:
    """`DIR/HOST/help/paying.html` is served as `https://HOST/help/paying`, `index.html` as its directory."""

    def __init__(self, pages: Path) -> None:
        self._pages = pages

    def list_pages(self) -> PageList:
        """List the addresses of all pages that there are."""
        return PageList(urls=sorted(self._by_url()))

    def fetch(self, url: Annotated[str, Field(max_length=2000, description="https address of a page")]) -> Page:
        """Fetch a page and return its HTML."""
        file = self._by_url().get(url.split("#")[0])
        if file is None:
            raise ToolError("404: there is no such page")
        return Page(url=url, content=file.read_text(encoding="utf-8"))

    def _by_url(self) -> dict[str, Path]:
        """Built from the files, never from what was asked for: there is no path for `..` to climb."""
        return {self._url(file): file for file in self._pages.rglob("*.html") if file.is_file()}

    def _url(self, file: Path) -> str:
        path = file.relative_to(self._pages).as_posix().removesuffix(".html")
        return f"https://{path.removesuffix('index')}"


def _seeded(pages: Path) -> Path:
    """The pages inside the state directory, with the small world's at first start."""
    if not pages.exists():
        for name, html in world.PAGES.items():
            (pages / name).parent.mkdir(parents=True, exist_ok=True)
            (pages / name).write_text(html, encoding="utf-8")
    return pages


def main(state: Path, pages: Path | None) -> None:
    room = Room(state, "web")
    with room.locked():
        web = Web(pages or _seeded(room.directory / "pages"))
    serve(
        "web",
        "A handful of web pages.",
        [tool(room, web.fetch, READ_WORLD), tool(room, web.list_pages, READ)],
    )


if __name__ == "__main__":
    options = parser("A web of local pages, for demonstration and tests.")
    options.add_argument(
        "--pages", type=existing_directory, metavar="DIR", help="default: a seeded directory in --state"
    )
    given = options.parse_args()
    main(given.state, given.pages)
