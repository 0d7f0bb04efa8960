"""Tokens that open the stream: for whom, for how long, and for nothing else."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps import open_app
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner
from werkzeug.test import TestResponse

from common.settings import Settings
from service.access.keys import add_key, remove_key
from service.access.logins import COOKIE
from service.access.stream_tokens import LONGEST, TOKEN_SECONDS

TOKENS = "/v1/stream/tokens"
STREAM = "/v1/stream"
LISTED = "https://app.example"
OPENED = 503  # whoever is let in is told that Neo4j is away


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    settings = Settings(data=tmp_path, neo4j_uri="bolt://127.0.0.1:9", cors_origins=LISTED)
    with open_app(settings) as app:
        yield app.test_client()


def get_token(client: FlaskClient, key: str) -> str:
    answer = client.post(TOKENS, headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.get_json()["expiresIn"] == TOKEN_SECONDS
    return str(answer.get_json()["token"])


def follow(client: FlaskClient, token: str) -> TestResponse:
    return client.get(STREAM, query_string={"token": token}, headers={"Origin": LISTED})


@pytest.mark.parametrize("scope", ["read", "write"])
def test_a_token_opens_the_stream_for_its_key(client: FlaskClient, file: Path, scope: str) -> None:
    key = add_key(file, "k" * 64, scope, 100)  # type: ignore[arg-type]
    token = get_token(client, key)
    assert key not in token
    assert len(token) <= LONGEST
    answer = follow(client, token)
    assert answer.status_code == OPENED
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert client.head(STREAM, query_string={"token": token}).status_code == OPENED


def test_a_token_opens_nothing_else(client: FlaskClient, file: Path) -> None:
    token = get_token(client, add_key(file, "site", "write", 1000))
    for method, path in (
        ("GET", "/v1/movies/popular"),
        ("GET", "/v1/users/1/history"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
        ("GET", "/v1/stream/"),
        ("POST", TOKENS),
        ("POST", "/v1/events"),
        ("DELETE", "/v1/users/1"),
        ("POST", STREAM),
    ):
        assert client.open(path, method=method, query_string={"token": token}).status_code == 401, path
    for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}):
        assert client.get(STREAM, headers=headers).status_code == 401
    client.set_cookie(COOKIE, token)
    assert client.get("/openapi.json").status_code == 401


def test_a_login_is_no_token(client: FlaskClient, file: Path) -> None:
    key = add_key(file, "reader", "read", 100)
    client.post("/login", data={"key": key}, headers={"Sec-Fetch-Site": "same-origin"})
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    client.delete_cookie(COOKIE)
    assert follow(client, cookie.value).status_code == 401
    assert follow(client, key).status_code == 401


def test_who_has_no_key_gets_no_token(client: FlaskClient, file: Path) -> None:
    assert client.post(TOKENS).status_code == 401  # nobody needs a key yet, and the stream needs no token
    add_key(file, "reader", "read", 100)
    assert client.post(TOKENS).status_code == 401
    assert client.post(TOKENS, headers={"X-API-Key": "wrong"}).status_code == 401


def test_a_token_ends_with_its_key(client: FlaskClient, file: Path) -> None:
    add_key(file, "other", "read", 100)
    token = get_token(client, add_key(file, "site", "read", 100))
    assert follow(client, token).status_code == OPENED
    remove_key(file, "site")
    assert follow(client, token).status_code == 401
    add_key(file, "site", "read", 100)
    assert follow(client, token).status_code == 401, "another key of that name"


def test_a_token_ends_after_some_minutes(client: FlaskClient, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = get_token(client, add_key(file, "site", "read", 100))
    for later, status in ((TOKEN_SECONDS - 2, OPENED), (TOKEN_SECONDS + 2, 401)):
        with monkeypatch.context() as patch:
            patch.setattr(TimestampSigner, "get_timestamp", lambda _, later=later: int(time.time()) + later)
            assert follow(client, token).status_code == status


def test_a_wrong_token_is_refused_and_not_repeated(client: FlaskClient, file: Path) -> None:
    token = get_token(client, add_key(file, "site", "read", 100))
    for wrong in ("", "x", token[:-2], token + "x", token.swapcase(), "x" * 5000, "\x00", "é"):
        answer = client.get(STREAM, query_string={"token": wrong}, headers={"Accept": "text/html"})
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert len(wrong) < 20 or wrong not in answer.text


def test_what_a_token_opens_counts_as_its_keys(client: FlaskClient, file: Path) -> None:
    token = get_token(client, add_key(file, "site", "read", 3))
    assert [follow(client, token).status_code for _ in range(3)] == [OPENED, OPENED, 429]


def test_no_log_line_has_a_token(client: FlaskClient, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = get_token(client, add_key(file, "site", "read", 100))
    follow(client, token)
    follow(client, token + "x")
    lines = [record for record in caplog.records if record.name == "service.requests"]
    assert len(lines) == 3
    assert getattr(lines[1], "fields")["key"] == "site"  # noqa: B009
    assert token not in caplog.text
    assert all(token not in str(vars(record)) for record in caplog.records)
