"""A service below a path prefix, behind a real nginx: whatever one gets there leads to what is below the prefix."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import pytest
import requests
from conftest import RunningSystem
from gunicorn_service import GunicornService, serving
from nginx_proxy import Nginx, proxying, running_nginx
from pages_under_test import PAGES, OpenPage, open_page
from playwright.sync_api import Browser, expect

from common.settings import Settings
from graph.server.ports import free_ports
from scripts.browser import open_browser
from service.access.keys import add_key
from service.access.logins import COOKIE
from service.views.events import LISTED_USERS

PREFIX = "/reco"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
BROWSER = {"Accept": "text/html"}
# Another nginx than ours: how it passes requests on, and what it adds to them.
OTHER_NGINX = """
pid /tmp/nginx.pid;
error_log stderr error;
events {{}}
http {{
    access_log off;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    server {{
        listen 127.0.0.1:{port};
        location {prefix}/ {{
            proxy_set_header Host $http_host;
            {headers}
            proxy_pass http://127.0.0.1:{service}{path};
        }}
    }}
}}
"""
KEPT, REMOVED = "", "/"
HEADER = f"proxy_set_header X-Forwarded-Prefix {PREFIX};"
# By name: what the other nginx adds, what becomes of the prefix in the path, and whether the service has the setting.
OTHERS = {
    "header, removed": (HEADER, REMOVED, False),
    "header, kept": (HEADER, KEPT, False),
    "header with a slash": (f"proxy_set_header X-Forwarded-Prefix {PREFIX}/;", REMOVED, False),
    "gunicorn's header": (f"proxy_set_header SCRIPT_NAME {PREFIX};", KEPT, False),
    "setting, removed": ("", REMOVED, True),
    "setting, kept": ("", KEPT, True),
}


@dataclass(frozen=True)
class Below:
    """A service below the prefix."""

    url: str
    key: str

    def ask(self, method: str, path: str, **named: object) -> requests.Response:
        """An answer, not followed."""
        return requests.request(method, self.url + path, timeout=10, allow_redirects=False, **named)  # type: ignore[arg-type]


@contextmanager
def serve_closed(folder: Path, **named: str) -> Iterator[tuple[GunicornService, str]]:
    """A service that wants keys, without a Neo4j; and a key."""
    folder.mkdir()
    [port] = free_ports(1)
    settings = Settings(
        data=folder / "data", port=port, workers=1, deadline=0.5, neo4j_uri="bolt://127.0.0.1:9"
    ).model_copy(update=named)
    key = add_key(settings.keys_path, "writer", "write", 100_000)
    with serving(settings, folder) as service:
        yield service, key


@pytest.fixture(scope="module")
def believing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GunicornService, str]]:
    """A service that believes proxies on this machine."""
    with serve_closed(tmp_path_factory.mktemp("prefix") / "believing", trusted_proxies="127.0.0.1") as found:
        yield found


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GunicornService, str]]:
    """A service that believes nobody and knows its prefix."""
    with serve_closed(tmp_path_factory.mktemp("prefix") / "configured", path_prefix=PREFIX) as found:
        yield found


@pytest.fixture(scope="module", params=["ours", *OTHERS])
def below(
    request: pytest.FixtureRequest,
    believing: tuple[GunicornService, str],
    configured: tuple[GunicornService, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Below]:
    """The service behind each nginx."""
    folder = tmp_path_factory.mktemp("nginx") / "nginx"
    if request.param == "ours":
        service, key = believing
        with proxying(service.settings.port, folder, prefix=PREFIX) as nginx:
            yield Below(nginx.url + PREFIX, key)
        return
    headers, path, by_setting = OTHERS[request.param]
    service, key = configured if by_setting else believing
    [port] = free_ports(1)
    text = OTHER_NGINX.format(port=port, prefix=PREFIX, headers=headers, path=path, service=service.settings.port)
    with running_nginx(text, port, folder) as nginx:
        yield Below(nginx.url + PREFIX, key)


def log_in(below: Below, target: str = f"{PREFIX}/docs/swagger") -> requests.Response:
    return below.ask("POST", "/login", data={"key": below.key, "next": target}, headers=OWN_PAGE)


def test_a_visit_leads_to_the_login_and_back(below: Below) -> None:
    sent = below.ask("GET", "/docs/swagger?x=1", headers=BROWSER)
    wanted = f"{PREFIX}/docs/swagger?x=1"
    assert (sent.status_code, sent.headers["Location"]) == (302, f"{PREFIX}/login?next={quote(wanted, safe='')}")
    form = requests.get(urljoin(below.url, sent.headers["Location"]), timeout=10).text
    assert f'action="{PREFIX}/login"' in form
    assert f'value="{wanted}"' in form
    answer = log_in(below, wanted)
    assert (answer.status_code, answer.headers["Location"]) == (303, wanted)
    assert f"Path={PREFIX}" in answer.headers["Set-Cookie"].split("; ")
    cookies = {COOKIE: answer.cookies[COOKIE]}
    assert below.ask("GET", "/openapi.json", cookies=cookies).status_code == 200
    assert f'action="{PREFIX}/logout"' in below.ask("GET", "/login", cookies=cookies).text
    out = below.ask("POST", "/logout", cookies=cookies, headers=OWN_PAGE)
    assert (out.status_code, out.headers["Location"]) == (303, f"{PREFIX}/login")
    assert f"Path={PREFIX}" in out.headers["Set-Cookie"].split("; ")
    assert below.ask("GET", "/openapi.json", cookies=cookies).status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/docs",
        "/recovery",
        f"{PREFIX}/../docs",
        f"/\\evil.example{PREFIX}/",
        "https://evil.example/reco/",
    ],
)
def test_a_login_leads_nowhere_else(below: Below, target: str) -> None:
    assert log_in(below, target).headers["Location"] == f"{PREFIX}/"


@pytest.mark.parametrize("path", ["/", "/users/1", "/movies/318", "/search", "/model", "/docs/swagger", "/login"])
def test_all_that_a_page_names_is_below_the_prefix(below: Below, path: str) -> None:
    page = below.ask("GET", path, headers={"X-API-Key": below.key})
    assert page.status_code == 200
    named = re.findall(r'(?:src|href|action)="([^"]+)"', page.text)
    assert named
    for target in named:
        url = urljoin(below.url + path, target)
        assert urlsplit(url).path.startswith(f"{PREFIX}/"), target
        if "/static/" in target or "swagger/" in target:
            assert requests.get(url, headers={"X-API-Key": below.key}, timeout=10).status_code == 200, target


def test_the_document_names_the_server_and_docs_lead_to_it(below: Below) -> None:
    headers = {"X-API-Key": below.key}
    assert below.ask("GET", "/openapi.json", headers=headers).json()["servers"] == [{"url": PREFIX}]
    assert below.ask("GET", "/docs", headers=headers).headers["Location"] == f"{PREFIX}/docs/swagger"


def test_the_service_itself_goes_on_answering(
    believing: tuple[GunicornService, str], configured: tuple[GunicornService, str]
) -> None:
    """Health checks do not come through the proxy."""
    for service, key in (believing, configured):
        assert service.get("/health/live").json() == {"live": True}
        servers = service.get("/openapi.json", headers={"X-API-Key": key}).json()["servers"]
        assert servers == [{"url": service.settings.path_prefix or "/"}]


def test_a_prefix_may_be_the_name_of_one_of_our_paths(believing: tuple[GunicornService, str], tmp_path: Path) -> None:
    service, key = believing
    headers = {"X-API-Key": key}
    with proxying(service.settings.port, tmp_path / "nginx", prefix="/movies") as nginx:
        page = requests.get(f"{nginx.url}/movies/movies/318", headers=headers, timeout=10)
        assert 'data-movie="318"' in page.text
        assert requests.get(f"{nginx.url}/movies/health/live", timeout=10).json() == {"live": True}
        assert requests.get(f"{nginx.url}/movies/", headers=headers, timeout=10).status_code == 200


@pytest.mark.parametrize("path", ["/%72eco/health/live", "/x/../reco/health/live", "//reco/health/live"])
def test_other_spellings_of_the_prefix_are_no_errors_of_ours(
    believing: tuple[GunicornService, str], tmp_path: Path, path: str
) -> None:
    with proxying(believing[0].settings.port, tmp_path / "nginx", prefix=PREFIX) as nginx:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert int(nginx.send(request.encode()).split()[1]) in {200, 401, 404}


# In a real browser, on the data of the whole system.


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def proxied_system(system: RunningSystem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Another service on the system's graph and event log, which believes our nginx before it."""
    folder = tmp_path_factory.mktemp("proxied-system")
    settings = system.settings.model_copy(update={"port": free_ports(1)[0], "trusted_proxies": "127.0.0.1"})
    with serving(settings, folder), proxying(settings.port, folder / "nginx", prefix=PREFIX) as nginx:
        yield nginx


