"""Neo4j Browser in a real Chromium, driven as a person would: for its test and its screenshots."""

import base64
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page

from common.settings import Settings
from graph.favourites import BROWSER_FOLDER, STYLE, title, write_favourites
from graph.server.home import Home
from scripts.browser import open_browser

MILLISECONDS = 30_000
# What the drop of a file from the desktop tells a page.
DROP = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0))
  const transfer = new DataTransfer()
  transfer.items.add(new File([bytes], name))
  for (const kind of ['dragenter', 'dragover', 'drop'])
    document.querySelector('[data-testid="main"]')
      .dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: transfer}))
}"""


class Neo4jBrowser:
    """One open page of Neo4j Browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def connect(self, url: str, user: str, password: str) -> None:
        """Open Browser and connect it to the server that it comes from."""
        self.page.goto(url)
        self.page.fill(_id("username"), user)
        self.page.fill(_id("password"), password)
        self.page.click(_id("connect"))
        self.page.wait_for_selector("text=You are connected as user")

    def drop(self, file: Path) -> None:
        """Drop a file on the page."""
        self.page.evaluate(DROP, [file.name, base64.b64encode(file.read_bytes()).decode()])

    def import_all(self) -> None:
        """Drop the style and the favourites, and open their folder."""
        self.drop(STYLE)
        self.page.wait_for_selector("text=node.Movie {")
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "favourites.zip"
            write_favourites(archive)
            self.drop(archive)
        self.page.click(_id("navigationFavorites"))
        self.page.click(_id(f"expandFolder-{BROWSER_FOLDER}"))
        self.run(":config autoComplete: false")  # draw the edges of the answer, not all between its nodes
        self.page.wait_for_selector("text=:config autoComplete: false")

    def set_parameters(self, **parameters: int) -> None:
        """Set what the favourites ask for."""
        self.run(":params {" + ", ".join(f"{name}: {value}" for name, value in parameters.items()) + "}")
        self.page.wait_for_selector("text=:params {")

    def show_whole_graph(self) -> None:
        """Let a graph have all of the frame: close the panel beside it, and fit it in."""
        panel = self.page.locator('[title="Collapse the node properties display"]')
        if panel.count():
            panel.first.click()
        self.page.click("[aria-label=zoom-to-fit]")

    @property
    def answer(self) -> Locator:
        """The newest answer on the page."""
        return self.page.locator(_id("frame")).first

    def run(self, command: str) -> None:
        """Type a command into the editor and run it."""
        self.page.click("#monaco-main-editor")
        self.page.keyboard.insert_text(command)
        self.page.click(_id("editor-Run"))

    def run_favourite(self, name: str) -> tuple[str, int]:
        """Run a favourite on an empty page, by its name (`browser/tour_the_data`) in `cypher/`.

        Returns what is seen: "graph" and the number of its nodes, or "table" and the number of its rows.
        """
        self.run(":clear")
        self.page.wait_for_selector(_id("frame"), state="detached")
        self.page.click(_id(f"scriptTitle-{title(name)}"))
        self.page.click(_id("editor-Run"))
        self.page.wait_for_selector(_id("frame-loaded-contents"))
        nodes = self.page.locator("svg .node")
        rows = self.page.locator(f"{_id('frame')} [role=row]:has([role=cell])")
        nodes.or_(rows).first.wait_for()
        return ("graph", nodes.count()) if nodes.count() else ("table", rows.count())


@contextmanager
def open_neo4j_browser(settings: Settings, width: int = 1440, height: int = 900) -> Iterator[Neo4jBrowser]:
    """Browser, connected to the embedded server, with favourites and style. Nothing outside this machine is asked."""
    with open_browser() as chromium:
        page = chromium.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(MILLISECONDS)
        page.route(lambda url: not url.startswith("http://127.0.0.1:"), lambda route: route.abort())
        browser = Neo4jBrowser(page)
        password = Home(settings.neo4j_home).password()
        browser.connect(f"http://127.0.0.1:{settings.neo4j_http_port}/browser/", settings.neo4j_user, password)
        browser.import_all()
        yield browser


def _id(name: str) -> str:
    return f'[data-testid="{name}"]'
