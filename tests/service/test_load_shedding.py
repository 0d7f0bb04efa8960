"""The shedder: what is let in at a time, and how the rest is refused."""

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from apps import open_app
from werkzeug.test import Client, create_environ

from common.settings import Settings
from service.capacity.load_shedding import Environ, LoadShedder

PATIENCE = 0.1


def is_read(environ: Environ) -> bool:
    return environ["REQUEST_METHOD"] == "GET"


class Slow:
    """An application whose requests end when they may."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.inside = threading.Semaphore(0)

    def __call__(self, _: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.inside.release()
        assert self.may_end.wait(10)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]


@pytest.fixture
def slow() -> Slow:
    return Slow()


def ask_aside(shedder: LoadShedder, answers: list[int], method: str = "GET") -> threading.Thread:
    thread = threading.Thread(target=lambda: answers.append(Client(shedder).open("/", method=method).status_code))
    thread.start()
    return thread


def test_those_for_whom_there_is_no_room_are_refused_soon(slow: Slow) -> None:
    shedder, answers = LoadShedder(slow, is_read, PATIENCE, room=2), list[int]()
    threads = [ask_aside(shedder, answers) for _ in range(2)]
    assert all(slow.inside.acquire(timeout=5) for _ in range(2))
    refused = Client(shedder).get("/v1/movies/2")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.content_type == "application/problem+json"
    assert json.loads(refused.data)["status"] == 503
    slow.may_end.set()
    for thread in threads:
        thread.join()
    assert answers == [200, 200]
    assert Client(shedder).get("/v1/movies/2").status_code == 200, "there is room again"


def test_a_listed_sites_page_can_read_that_it_is_refused(slow: Slow) -> None:
    shedder, answers = LoadShedder(slow, lambda _: True, PATIENCE, room=1, origins={"https://app.example"}), list[int]()
    thread = ask_aside(shedder, answers)
    assert slow.inside.acquire(timeout=5)
    for origin, allowed in (("https://app.example", "https://app.example"), ("https://evil.example", None)):
        for method, has_body in (("GET", True), ("HEAD", False)):
            refused = Client(shedder).open("/", method=method, headers={"Origin": origin})
            assert refused.status_code == 503
            assert refused.headers.get("Access-Control-Allow-Origin") == allowed
            assert ("Retry-After" in refused.headers.get("Access-Control-Expose-Headers", "")) is bool(allowed)
            assert bool(refused.data) is has_body
            assert int(refused.headers["Content-Length"]) > 0
    slow.may_end.set()
    thread.join()


def test_what_is_not_shed_takes_no_room(slow: Slow) -> None:
    shedder, answers = LoadShedder(slow, is_read, PATIENCE, room=1), list[int]()
    threads = [ask_aside(shedder, answers, method="POST") for _ in range(3)]
    assert all(slow.inside.acquire(timeout=5) for _ in range(3))
    slow.may_end.set()
    for thread in threads:
        thread.join()
    assert answers == [200] * 3


def test_room_is_given_back_by_requests_that_fail() -> None:
    def fail(*_: object) -> Iterable[bytes]:
        raise ValueError

    shedder = LoadShedder(fail, is_read, PATIENCE, room=1)
    for _ in range(3):
        with pytest.raises(ValueError):
            Client(shedder).get("/v1/movies/1")


@pytest.mark.parametrize(
    ("method", "path", "is_shed"),
    [
        ("GET", "/v1/movies/1", True),
        ("HEAD", "/v1/users/1/recommendations", True),
        ("OPTIONS", "/v1/movies/1", False),
        ("POST", "/v1/events", False),
        ("POST", "/v1/recommendations", False),
        ("GET", "/v1/stream", False),
        ("GET", "/health/live", False),
        ("GET", "/nowhere", False),
    ],
)
def test_what_is_shed_are_reads_of_the_graph(settings: Settings, method: str, path: str, is_shed: bool) -> None:
    """A body may be long in coming and a stream has no end; health is answered always, and preflights cost nothing."""
    with open_app(settings) as app:
        forwarded: Any = app.wsgi_app
        shedder = forwarded._application
        assert shedder._is_shed(create_environ(path, method=method)) is is_shed