@pytest.fixture
def opened(browser: Browser, proxied_system: Nginx) -> Iterator[OpenPage]:
    with open_page(browser, proxied_system.url + PREFIX) as opened:
        yield opened
        assert opened.complaints == []
        assert {url for url in opened.asked if not url.startswith(f"{opened.url}/")} == set()


def test_links_in_answers_are_below_the_prefix(proxied_system: Nginx) -> None:
    events = [{"userId": 860_001 + number, "movieId": 318, "type": "finished"} for number in range(LISTED_USERS + 1)]
    answer = requests.post(f"{proxied_system.url}{PREFIX}/v1/events", json=events, timeout=20)
    assert answer.status_code == 200, answer.text
    link = answer.json()["results"][-1]["recommendationsUrl"]
    assert link == f"{PREFIX}/v1/users/{events[-1]['userId']}/recommendations"
    assert requests.get(urljoin(proxied_system.url, link), timeout=20).json()["userId"] == events[-1]["userId"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fills_itself(opened: OpenPage, path: str) -> None:
    page = opened.go(path)
    page.wait_for_timeout(300)
    links = page.evaluate("[...document.querySelectorAll('a')].map(a => a.href.baseVal ?? a.getAttribute('href'))")
    assert links
    assert [link for link in links if not link.startswith((f"{PREFIX}/", "#"))] == []


def test_pages_lead_to_each_other(opened: OpenPage) -> None:
    page = opened.go("/")
    expect(page.locator("#connection")).to_have_text("Connected")  # the stream
    page.get_by_role("link", name="Search", exact=True).click()
    page.locator("#query").press_sequentially("shawshenk")
    expect(page).to_have_url(f"{opened.url}/search?q=shawshenk")
    page.locator(".results a").first.click()
    expect(page).to_have_url(f"{opened.url}/movies/318")
    link = page.locator("#similar a").first
    link.focus()
    link.press("Enter")
    expect(page.locator("#trail")).to_contain_text("Shawshank")
    assert page.url.startswith(f"{opened.url}/movies/")
    page.get_by_role("link", name="User", exact=True).click()
    page.locator("#user-id").fill("2")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(f"{opened.url}/users/2")
    page.locator("#recommendations li").first.get_by_text("Finish", exact=True).click()
    expect(page.locator("#notice")).to_contain_text("finished")


def test_swagger_ui_asks_below_the_prefix(opened: OpenPage) -> None:
    page = opened.page
    page.goto(f"{opened.url}/docs")
    expect(page).to_have_url(f"{opened.url}/docs/swagger")
    operation = page.locator(".opblock", has_text="/health/live")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".request-url")).to_contain_text(f"{opened.url}/health/live")
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("200")


def test_a_browser_logs_in_and_out(browser: Browser, believing: tuple[GunicornService, str], tmp_path: Path) -> None:
    service, key = believing
    with (
        proxying(service.settings.port, tmp_path / "nginx", prefix=PREFIX) as nginx,
        open_page(browser, nginx.url + PREFIX) as opened,
    ):
        page = opened.page
        page.goto(f"{opened.url}/model")
        page.locator("#key").fill(key)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{opened.url}/model")
        page.get_by_role("link", name="Log out").click()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        page.goto(f"{opened.url}/model")
        expect(page).to_have_url(re.compile(re.escape(f"{opened.url}/login?next=")))
