"""Bodies that are large, many or both: a process reads and makes of them so much at a time, and gives it back."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import psutil
import pytest
import requests
from apps import open_app
from flask.testing import FlaskClient
from gunicorn_service import GunicornService, serving

from common.settings import Settings
from service.capacity.executor import OverloadedError
from service.http.bodies import LARGEST_BODY, LARGEST_FORM, MOST_VALUES, SMALL_BODY, Bodies, Room

# Docs: "So much memory a process takes".
MOST_MEMORY = 500 << 20
BODIES = 200
JSON = {"Content-Type": "application/json"}
EVENT = b'{"userId":1,"movieId":1,"type":"liked"}'
ATTACKS = {
    "empty objects": b"[" + b"{}," * (LARGEST_BODY // 3 - 1) + b"{}]",
    "empty lists": b"[" + b"[]," * (LARGEST_BODY // 3 - 1) + b"[]]",
    "as many values as are read": b"[" + b"{}," * (MOST_VALUES // 2 - 1) + b"{}]",
    "keys": json.dumps({f"key {number}": number for number in range(50_000)}).encode()[:LARGEST_BODY],
    "one long text": b'["' + b"x" * (LARGEST_BODY - 4) + b'"]',
    "what is no JSON": b"{" * LARGEST_BODY,
    "a thousand events": b"[" + b",".join([EVENT] * 1000) + b"]",
    "a thousand events and much white space": b"[" + b",".join([EVENT] * 1000) + b" " * 900_000 + b"]",
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    with open_app(Settings(data=tmp_path, neo4j_uri="bolt://127.0.0.1:9", open=True)) as app:
        yield app.test_client()


def test_a_body_with_more_values_than_any_request_has_is_refused_unread(client: FlaskClient) -> None:
    for path in ("/v1/events", "/v1/sessions/recommendations", "/v1/recommendations"):
        answer = client.post(path, data=ATTACKS["empty objects"], headers=JSON)
        assert (answer.status_code, f"{MOST_VALUES:,}" in answer.get_json()["detail"]) == (422, True)
        answer = client.post(path, data=ATTACKS["what is no JSON"], headers=JSON)
        assert (answer.status_code, answer.get_json()["detail"]) == (400, "the body is nested too deeply")


def test_the_largest_body_is_read_and_no_larger_one(client: FlaskClient) -> None:
    for size, status in ((LARGEST_BODY, 422), (LARGEST_BODY + 1, 413)):
        assert client.post("/v1/events", data=b"[]".ljust(size), headers=JSON).status_code == status


def test_a_form_is_no_larger_than_a_login(client: FlaskClient) -> None:
    for size, status in ((LARGEST_FORM - 10, 401), (LARGEST_FORM + 1, 413)):
        answer = client.post("/login", data={"key": "x" * size}, headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == status


def test_what_is_read_and_made_is_bounded_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.http.bodies.READ_BYTES", SMALL_BODY)
    bodies = Bodies(0)
    large, stuck = b"x" * (3 * SMALL_BODY), threading.Event()

    class Slow(BytesIO):
        """Sends all but the end."""

        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() == 2 * SMALL_BODY:
                stuck.wait(10)
            return super().read(size)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(bodies.read, Slow(large[: 2 * SMALL_BODY]))
        time.sleep(0.2)
        with pytest.raises(OverloadedError):
            bodies.read(BytesIO(large))
        assert bodies.read(BytesIO(large[:SMALL_BODY])) == large[:SMALL_BODY], "small ones are read whatever else is"
        stuck.set()
        assert len(slow.result()) == 2 * SMALL_BODY
    assert bodies.read(BytesIO(large[: 2 * SMALL_BODY]))


def test_who_waits_for_room_gets_what_is_given_back() -> None:
    room = Room(10)
    room.take(8)
    with pytest.raises(OverloadedError):
        room.take(3, 0.01)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(room.take, 3, 10.0)
        room.give_back(8)
        waiting.result()


@pytest.fixture(scope="module")
def service(own: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GunicornService]:
    """Without a Neo4j."""
    folder = tmp_path_factory.mktemp("bodies")
    with serving(own.model_copy(update={"data": folder / "data", "open": True, "workers": 1}), folder) as service:
        yield service


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("attack", ATTACKS)
def test_many_large_bodies_at_once_take_bounded_memory(service: GunicornService, attack: str) -> None:
    [process] = [psutil.Process(pid) for pid in service.workers()]
    before, peak, done = process.memory_info().rss, [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], process.memory_info().rss)

    def post(number: int) -> int:
        path = ("/v1/events", "/v1/sessions/recommendations", "/v1/recommendations")[number % 3]
        return requests.post(service.url + path, data=ATTACKS[attack], headers=JSON, timeout=60).status_code

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(BODIES) as pool:
        answers = Counter(pool.map(post, range(BODIES)))
    alive = service.get("/health/live").status_code
    time.sleep(2)
    done.set()
    watcher.join()
    after = process.memory_info().rss
    print(f"{attack}: {dict(answers)}, before {before >> 20}, at most {peak[0] >> 20}, after {after >> 20} MB")
    assert alive == 200
    assert set(answers) <= {202, 400, 404, 405, 413, 422, 503}
    assert peak[0] < MOST_MEMORY
