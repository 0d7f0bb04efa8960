"""HEAD is GET without a body: the same status and headers, whatever is asked for and however."""

from collections.abc import Iterator

import pytest
from apps import open_app
from flask.testing import FlaskClient
from small_catalogue import SMALL_CATALOGUE

from common.settings import Settings
from graph.database import Database

# Numbers that go on, of requests and of seconds.
OWN = {"Date", "X-Request-ID"}
PATHS = [
    "/v1/users/1/recommendations",
    "/v1/users/1/recommendations?stars=true&limit=200",
    "/v1/users/1/recommendations?limit=0",
    "/v1/users/1/recommendations/8/explanation",
    "/v1/users/1/predictions?movies=1,2",
    "/v1/users/1/history",
    "/v1/movies?query=movie",
    "/v1/movies?query=%ff",
    "/v1/movies/popular",
    "/v1/movies/trending",
    "/v1/movies/genres",
    "/v1/movies/1",
    "/v1/movies/1/similar",
    "/v1/movies/1/ratings",
    "/v1/movies/999",
    "/v1/stats/model",
    "/v1/events",
    "/v1/nothing",
    "/health/live",
    "/openapi.json",
    "/docs",
    "/docs/swagger",
    "/docs/swagger/js/swagger-ui-bundle.js",
    "/static/pages.css",
    "/static/icon.svg",
    "/login",
    "/",
    "/users/1",
    "/movies/1",
    "/movies/999",
    "/nothing",
]


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[FlaskClient]:
    database.run_text(SMALL_CATALOGUE)
    with open_app(settings.model_copy(update={"cors_origins": "https://app.example", "deadline": 10})) as app:
        yield app.test_client()


def ask(client: FlaskClient, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    answer = client.open(path, method=method, headers=headers, buffered=True)
    return answer.status_code, {k: v for k, v in answer.headers if k not in OWN}, answer.data


def test_head_is_get_without_a_body(client: FlaskClient) -> None:
    for path in PATHS:
        for headers in ({}, {"Accept-Encoding": "gzip"}, {"Origin": "https://app.example"}):
            status, told, body = ask(client, "GET", path, headers)
            assert int(told["Content-Length"]) == len(body)
            assert ask(client, "HEAD", path, headers) == (status, told, b""), path
            if status == 200 and path.startswith("/v1/"):
                assert {"ETag", "Cache-Control"} <= set(told)


def test_head_before_get_is_the_same(client: FlaskClient) -> None:
    """Whoever asks first has the answer computed."""
    status, told, _ = ask(client, "HEAD", "/v1/movies/1", {})
    assert ask(client, "GET", "/v1/movies/1", {})[:2] == (status, told)


def test_who_has_the_answer_gets_304_for_head_as_for_get(client: FlaskClient) -> None:
    for path in PATHS:
        for headers in ({}, {"Accept-Encoding": "gzip"}):
            status, told, _ = ask(client, "GET", path, headers)
            if status != 200 or "ETag" not in told:
                continue
            for tag in (told["ETag"], f'"other", {told["ETag"]}', "*"):
                known = {**headers, "If-None-Match": tag}
                answers = [ask(client, method, path, known) for method in ("GET", "HEAD")]
                assert answers[0] == answers[1], path
                assert (answers[0][0], answers[0][2]) == (304, b""), path
                assert answers[0][1]["ETag"] == told["ETag"], path


def test_head_of_the_stream_has_its_headers(client: FlaskClient) -> None:
    wanted = {"Accept-Encoding": "gzip"}
    answers = [client.open("/v1/stream", method=method, headers=wanted) for method in ("GET", "HEAD")]
    told = [{k: v for k, v in answer.headers if k not in OWN} for answer in answers]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert told[0] == told[1]
    assert "Content-Encoding" not in told[0]
    for answer in answers:
        answer.close()
