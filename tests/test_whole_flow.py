"""The whole system as a user meets it: `make run`, the live feed, pushes, parts that die."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from conftest import RunningSystem, wait_until

from graph.database import Database
from graph.server.process import EmbeddedServer
from scripts.parts import end_leftovers
from scripts.run import follow
from service.push.change_feed import FRESH_SECONDS


class Follower:
    """Collects what the service pushes."""

    def __init__(self, url: str) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        threading.Thread(target=self._collect, args=(follow(url),), daemon=True).start()

    def _collect(self, messages: Iterator[tuple[str, dict[str, Any]]]) -> None:
        for kind, data in messages:
            self.messages.append((kind, data))

    def find(self, kind: str, **wanted: Any) -> list[dict[str, Any]]:
        """The messages of a kind with these values."""
        return [data for its_kind, data in list(self.messages) if its_kind == kind and wanted.items() <= data.items()]


@pytest.fixture(scope="module")
def follower(system: RunningSystem) -> Follower:
    follower = Follower(system.url)
    time.sleep(1)  # until it listens
    return follower


def test_the_run_says_what_is_where_and_shows_the_live_feed(system: RunningSystem) -> None:
    marks = ("▶ user", "■ user", "★ user")
    wait_until(lambda: all(mark in system.output.read_text() for mark in marks), 120)
    output = system.output.read_text()
    assert f"{system.url}/docs" in output
    assert f"http://127.0.0.1:{system.settings.neo4j_http_port}/browser/" in output


def test_finished_movies_of_the_feed_are_pushed_with_recommendations(system: RunningSystem, follower: Follower) -> None:
    def answered_finishes() -> list[dict[str, Any]]:
        lists = follower.find("recommendations", basis="history")
        return [one for one in lists if follower.find("watch", status="finished", eventId=one["batchId"])]

    wait_until(lambda: bool(answered_finishes()), 120)
    pushed = answered_finishes()[0]
    with Database.from_settings(system.settings) as database:
        rows = database.run_text(
            "MATCH (:User {userId: $user})-[edge:RECOMMENDED {batchId: $batch}]->(movie) "
            "RETURN movie.movieId AS movieId ORDER BY edge.rank",
            user=pushed["userId"],
            batch=pushed["batchId"],
        )
    assert [row["movieId"] for row in rows] == [movie["movieId"] for movie in pushed["recommendations"]]


def test_a_posted_finish_is_pushed_too(system: RunningSystem, follower: Follower) -> None:
    event = {"userId": 10, "movieId": 6, "type": "finished", "eventId": "pushed-10"}
    requests.post(f"{system.url}/v1/events", json=event, timeout=10).raise_for_status()
    wait_until(lambda: bool(follower.find("recommendations", batchId="pushed-10")))
    time.sleep(1)  # time enough for the worker to push it again, were it wrong
    assert len(follower.find("recommendations", batchId="pushed-10")) == 1


def test_a_listener_who_comes_back_missed_nothing(system: RunningSystem) -> None:
    events = [{"userId": 11, "movieId": movie, "type": "finished", "eventId": f"missed-{movie}"} for movie in (6, 16)]
    with requests.get(f"{system.url}/v1/stream?userId=11", stream=True, timeout=10) as stream:
        requests.post(f"{system.url}/v1/events", json=events[0], timeout=10).raise_for_status()
        lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
        last = next(line for line in lines if line.startswith("id: ")).removeprefix("id: ")
    requests.post(f"{system.url}/v1/events", json=events[1], timeout=10).raise_for_status()
    headers = {"Last-Event-ID": last}
    with requests.get(f"{system.url}/v1/stream?userId=11", stream=True, timeout=10, headers=headers) as stream:
        data = (line for line in stream.iter_lines(chunk_size=1, decode_unicode=True) if line.startswith("data: "))
        messages = (json.loads(line.removeprefix("data: ")) for line in data)
        missed: list[str | None] = []
        while "missed-16" not in missed or len(missed) < 3:  # the feed, too, may show this user
            message = next(messages)
            assert message["userId"] == 11
            missed.append(message.get("eventId") or message.get("batchId"))


def test_neo4j_down_is_told_at_once_and_mended_by_itself(system: RunningSystem) -> None:
    server = EmbeddedServer.of(system.settings)
    running = server.running()
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    wait_until(lambda: server.running() is None)
    time.sleep(FRESH_SECONDS)  # until then, an answer of before holds

    answer = system.get("/v1/users/1/recommendations")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert "Retry-After" in answer.headers
    ready = system.get("/health/ready")
    assert (ready.status_code, ready.json()["parts"]["neo4j"]["ready"]) == (503, False)
    event = {"userId": 77, "movieId": 6, "type": "finished", "eventId": "while-down"}
    received = requests.post(f"{system.url}/v1/events", json=event, timeout=10)
    assert (received.status_code, received.json()["results"][0]["applied"]) == (202, False)

    wait_until(lambda: is_answered(system, "/health/ready"), 90)
    wait_until(lambda: is_answered(system, "/v1/users/1/recommendations"))

    def applied() -> bool:
        answer = system.get("/v1/users/77/history?limit=1")
        return answer.ok and answer.json()["history"][0]["eventId"] == "while-down"

    wait_until(applied)


@pytest.mark.parametrize(
    "command", ["stream worker", pytest.param("stream simulator", marks=pytest.mark.slow), "gunicorn"]
)
def test_a_part_that_is_killed_is_started_again(system: RunningSystem, command: str) -> None:
    def find_part() -> psutil.Process | None:
        for child in psutil.Process(system.process.pid).children():
            with contextlib.suppress(psutil.ZombieProcess):
                if command in " ".join(child.cmdline()):
                    return child
        return None

    part = find_part()
    assert part is not None
    orphans = part.children(recursive=True)  # gunicorn's: they see that their parent is gone, though somebody follows
    part.kill()
    assert psutil.wait_procs(orphans, timeout=30)[1] == []
    wait_until(lambda: (found := find_part()) is not None and found.pid != part.pid)
    wait_until(lambda: is_answered(system, "/health/ready"), 60)
    told = [line for line in system.output.read_text().splitlines() if "had ended and was started again" in line]
    assert told
    for line in told:
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING make run: \w", line)


def is_answered(system: RunningSystem, path: str) -> bool:
    """Whether the service answers as if nothing had happened."""
    try:
        return system.get(path).ok
    except requests.RequestException:
        return False


def test_what_a_killed_run_left_behind_is_ended(tmp_path: Path) -> None:
    left, stranger = (subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(2))
    file = tmp_path / "run.json"
    created = psutil.Process(left.pid).create_time()
    # The second has the id of a process of ours, but was created at another time: a later process.
    file.write_text(json.dumps([[left.pid, created], [stranger.pid, created - 100]]))
    end_leftovers(file, 10)
    assert left.poll() is not None
    assert stranger.poll() is None
    assert not file.exists()
    stranger.kill()
    stranger.wait()
