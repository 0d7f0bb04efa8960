"""A bulk load while the worker writes and users post: no live event is lost, none counts twice."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from conftest import await_output, wait_until
from loader_tools import load_apart, read

from common.settings import ROOT, Settings
from graph.database import Database
from graph.repositories.ingest import Ingest
from scripts.run import SAMPLE
from scripts.sandbox import environment_of, sandbox_settings
from stream.event_log.sqlite import SqliteEventLog

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Poster(threading.Thread):
    """Posts events one after the other, each of a user and kind of its own, and keeps what was acknowledged."""

    def __init__(self, url: str, first_user: int) -> None:
        super().__init__(daemon=True)
        self.received: set[str] = set()
        self.later = 0
        self._url = url
        self._user = first_user
        self._stop_posting = threading.Event()

    def run(self) -> None:
        while not self._stop_posting.is_set():
            for kind, fields in (("rated", {"rating": 4}), ("liked", {"value": 1}), ("finished", {}), ("listed", {})):
                event_id = f"{kind}-{self._user}"
                event = {"userId": self._user, "movieId": 318, "type": kind, "eventId": event_id, **fields}
                try:
                    answer = requests.post(f"{self._url}/v1/events", json=event, timeout=30)
                except requests.RequestException:
                    continue
                if answer.ok:
                    self.received.add(event_id)
                    self.later += answer.status_code == 202
            self._user += 1

    def stop(self) -> None:
        self._stop_posting.set()
        self.join()


def test_no_live_event_is_lost_or_doubled_by_a_load(tmp_path: Path) -> None:
    settings = sandbox_settings(tmp_path)
    output = tmp_path / "output.txt"
    with output.open("wb") as stream:
        command = [sys.executable, "-m", "scripts.run"]
        system = subprocess.Popen(command, cwd=ROOT, env=environment_of(settings), stdout=stream, stderr=stream)
    try:
        await_output(system, output, "Following the live feed")
        posters = [Poster(f"http://127.0.0.1:{settings.port}", 1_000_000 * number) for number in (1, 2)]
        for poster in posters:
            poster.start()
        time.sleep(5)
        for _ in range(2):
            load_apart(settings, "bulk", SAMPLE)
        time.sleep(5)
        for poster in posters:
            poster.stop()
        received = set().union(*(poster.received for poster in posters))
        assert len(received) > 100
        assert sum(poster.later for poster in posters) > 0, "nothing was posted during the exchange"
        wait_until(lambda: applied(settings) >= logged(settings), 60)
        check_all_are_there_once(settings, received)
    finally:
        system.send_signal(signal.SIGINT)
        system.wait(60)


def check_all_are_there_once(settings: Settings, received: set[str]) -> None:
    found = [row[0] for row in read(settings, "MATCH ()-[e]->() WHERE e.eventId IS NOT NULL RETURN e.eventId")]
    assert len(found) == len(set(found))
    assert received <= set(found)
    # Each poll's sightings, too: whoever was seen has a viewing.
    with sqlite3.connect(settings.event_log_path) as log:
        seen = log.execute(
            "SELECT DISTINCT json_extract(body, '$.userId'), json_extract(body, '$.movieId') FROM events "
            "WHERE json_extract(body, '$.type') = 'watching'"
        ).fetchall()
    assert seen
    assert set(seen) <= set(read(settings, "MATCH (u)-[:WATCHED]->(m) RETURN DISTINCT u.userId, m.movieId"))
    wrong = (
        "MATCH (m:Movie)<-[r:RATED]-() WITH m, count(r) AS ratings, avg(r.rating) AS mean "
        "WHERE m.ratingCount <> ratings OR abs(m.ratingMean - mean) > 1e-6 RETURN m.movieId"
    )
    assert read(settings, wrong) == []
    twice = "MATCH (u)-[r:RATED]->(m) WITH u, m, count(r) AS edges WHERE edges > 1 RETURN u.userId, m.movieId"
    assert read(settings, twice) == []


def logged(settings: Settings) -> int:
    with sqlite3.connect(settings.event_log_path) as log:
        return int(log.execute("SELECT max(offset) FROM events").fetchone()[0])


def applied(settings: Settings) -> int:
    with Database.from_settings(settings) as database:
        return Ingest(database).read_offset(SqliteEventLog(settings.event_log_path).name).offset - 1
