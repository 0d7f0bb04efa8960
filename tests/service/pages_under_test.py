"""What tests of the pages look at: a page with all that it asked for and complained of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page

# A page, and what is there once it has filled itself.
PAGES = {
    "/": "#hits-plot svg",
    "/users/1": "#explanation svg",
    "/movies/318": "#similar .side",
    "/search": ".results li",
    "/model": "#popularity svg",
}
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
SCROLLS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@dataclass
class OpenPage:
    """A page in a browser of its own: what its console complained of, what it asked for, the bytes that it received."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    received: float = 0

    def watch(self, context: BrowserContext) -> None:
        """Take notes from now on."""
        self.page.on("console", lambda message: self._complain(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        session = context.new_cdp_session(self.page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._receive)

    def go(self, path: str) -> Page:
        """Open a page and wait until it is filled."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector(PAGES[path])
        return self.page

    def _complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _receive(self, event: dict[str, float]) -> None:
        self.received += event["encodedDataLength"]


@contextmanager
def open_page(browser: Browser, url: str) -> Iterator[OpenPage]:
    """A new page without a past."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    opened = OpenPage(context.new_page(), url)
    opened.watch(context)
    yield opened
    context.close()
