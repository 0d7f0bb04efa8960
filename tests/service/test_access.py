"""Who may do what. No Neo4j is needed: a write that is let in is told that its body is wrong."""

import json
import logging
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from apps import open_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from common.settings import Settings
from service.access.keys import add_key, digest_of, remove_key
from service.access.logins import COOKIE, LOGIN_SECONDS
from service.views.login import local_path

PROBLEM = "application/problem+json"
READ_PATH = "/openapi.json"
# Of a version that signed them.
EARLIER_COOKIE = (
    "WyJ3cml0ZXIiLCIwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiJd.aSvKPQ.7mDfv4oPzHq0cQ3sY2u1xw8ZkJ5nR6tB9aL0eVgUiXs"
)
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
WRITES = [("POST", "/v1/events"), ("DELETE", "/v1/events/x"), ("PUT", "/v1/movies/1"), ("PATCH", "/v1/nothing")]
Open = Callable[..., FlaskClient]


class Client(FlaskClient):
    """Reads each answer to its end, also those that are files."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return super().open(*args, buffered=True, **kwargs)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def keys(data: Path) -> dict[str, str]:
    """One key for reading, one for writing."""
    file = data / "keys.json"
    return {"read": add_key(file, "reader", "read", 1000), "write": add_key(file, "writer", "write", 1000)}


@pytest.fixture
def open_client(data: Path) -> Iterator[Open]:
    with ExitStack() as opened:

        def open_one(**settings: Any) -> FlaskClient:
            app = opened.enter_context(open_app(Settings(data=data, neo4j_uri="bolt://127.0.0.1:9", **settings)))
            app.test_client_class = Client
            return app.test_client()

        yield open_one


@pytest.fixture
def client(open_client: Open) -> FlaskClient:
    return open_client()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def log_in(client: FlaskClient, key: str, **fields: str) -> TestResponse:
    return client.post("/login", data={"key": key, **fields}, headers=OWN_PAGE)


def log_in_anew(client: FlaskClient, key: str) -> str:
    """The cookie of a login from a browser that had none."""
    client.delete_cookie(COOKIE)
    log_in(client, key)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    return cookie.value


def check_refusal(answer: TestResponse, status: int) -> str:
    assert (answer.status_code, answer.content_type, answer.get_json()["status"]) == (status, PROBLEM, status)
    return str(answer.get_json()["detail"])


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_without_keys_writes_are_refused_and_the_remedy_told(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method, json={})
    assert "python -m service keys add" in check_refusal(answer, 401)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="recommender"'


def test_without_keys_reads_are_open(client: FlaskClient) -> None:
    assert client.get(READ_PATH).status_code == 200
    assert client.post("/v1/sessions/recommendations", json={}).status_code == 422


def test_open_means_that_nobody_needs_a_key(open_client: Open, keys: dict[str, str]) -> None:
    client = open_client(open=True)
    assert client.get(READ_PATH).status_code == 200
    assert client.post("/v1/events", json={}).status_code == 422
    check_refusal(client.get(READ_PATH, headers=bearer("wrong")), 401)


def test_what_is_open_answers_only_by_its_own_name(open_client: Open) -> None:
    """Else the page of a site whose name leads to this machine, by its own name server, could read all of it."""
    client = open_client(open=True)
    for host in ("localhost:8000", "127.0.0.1:8000"):
        assert client.get(READ_PATH, headers={"Host": host}).status_code == 200
    check_refusal(client.get(READ_PATH, headers={"Host": "example.org:8000"}), 400)
    assert open_client(open=True, host="0.0.0.0").get(READ_PATH, headers={"Host": "example.org"}).status_code == 200  # noqa: S104


@pytest.mark.usefixtures("keys")
def test_with_keys_everything_needs_one_but_health_and_login(client: FlaskClient) -> None:
    paths = (READ_PATH, "/docs", "/docs/swagger", "/metrics", "/v1/stream", "/v1/users/1/history", "/v1/nothing")
    pages = ("/", "/users/1", "/movies/318", "/search", "/model")
    for path in (*paths, *pages, "/health", "/health/live/", "//health/live", "/static"):
        check_refusal(client.get(path), 401)
    check_refusal(client.post("/v1/sessions/recommendations", json={}), 401)
    for path in ("/health/live", "/login", "/static/login.css"):
        assert client.get(path).status_code == 200
    assert client.get("/health/ready").status_code == 503


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_each_key_may_do_what_its_scope_says(client: FlaskClient, keys: dict[str, str], header: str) -> None:
    def headers(scope: str) -> dict[str, str]:
        return {header: f"bearer {keys[scope]}" if header == "Authorization" else keys[scope]}

    for scope in ("read", "write"):
        assert client.get(READ_PATH, headers=headers(scope)).status_code == 200
        assert client.post("/v1/sessions/recommendations", json={}, headers=headers(scope)).status_code == 422
    assert client.post("/v1/events", json={}, headers=headers("write")).status_code == 422
    for method, path in WRITES:
        answer = client.open(path, method=method, json={}, headers=headers("read"))
        assert "needs write" in check_refusal(answer, 403)
        assert 'error="insufficient_scope", scope="write"' in answer.headers["WWW-Authenticate"]


def test_wrong_keys_are_refused(client: FlaskClient, keys: dict[str, str]) -> None:
    key = keys["write"]
    wrong = [
        "",
        " ",
        "mrk_",
        key[:-1],
        key[:20],
        key + "x",
        key.swapcase(),
        key[::-1],
        "ключ".encode().decode("latin-1"),
    ]
    wrong += ["é" * 50, key * 50, "x" * 4000, "null", "*", "' OR 1=1 --", f"{key},{key}", f"Bearer {key}", f'"{key}"']
    for number, presented in enumerate(wrong):
        for headers in (bearer(presented), {"X-API-Key": presented}):
            client_address = {"REMOTE_ADDR": f"192.0.2.{number}"}  # one that has sent too many wrong keys waits
            answer = client.get(READ_PATH, headers=headers, environ_overrides=client_address)
            check_refusal(answer, 401)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert presented.strip() in {"", "mrk_", "*", "null"} or presented not in answer.text
    for headers in ({"Authorization": f"Basic {key}"}, {"Authorization": key}, {"Cookie": f"{COOKIE}={key}"}):
        check_refusal(client.get(READ_PATH, headers=headers), 401)
    check_refusal(client.get(f"{READ_PATH}?key={key}&api_key={key}&access_token={key}"), 401)


def test_a_removed_key_ends_at_once(client: FlaskClient, keys: dict[str, str], data: Path) -> None:
    assert client.get(READ_PATH, headers=bearer(keys["read"])).status_code == 200
    remove_key(data / "keys.json", "reader")
    check_refusal(client.get(READ_PATH, headers=bearer(keys["read"])), 401)
    remove_key(data / "keys.json", "writer")
    check_refusal(client.get(READ_PATH), 401)


def test_a_broken_file_of_keys_opens_nothing(client: FlaskClient, keys: dict[str, str], data: Path) -> None:
    for break_it in (lambda file: file.write_text("{"), lambda file: file.unlink()):
        assert client.get(READ_PATH, headers=bearer(keys["read"])).status_code in (200, 503)
        break_it(data / "keys.json")
        check_refusal(client.post("/v1/events", json={}), 401)
        headers = bearer(keys["write"])
        refused = [client.get(READ_PATH), client.get(READ_PATH, headers=headers)]
        refused += [client.post("/v1/events", json={}, headers=headers), log_in(client, keys["write"])]
        for answer in refused:
            assert str(data) not in check_refusal(answer, 503)
            assert "Retry-After" in answer.headers
    assert client.get("/health/live").status_code == 200


def test_past_its_limit_a_key_waits(client: FlaskClient, data: Path) -> None:
    key = add_key(data / "keys.json", "slow", "read", 3)
    other = add_key(data / "keys.json", "other", "read", 3)
    answers = [client.get(READ_PATH, headers=bearer(key)) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "slow" in check_refusal(answers[3], 429)
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 20
    assert answers[0].headers["RateLimit-Policy"] == '"key";q=3;w=60'
    assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert client.get(READ_PATH, headers=bearer(other)).status_code == 200


def test_limits_that_cannot_be_kept_let_nobody_in(client: FlaskClient, keys: dict[str, str], data: Path) -> None:
    (data / "rate-limits").mkdir()
    check_refusal(client.get(READ_PATH, headers=bearer(keys["read"])), 503)


def test_open_without_keys_there_is_no_limit(open_client: Open) -> None:
    client = open_client(open=True, requests_per_minute=1)
    assert [client.get("/login").status_code for _ in range(5)] == [200] * 5
    assert "RateLimit" not in client.get(READ_PATH).headers


def test_a_login_reads_and_writes(client: FlaskClient, keys: dict[str, str]) -> None:
    answer = log_in(client, keys["write"], next="/docs/swagger")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/docs/swagger")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert keys["write"] not in cookie
    assert client.get(READ_PATH).status_code == 200
    assert client.post("/v1/events", json={}, headers=OWN_PAGE).status_code == 422
    assert client.post("/v1/events", json={}, headers=bearer(keys["write"])).status_code == 422


def test_the_cookie_is_for_https_only_where_there_is_https(client: FlaskClient, keys: dict[str, str]) -> None:
    answer = client.post("/login", data={"key": keys["read"]}, headers=OWN_PAGE, base_url="https://localhost")
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_a_login_has_the_scopes_of_its_key_and_ends_with_it(
    client: FlaskClient, keys: dict[str, str], data: Path
) -> None:
    log_in(client, keys["read"])
    assert "needs write" in check_refusal(client.post("/v1/events", json={}, headers=OWN_PAGE), 403)
    remove_key(data / "keys.json", "reader")
    check_refusal(client.get(READ_PATH), 401)
    add_key(data / "keys.json", "reader", "read", 1000)  # of the same name, but another one
    check_refusal(client.get(READ_PATH), 401)


def test_forged_and_old_cookies_are_no_login(
    client: FlaskClient, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = log_in(client, keys["write"]).headers["Set-Cookie"].split(";")[0].partition("=")[2]
    forged = ["", "x", "..", cookie[:-1], f"x{cookie}", cookie.swapcase(), "é.é", cookie[::-1], "A" * 4000]
    forged += [EARLIER_COOKIE, digest_of(cookie), "null"]
    for value in forged:
        client.set_cookie(COOKIE, value)
        check_refusal(client.get(READ_PATH), 401)
    client.set_cookie(COOKIE, cookie)
    assert client.get(READ_PATH).status_code == 200
    monkeypatch.setattr("service.access.logins.LOGIN_SECONDS", -1)
    check_refusal(client.get(READ_PATH), 401)


def test_who_logs_out_is_out(client: FlaskClient, keys: dict[str, str]) -> None:
    log_in(client, keys["read"])
    assert "reader" in client.get("/login").text
    assert client.post("/logout", headers=OWN_PAGE).status_code == 303
    check_refusal(client.get(READ_PATH), 401)


def test_a_login_ends_on_the_server_and_others_of_the_key_go_on(client: FlaskClient, keys: dict[str, str]) -> None:
    first, second = (log_in_anew(client, keys["read"]) for _ in range(2))
    assert first != second
    client.set_cookie(COOKIE, first)
    client.post("/logout", headers=OWN_PAGE)
    client.set_cookie(COOKIE, first)
    check_refusal(client.get(READ_PATH), 401)
    client.set_cookie(COOKIE, second)
    assert client.get(READ_PATH).status_code == 200


def test_who_logs_in_again_leaves_no_login_behind(client: FlaskClient, keys: dict[str, str]) -> None:
    first = log_in_anew(client, keys["read"])
    client.set_cookie(COOKIE, first)
    log_in(client, keys["write"])
    client.set_cookie(COOKIE, first)
    check_refusal(client.get(READ_PATH), 401)


def test_the_file_of_logins_is_private_bounded_and_cannot_log_in(
    client: FlaskClient, keys: dict[str, str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.access.logins.MOST_LOGINS", 3)
    other = log_in_anew(client, keys["write"])
    cookies = [log_in_anew(client, keys["read"]) for _ in range(5)]
    file = data / "logins.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert not any(secret in text for secret in (*cookies, other, *keys.values()))
    assert len(json.loads(text)["logins"]) == 4
    for cookie, status in zip([other, *cookies], [200, 401, 401, 200, 200, 200], strict=True):
        client.set_cookie(COOKIE, cookie)
        assert client.get(READ_PATH).status_code == status
    later = time.time() + LOGIN_SECONDS
    monkeypatch.setattr("service.access.logins.time.time", lambda: later)
    log_in_anew(client, keys["read"])
    assert len(json.loads(file.read_text())["logins"]) == 1


@pytest.mark.parametrize(
    ("break_it", "status"), [(lambda file: file.write_text("{"), 503), (lambda file: file.unlink(), 401)]
)
def test_a_broken_file_of_logins_lets_nobody_in(
    client: FlaskClient, keys: dict[str, str], data: Path, break_it: Callable[[Path], object], status: int
) -> None:
    log_in(client, keys["read"])
    break_it(data / "logins.json")
    check_refusal(client.get(READ_PATH), status)
    assert client.get(READ_PATH, headers=bearer(keys["read"])).status_code == 200


@pytest.mark.usefixtures("keys")
def test_a_wrong_key_is_no_login(client: FlaskClient) -> None:
    for key in ("", "wrong", "<script>", "é\udcff".encode("utf-8", "surrogateescape").decode("latin-1")):
        answer = log_in(client, key)
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (401, False)
        assert "There is no such key" in answer.text
        assert "<script>" not in answer.text


@pytest.mark.usefixtures("keys")
def test_browsers_are_sent_to_the_login_page(client: FlaskClient) -> None:
    headers = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = client.get("/docs?x=1&y=%2F", headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login?next=%2Fdocs%3Fx%3D1%26y%3D%252F")
    assert 'value="/docs?x=1&amp;y=%2F"' in client.get(answer.headers["Location"]).text
    check_refusal(client.get("/docs", headers={"Accept": "*/*"}), 401)
    check_refusal(client.post("/v1/events", json={}, headers=headers), 401)


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "",
        "evil",
        "/\n/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=1",
        "/a\\b",
        "http:evil",
        "/é",
    ],
)
def test_a_login_leads_nowhere_else(client: FlaskClient, keys: dict[str, str], target: str) -> None:
    assert log_in(client, keys["read"], next=target).headers["Location"] == "/"
    assert "evil" not in client.get("/login", query_string={"next": target}).text


def test_a_login_leads_where_one_wanted_to_go(keys: dict[str, str]) -> None:
    for target in ("/", "/docs", "/users/1?tab=history&x=%2F#why", "/a//b"):
        assert local_path(target) == target


def test_below_a_prefix_a_login_leads_nowhere_else_on_the_host() -> None:
    for target in ("/reco/", "/reco/users/1?x=/../#/..", "/reco/a//b", "/reco/.../x"):
        assert local_path(target, "/reco") == target
    outside = ["/", "/reco", "/recovery/", "/other/reco/", "/reco/../other", "/reco/a/%2e%2E/../x", "/reco/%2e./x"]
    for target in (*outside, "/reco/.", "/reco/..?x", "//reco/", "https://evil.example/reco/", "/reco/\\evil"):
        assert local_path(target, "/reco") == "/reco/"


def test_keys_are_never_logged(
    client: FlaskClient, keys: dict[str, str], caplog: pytest.LogCaptureFixture, data: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    for headers in (bearer(keys["write"]), {"X-API-Key": keys["write"]}, bearer(keys["write"] + "x")):
        client.get(READ_PATH, headers=headers)
        client.post("/v1/events", data="{", headers=headers)
        client.get("/v1/users/1/history", headers=headers)  # Neo4j does not answer
    log_in(client, keys["write"])
    (data / "keys.json").write_text("{")
    client.get(READ_PATH, headers=bearer(keys["write"]))
    assert "keys.json is broken" in caplog.text
    assert keys["write"] not in caplog.text


def test_every_answer_has_the_security_headers(client: FlaskClient, keys: dict[str, str]) -> None:
    for path in (READ_PATH, "/login", "/nothing", "/static/login.css", "/docs/swagger"):
        for headers in ({}, bearer(keys["read"])):
            answer = client.get(path, headers=headers)
            policy = answer.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/docs/swagger", "/login"])
def test_pages_keep_their_policy(client: FlaskClient, path: str) -> None:
    page = client.get(path).text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?:", page)
    for target in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert client.get(target if target.startswith("/") else f"/docs/{target}").status_code == 200, target


def test_other_sites_read_nothing_unless_they_are_listed(open_client: Open, keys: dict[str, str]) -> None:
    listed = "https://app.example"
    for origins, origin, allowed in (
        ("", listed, None),
        (listed, "https://evil.example", None),
        (listed, listed, listed),
    ):
        client = open_client(cors_origins=origins and f"http://localhost:3000,{origins}")
        headers = {"Origin": origin, **bearer(keys["read"])}
        for answer in (client.get(READ_PATH, headers=headers), client.get("/v1/x", headers={"Origin": origin})):
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert ("Origin" in answer.headers.get("Vary", "")) == bool(origins)
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        preflight = client.options("/v1/events", headers=asked)
        assert preflight.status_code == 200
        assert ("X-API-Key" in preflight.headers.get("Access-Control-Allow-Headers", "")) == bool(allowed)


SENT = {"Authorization", "Cache-Control", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID"}
SENT |= {"traceparent", "tracestate", "X-API-Key", "X-Request-ID"}
READ = {"ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"}


def test_a_listed_sites_clients_send_and_read_what_they_need(open_client: Open, keys: dict[str, str]) -> None:
    client = open_client(cors_origins="https://app.example")
    origin = {"Origin": "https://app.example"}
    for path, method in (
        ("/v1/events", "POST"),
        ("/v1/events/x", "DELETE"),
        ("/v1/stream", "GET"),
        ("/v1/movies/1", "HEAD"),
    ):
        wanted = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": ",".join(sorted(SENT))}
        preflight = client.options(path, headers=origin | wanted)
        assert preflight.status_code == 200
        allowed = set(preflight.headers["Access-Control-Allow-Headers"].split(", "))
        assert allowed >= SENT
        assert method in preflight.headers["Access-Control-Allow-Methods"].split(", ")
    for headers in (bearer(keys["read"]), bearer("wrong"), {}):
        answer = client.get(READ_PATH, headers=origin | headers)
        exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert exposed >= READ


def test_the_document_tells_how_to_get_in(client: FlaskClient) -> None:
    document = client.get(READ_PATH).get_json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey", "streamToken"}
    assert document["security"] == [{"bearer": []}, {"apiKey": []}, {}]
    stream = document["paths"]["/v1/stream"]["get"]["security"]
    assert stream == [{"streamToken": []}, *document["security"]]
    assert {"401", "403", "429"} <= set(document["paths"]["/v1/events"]["post"]["responses"])
