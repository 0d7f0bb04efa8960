"""Answers are compressed for who wants them so, and stay the same answers."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps import open_app
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from common.settings import Settings
from service.http.compression import SMALLEST

LARGE = "/openapi.json"
STATIC = "/static/pages.css"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    """Of a service without Neo4j."""
    with open_app(Settings(data=tmp_path, neo4j_uri="bolt://127.0.0.1:9", open=True)) as app:
        yield app.test_client()


def get(client: FlaskClient, path: str, accepted: str | None = "gzip", **headers: str) -> TestResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers=sent | ({} if accepted is None else {"Accept-Encoding": accepted}), buffered=True)


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("gzip;q=0.001", True),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("deflate, br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=0.5, *;q=0.6", False),
        ("gzip;q=much", False),
    ],
)
def test_an_answer_is_compressed_as_the_client_asks(
    client: FlaskClient, accepted: str | None, is_compressed: bool
) -> None:
    for path in (LARGE, STATIC):
        plain, answer = get(client, path, None), get(client, path, accepted)
        assert answer.headers.get("Content-Encoding") == ("gzip" if is_compressed else None)
        assert int(answer.headers["Content-Length"]) == len(answer.data)
        assert (gzip.decompress(answer.data) if is_compressed else answer.data) == plain.data
        assert (len(answer.data) < len(plain.data)) is is_compressed
        for one in (plain, answer):
            assert "Accept-Encoding" in one.headers["Vary"]
            assert one.headers["ETag"].startswith('W/"')
        assert answer.headers["ETag"] == plain.headers["ETag"]


@pytest.mark.parametrize("path", [LARGE, STATIC])
def test_an_etag_holds_in_either_form(client: FlaskClient, path: str) -> None:
    for first, second in (("gzip", None), (None, "gzip"), ("gzip", "gzip")):
        etag = get(client, path, first).headers["ETag"]
        again = get(client, path, second, If_None_Match=etag)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
        assert "Accept-Encoding" in again.headers["Vary"]
        assert "Content-Encoding" not in again.headers


def test_what_is_small_stays_as_it_is_unless_that_is_refused(client: FlaskClient) -> None:
    small = get(client, "/health/live")
    assert "Content-Encoding" not in small.headers
    refused = get(client, "/health/live", "gzip, identity;q=0")
    assert gzip.decompress(refused.data) == small.data


def test_large_problems_are_compressed_too(client: FlaskClient) -> None:
    body = [{}] * 100
    answer = client.post("/v1/events", json=body, headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["Content-Encoding"]) == (422, "gzip")
    assert len(gzip.decompress(answer.data)) > SMALLEST


def test_a_part_of_a_file_is_not_compressed(client: FlaskClient) -> None:
    part = get(client, STATIC, "gzip", Range="bytes=0-1499")
    assert part.status_code == 206
    assert "Content-Encoding" not in part.headers
    assert part.data == get(client, STATIC, None).data[:1500]
