"""Bodies and query strings that cannot be what was meant: always a problem that says so, never a failure of ours."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import RunningSystem
from contract import Contract
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from common.settings import Settings
from common.times import to_utc, utc_now
from service.app import create_app
from service.components import KEY
from stream.event_log.sqlite import SqliteEventLog
from stream.events import Event

RECOMMENDATIONS = "/v1/users/1/recommendations"
BODIES = ["/v1/events", "/v1/recommendations", "/v1/sessions/recommendations"]
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"userIds": [1], "limit": 1', 400),
        (b"[" * 100_000, 400),
        (b'{"userIds":' * 50_000, 400),
        (b'{"userIds": [NaN]}', 400),
        (b'{"limit": -Infinity}', 400),
        (b'{"limit": ' + b"9" * 5000 + b"}", 400),
        (b'{"limit": ' + b"9" * 4000 + b"}", 422),
        (b'{"limit": 1e400}', 422),
        (b'{"limit": 10.5}', 422),
        (b'{"limit": "10"}', 422),
        (b'{"limit": true}', 422),
        (b'{"\xff\xfe": 1}', 400),
        ('{"genre": "é"}'.encode("utf-16"), 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"genre": "\\ud800"}', 422),
        (b'{"\\ud800": 1}', 422),
        (b'{"\\u0000": "\\u0000"}', 422),
        (b'"{}"', 422),
        (b"null", 422),
        (b"1", 422),
        (b"[null]", 422),
        (b" " * (1 << 20) + b"{}", 413),
        (json.dumps([{str(number): number} for number in range(1000)]).encode(), 422),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_that_cannot_be_meant_is_a_problem(contract: Contract, path: str, body: bytes, status: int) -> None:
    problem = contract.call("post", path, status, data=body, headers=JSON)
    assert problem["status"] == status
    assert len(problem.get("errors", [])) <= 100


INVISIBLE = [" ", "\u200b", "\u00ad \u3000", "\u2800\u3164", "\ufe0f\U000e0041"]
CONTROLS = ["a\x00b", "Heat\n", "a\x85", "\u202eevil", "a\u2066b\u2069", "\u200fa", "a\u2028b"]


def test_a_name_can_be_seen_and_has_no_control_characters(contract: Contract) -> None:
    for name in ("", *INVISIBLE, *CONTROLS, "x" * 501, "\ud800"):
        for field, value in (("title", name), ("genres[1]", ["Comedy", name])):
            body = json.dumps({"title": "Heat", field.partition("[")[0]: value})
            problem = contract.call("put", "/v1/movies/900001", 422, data=body, headers=JSON)
            assert [error["name"] for error in problem["errors"]] == [field]
    contract.call("get", "/v1/movies/900001", 404)


def names(answer: TestResponse) -> list[str]:
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    return [error["name"] for error in answer.get_json()["errors"]]


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/events", '{"userId": 1, "movieId": 2, "type": "finished", "userId": 2}', ["userId"]),
        ("/v1/events", '{"userId": 1, "movieId": 2, "type": "finished", "userId": 1}', ["userId"]),
        ("/v1/events", '{"user\\u0049d": 1, "movieId": 2, "type": "finished", "userId": 1}', ["userId"]),
        ("/v1/events", '[{}, {"type": "a", "at": 1, "type": "b", "at": 2, "at": 3}]', ["[1].type", "[1].at"]),
        ("/v1/recommendations", '{"userIds": [1], "limit": {"a": [0, {"b": 1, "b": 2}]}}', ["limit.a[1].b"]),
        ("/v1/recommendations", '{"userIds": [{"a": 1, "a": 1}], "userIds": [1]}', ["userIds"]),
        ("/v1/sessions/recommendations", '{"movieIds": [{"a": 1, "a": 1}], "x": 1, "x": 2}', ["x", "movieIds[0].a"]),
        ("/v1/sessions/recommendations", '{"\\ud800": 1, "\\ud800": 2}', ["?"]),
        ("/v1/sessions/recommendations", '{"a":' * 400 + '{"b": 1, "b": 2}' + "}" * 400, ["a." * 400 + "b"]),
    ],
)
def test_a_key_that_is_there_twice_is_named_with_its_place(
    away: FlaskClient, path: str, body: str, named: list[str]
) -> None:
    assert names(away.post(path, data=body, headers=JSON)) == named


def test_many_keys_that_are_there_twice_take_no_time(away: FlaskClient) -> None:
    """A comparison of each with each would take minutes."""
    twice = ",".join(f'"{number}": 1' for number in range(9_000))
    named = names(away.post("/v1/events", data=f"{{{twice},{twice}}}", headers=JSON))
    assert named == [str(number) for number in range(100)]


@pytest.mark.parametrize("name", ["userId", "movieId", "rating", "value"])
@pytest.mark.parametrize("value", [True, False, "1"])
def test_a_boolean_or_a_text_is_no_number(away: FlaskClient, name: str, value: object) -> None:
    event = {"userId": 1, "movieId": 2, "type": "rated" if name == "rating" else "liked", name: value}
    assert names(away.post("/v1/events", json=event)) == [name]
    assert names(away.post("/v1/events", json=[{"userId": 1, "movieId": 2, "type": "listed"}, event])) == [
        f"[1].{name}"
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-05-04t20:15:00z", "2026-05-04T20:15:00"),
        ("2026-05-04 20:15:00.1239+02:00", "2026-05-04T18:15:00.123"),
        ("2026-05-04T20:15", "2026-05-04T20:15:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("2016-12-31T15:59:60.5-08:00", "2017-01-01T00:00:00.500"),
        ("1900-01-01T00:00:00+14:00", "1899-12-31T10:00:00"),
        ("2024-02-29T23:59:59-00:00", "2024-02-29T23:59:59"),
    ],
)
def test_a_moment_is_read_as_it_is_written(away: FlaskClient, tmp_path: Path, written: str, meant: str) -> None:
    event = {"userId": 1, "movieId": 2, "type": "clicked", "at": written}
    assert away.post("/v1/events", json=event).status_code == 202
    assert [event.at for event in logged(tmp_path)] == [datetime.fromisoformat(meant)]


@pytest.mark.parametrize(
    "written", ["1899-12-31T23:59:59Z", "2023-02-29T00:00:00Z", "2026-05-04", "", 1777925700, True]
)
def test_what_is_no_moment_is_named(away: FlaskClient, written: object) -> None:
    event = {"userId": 1, "movieId": 2, "type": "clicked", "at": written}
    assert names(away.post("/v1/events", json=event)) == ["at"]
    assert names(away.post("/v1/events", json=[event])) == ["[0].at"]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "media_type", [None, "", "text/plain", "text/json", "application/xml", "multipart/form-data; boundary=x", "json"]
)
def test_a_body_of_another_kind_is_refused(contract: Contract, path: str, media_type: str | None) -> None:
    problem = contract.call("post", path, 415, data=b"{}", headers={"Content-Type": media_type})
    assert "application/json" in problem["detail"]


def test_a_body_in_chunks_is_read(contract: Contract) -> None:
    chunks: Iterator[bytes] = iter([b'{"movieIds"', b": [260", b"]}"])
    assert contract.call("post", "/v1/sessions/recommendations", data=chunks, headers=JSON)["recommendations"]


@pytest.mark.parametrize(
    ("query", "status", "name"),
    [
        ("?limit=1&limit=2", 422, "limit"),
        ("?limit=1&limit=1", 422, "limit"),
        ("?genre=%ff", 400, None),
        ("?%ff=1", 400, None),
        ("?genre=%ed%a0%80", 400, None),
        ("?limit=" + "9" * 5000, 422, "limit"),
        ("?diversity=nan", 422, "diversity"),
        ("?diversity=inf", 422, "diversity"),
        ("?diversity=1e999", 422, "diversity"),
        ("?exclude=" + "1," * 1800 + "1", 422, "exclude"),
        ("?exclude=1,,2", 422, "exclude"),
        ("?exclude=1%00", 422, "exclude"),
        ("?limit[]=1", 422, "limit[]"),
        ("?" + "x" * 9000, 414, None),
    ],
)
def test_a_bad_query_string_is_a_problem(contract: Contract, query: str, status: int, name: str | None) -> None:
    problem = contract.call("get", RECOMMENDATIONS + query, status)
    assert [error["name"] for error in problem.get("errors", [])] == ([name] if name else [])


@pytest.mark.parametrize("query", ["limit=%zz", "genre=%", "genre=%4", "%=1", "limit=1&%g0"])
def test_a_broken_percent_encoding_is_a_problem(away: FlaskClient, query: str) -> None:
    """In process: clients mend them on the way."""
    assert away.get(RECOMMENDATIONS, query_string=query).status_code == 400


def test_odd_query_strings_are_read(contract: Contract) -> None:
    for query in (
        "?",
        "?&&",
        "?genre=%00",
        "?genre=%F0%9F%8E%AC",
        "?genre=a+b%2Bc",
        "?limit=%31",
        "?exclude=0000000001",
    ):
        contract.call("get", RECOMMENDATIONS + query)


@pytest.mark.parametrize("user", ["-1", "1.0", "x", "1e3", "%31%00", "%ff", "１", "9" * 101, "0x1", "+1", " 1"])
def test_an_id_that_is_no_number_leads_nowhere(contract: Contract, user: str) -> None:
    contract.call("get", f"/v1/users/{user}/history", 404)


@pytest.mark.parametrize("event_id", ["%FF", "%00", "a%20b", "%C3%A9", "x" * 201])
def test_an_event_id_out_of_bounds_is_named(contract: Contract, event_id: str) -> None:
    problem = contract.call("delete", f"/v1/events/{event_id}", 422)
    assert [error["name"] for error in problem["errors"]] == ["eventId"]


@contextmanager
def without_neo4j(folder: Path, **values: float) -> Iterator[FlaskClient]:
    app = create_app(Settings(neo4j_uri="bolt://127.0.0.1:9", neo4j_password="none", data=folder, open=True, **values))
    try:
        yield app.test_client()
    finally:
        app.extensions[KEY].close()


@pytest.fixture
def away(tmp_path: Path) -> Iterator[FlaskClient]:
    """A service whose Neo4j is not there."""
    with without_neo4j(tmp_path) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/movies/1", {"title": "Heat"}),
        ("POST", "/v1/recommendations", {"userIds": [1]}),
        ("POST", "/v1/sessions/recommendations", {"movieIds": [1]}),
        ("GET", RECOMMENDATIONS, None),
    ],
)
def test_without_neo4j_it_is_told_to_come_again(away: FlaskClient, method: str, path: str, body: Any) -> None:
    answer = away.open(path, method=method, json=body)
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert int(answer.headers["Retry-After"]) > 0


def post_at(client: FlaskClient, *ats: datetime | None) -> Any:
    """An answer to one event a moment."""
    events = [{"userId": 1, "movieId": 2, "type": "clicked", "at": at and at.isoformat()} for at in ats]
    return client.post("/v1/events", json=events)


def logged(folder: Path) -> list[Event]:
    return [event for _, event in SqliteEventLog(folder / "events.sqlite").read(0, 0, 2000) if event]


def test_a_moment_far_ahead_refuses_the_whole_request(away: FlaskClient, tmp_path: Path) -> None:
    """Or it would win over all that comes until then."""
    now = utc_now()
    answer = post_at(away, now, now + timedelta(minutes=6), None, datetime(2199, 1, 1))
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    problem = answer.get_json()
    assert [error["name"] for error in problem["errors"]] == ["[1].at", "[3].at"]
    for error in problem["errors"]:
        assert error["detail"].startswith(f"more than 5 minutes ahead of the service's clock ({now:%Y-%m-%dT%H:}")
        assert error["detail"].endswith("check the client's clock, or leave at out")
        assert error["detail"] in problem["detail"]
    assert logged(tmp_path) == []


def test_of_a_thousand_moments_far_ahead_a_hundred_are_named(away: FlaskClient) -> None:
    problem = post_at(away, *[datetime(2199, 1, 1)] * 1000).get_json()
    assert [error["name"] for error in problem["errors"]] == [f"[{place}].at" for place in range(100)]


def test_a_moment_a_little_ahead_or_written_in_another_zone_is_taken(away: FlaskClient, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    far_east = now.astimezone(timezone(timedelta(hours=14)))
    ahead = now + timedelta(minutes=4)
    assert post_at(away, far_east, ahead, None).status_code == 202
    assert [event.at for event in logged(tmp_path)][:2] == [to_utc(now), to_utc(ahead)]


@pytest.mark.parametrize(("minutes", "ahead", "status"), [(60, 50, 202), (60, 70, 422), (0, -1, 202), (0, 1, 422)])
def test_how_far_a_moment_may_be_ahead_is_a_setting(tmp_path: Path, minutes: float, ahead: int, status: int) -> None:
    with without_neo4j(tmp_path, future_minutes=minutes) as client:
        assert post_at(client, utc_now() + timedelta(minutes=ahead)).status_code == status


def test_health_does_not_mind_what_is_behind_the_question_mark(system: RunningSystem) -> None:
    assert system.get("/health/live?x=%ff&x=1").ok
