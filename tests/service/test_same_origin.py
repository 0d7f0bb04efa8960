"""Which pages may write with a login's cookie: real requests and a real browser. No Neo4j is needed."""

from collections.abc import Iterator

import pytest
import requests
from gunicorn_service import GunicornService, serving
from pages_under_test import open_page
from playwright.sync_api import expect

from common.settings import Settings
from graph.server.ports import free_ports
from scripts.browser import open_browser
from service.access.keys import add_key
from service.access.logins import COOKIE

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
# HOST stands for the service's address.
OWN = [
    OWN_PAGE,
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://before-a-proxy.example"},
    {"Origin": "http://HOST"},
    {"Origin": "https://HOST"},
]
FOREIGN = [
    {},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://HOST"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "Same-Origin, none"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://HOST.evil.example"},
    {"Origin": "http://HOST@evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://["},
    {"Referer": "http://HOST/"},
]
ANOTHER_PORT = "http://127.0.0.1:8765/"
WRITE = """() => fetch('/v1/events', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'})
    .then(answer => answer.status)"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    data = tmp_path_factory.mktemp("same-origin") / "data"
    return Settings(data=data, port=free_ports(1)[0], workers=1, neo4j_uri="bolt://127.0.0.1:9")


@pytest.fixture(scope="module")
def key(settings: Settings) -> str:
    return add_key(settings.keys_path, "writer", "write", 10_000)


@pytest.fixture(scope="module")
def service(settings: Settings, key: str) -> Iterator[GunicornService]:
    with serving(settings, settings.data) as service:
        yield service


@pytest.fixture(scope="module")
def cookies(service: GunicornService, key: str) -> dict[str, str]:
    return {COOKIE: send_form(service, "login", OWN_PAGE, key=key).cookies[COOKIE]}


def send_form(service: GunicornService, name: str, headers: dict[str, str], **fields: str) -> requests.Response:
    return requests.post(
        f"{service.url}/{name}", data=fields, headers=at_host(service, headers), timeout=10, allow_redirects=False
    )


def at_host(service: GunicornService, headers: dict[str, str]) -> dict[str, str]:
    host = service.url.removeprefix("http://")
    return {name: value.replace("HOST", host) for name, value in headers.items()}


def post(service: GunicornService, path: str, headers: dict[str, str], cookies: dict[str, str]) -> requests.Response:
    return requests.post(service.url + path, json={}, headers=at_host(service, headers), cookies=cookies, timeout=10)


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_own_pages_write_log_in_and_log_out(
    service: GunicornService, cookies: dict[str, str], key: str, headers: dict[str, str]
) -> None:
    assert post(service, "/v1/events", headers, cookies).status_code == 422  # it is let in; its body is wrong
    logged_in = send_form(service, "login", headers, key=key)
    assert (logged_in.status_code, COOKIE in logged_in.cookies) == (303, True)
    assert send_form(service, "logout", headers).status_code == 303


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_others_do_not(service: GunicornService, cookies: dict[str, str], key: str, headers: dict[str, str]) -> None:
    refused = [post(service, "/v1/events", headers, cookies)]
    refused += [send_form(service, "login", headers, key=key), send_form(service, "logout", headers)]
    for answer in refused:
        assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
        assert "Sec-Fetch-Site" in answer.json()["detail"]
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_all_may_read_with_a_login_and_write_with_a_key(
    service: GunicornService, cookies: dict[str, str], key: str, headers: dict[str, str]
) -> None:
    assert service.get("/openapi.json", headers=at_host(service, headers), cookies=cookies).status_code == 200
    assert post(service, "/v1/sessions/recommendations", headers, cookies).status_code == 422
    assert post(service, "/v1/events", {**headers, "X-API-Key": key}, cookies).status_code == 422


def test_a_browser_writes_from_our_pages_only(service: GunicornService, key: str) -> None:
    """A page at another port gets the cookie sent along: `SameSite` knows hosts, not ports."""
    form = f'<form method="post" action="{service.url}/logout"><button>Win</button></form>'
    with open_browser() as browser, open_page(browser, service.url) as opened:
        page = opened.page
        page.route(ANOTHER_PORT, lambda route: route.fulfill(content_type="text/html", body=form))
        page.goto(f"{service.url}/search")
        page.locator("#key").fill(key)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{service.url}/search")
        assert page.evaluate(WRITE) == 422
        page.goto(ANOTHER_PORT)
        with page.expect_response("**/logout") as answered:
            page.get_by_role("button", name="Win").click()
        assert answered.value.status == 403
        page.goto(f"{service.url}/search")
        page.get_by_role("link", name="Log out").click()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("API key")).to_be_visible()
