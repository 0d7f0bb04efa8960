"""kill -9 of the worker, of Neo4j and of Kafka while events come in: nothing lost, nothing twice."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import frozen, wait_until

from common.settings import ROOT, Settings
from graph.database import Database
from graph.repositories.ingest import RECOMMENDATIONS, Ingest
from graph.server.process import EmbeddedServer
from scripts.kafka import KafkaBroker
from scripts.sandbox import environment_of
from stream.event_log import open_log
from stream.event_log.base import EventLog, EventLogError
from stream.events import API, Event, EventType
from stream.viewings import FinishRules
from stream.writer import Writer

EVENTS = 100_000
WORKER_KILLS = 50
NEO4J_KILLS = 20
BROKER_KILLS = 5
NOON = datetime(2026, 1, 1, 12)
KINDS = ["started", "finished", "rated", "liked", "listed", "clicked"]
STAGES = {"applying": "applying", "committing": "committing", "recommending": "recommending", "storing": "storing"}
INTERACTIONS = (
    "MATCH (u:User)-[e:RATED|WATCHED|LIKED|LISTED|CLICKED]->(m:Movie) "
    "RETURN type(e) AS type, u.userId AS user, m.movieId AS movie, properties(e) AS properties"
)
TWICE = (
    "MATCH (u:User)-[e:RATED|LIKED|LISTED|CLICKED]->(m:Movie) "
    "WITH u, m, type(e) AS type, count(*) AS edges WHERE edges > 1 RETURN u.userId"
)
# Each user's latest finish has its list.
UNANSWERED = (
    "MATCH (u:User)-[w:WATCHED]->() WHERE w.finishedAt IS NOT NULL "
    "WITH u, w ORDER BY w.finishedAt DESC, w.eventId WITH u, collect(w)[0].finishedAt AS latest "
    "WHERE NOT EXISTS { MATCH (u)-[w:WATCHED {finishedAt: latest}]->() "
    "WHERE EXISTS { (u)-[:RECOMMENDED {batchId: coalesce(w.finishId, w.eventId)}]->() } } RETURN u.userId"
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def draw_events(rng: random.Random) -> list[Event]:
    """What 2,000 users do, mostly in order."""
    return [
        Event(
            type=EventType(kind),
            source=API,
            at=NOON + timedelta(seconds=place + rng.choice([0, 0, 0, -300])),
            event_id=f"event {place}",
            user_id=rng.randint(1, 2000),
            movie_id=rng.randint(1, 500),
            rating=rng.choice([1.0, 3.0, 5.0]) if kind == "rated" else None,
            value=rng.choice([1, -1]) if kind == "liked" else None,
        )
        for place, kind in enumerate(rng.choices(KINDS, [4, 4, 2, 1, 1, 1], k=EVENTS))
    ]


class Traffic:
    """Somebody who posts: each part again and again until it is acknowledged, as clients do."""

    def __init__(self, log: EventLog, events: list[Event]) -> None:
        self._log = log
        self._events = events
        self._sent = 0
        self.refused = 0

    def send(self, count: int) -> None:
        """The next events, in parts of 500."""
        until = min(len(self._events), self._sent + count)
        while self._sent < until:
            part = self._events[self._sent : min(until, self._sent + 500)]
            try:
                self._log.append(part)
            except EventLogError:
                self.refused += 1
                time.sleep(0.2)
                continue
            self._sent += len(part)


class Worker:
    """A worker process that can be killed; knows what it was doing."""

    def __init__(self, settings: Settings, output: Path) -> None:
        self._settings = settings.model_copy(
            # Nobody answers there: these events come from clients. They are of last January, and no retention job may
            # end their viewings meanwhile.
            update={"feed_url": "http://127.0.0.1:9/", "log_level": "DEBUG", "open_viewing_hours": 100_000}
        )
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._output.write_bytes(b"")
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stream", "worker"],
                cwd=ROOT,
                env=environment_of(self._settings),
                stdout=output,
                stderr=output,
            )

    def await_following(self) -> None:
        wait_until(lambda: "following" in self._output.read_text(), 120)

    @property
    def stage(self) -> str:
        """What its last line says that it does."""
        lines = [line for line in self._output.read_text().splitlines() if " DEBUG stream." in line]
        word = lines[-1].split(": ", 1)[1].split()[0] if lines else "starting"
        return STAGES.get(word, "idle")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        assert self._process is not None
        assert self.is_running, self._output.read_text()[-2000:]
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> float:
        """SIGTERM; returns the seconds until it has ended."""
        assert self._process is not None
        begin = time.monotonic()
        self._process.terminate()
        assert self._process.wait(60) == 0
        return time.monotonic() - begin


class Setting:
    """A Neo4j of its own, an event log, and what is compared in the end."""

    def __init__(self, own: Settings, kafka: KafkaBroker | None, name: str, folder: Path) -> None:
        url = f"kafka://{kafka.address}/{name}" if kafka else f"sqlite:///{folder / 'events.sqlite'}"
        self.settings = own.model_copy(update={"event_log": url, "data": folder})
        self.server = EmbeddedServer.of(own)
        self.server.up(own.neo4j_bolt_port, own.neo4j_http_port)
        self.log = open_log(self.settings)
        self.workers: list[Worker] = []
        self.wipe()

    def start_worker(self) -> Worker:
        self.workers.append(Worker(self.settings, self.settings.data / f"worker{len(self.workers)}.log"))
        self.workers[-1].start()
        return self.workers[-1]

    def kill_neo4j(self) -> None:
        running = self.server.running()
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        os.waitpid(running.pid, 0)  # Our child: it is gone, with all its threads and ports.

    def close(self) -> None:
        for worker in self.workers:
            if worker.is_running:
                worker.kill()
        self.log.close()

    def wipe(self) -> None:
        with Database.from_settings(self.settings) as database:
            database.run_alone("MATCH ()-[r]->() CALL (r) { DELETE r } IN TRANSACTIONS OF 5000 ROWS")
            database.run_alone("MATCH (n) CALL (n) { DELETE n } IN TRANSACTIONS OF 5000 ROWS")
            database.run_text("CREATE (:Catalogue {name: 'netflix-prize'})")
            database.run_text("UNWIND range(1, 500) AS id CREATE (:Movie {movieId: id, title: 'T', viewers: 9})")

    def read(self, text: str) -> list[dict[str, Any]]:
        with Database.from_settings(self.settings) as database:
            return [dict(record) for record in database.run_text(text)]

    def interactions(self) -> set[str]:
        """All edges that events have made, but for the numbers of their batches."""
        rows = self.read(INTERACTIONS)
        for row in rows:
            row["properties"] = sorted(
                (key, str(value)) for key, value in row["properties"].items() if key != "sequence"
            )
        found = [str(row) for row in rows]
        assert len(found) == len(set(found))
        return set(found)

    def await_all_applied(self) -> None:
        with Database.from_settings(self.settings) as database:
            ingest = Ingest(database)
            ends = {partition: self.log.end(partition) for partition in range(self.log.partitions)}

            def applied() -> bool:
                positions = [ingest.read_offset(self.log.name, partition).offset for partition in ends]
                return all(at >= end for at, end in zip(positions, ends.values(), strict=True)) and bool(
                    ingest.read_offset(RECOMMENDATIONS).sequence
                    >= max([finish.sequence for finish in ingest.read_finishes_since(0, 2**62)], default=0)
                )

            wait_until(applied, 300)

    def check_equal_to_undisturbed(self) -> None:
        disturbed = self.interactions()
        assert self.read(TWICE) == []
        assert self.read(UNANSWERED) == []
        self.wipe()
        log = open_log(self.settings)
        with Database.from_settings(self.settings) as database:
            writer = Writer(log, Ingest(database), FinishRules())
            while any(
                Ingest(database).read_offset(log.name, partition).offset < log.end(partition)
                for partition in range(log.partitions)
            ):
                for _ in range(20):
                    writer.apply_pending()
        log.close()
        undisturbed = self.interactions()
        assert (sorted(undisturbed - disturbed), sorted(disturbed - undisturbed)) == ([], [])


@pytest.fixture(params=["sqlite", "kafka"])
def setting(request: pytest.FixtureRequest, own: Settings, tmp_path: Path) -> Iterator[Setting]:
    kafka = request.getfixturevalue("kafka") if request.param == "kafka" else None
    found = Setting(own, kafka, f"kills-{request.node.name[:20].replace('[', '-')}-{os.getpid()}", tmp_path)
    yield found
    found.close()


def test_a_worker_killed_at_random_moments_loses_and_repeats_nothing(setting: Setting) -> None:
    rng = random.Random(1)
    traffic = Traffic(setting.log, draw_events(rng))
    stages: Counter[str] = Counter()
    for _ in range(WORKER_KILLS):
        worker = setting.start_worker()
        traffic.send(EVENTS // WORKER_KILLS)
        wanted = rng.choice(list(STAGES.values()))
        deadline = time.monotonic() + 60
        while worker.stage != wanted and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        stages[worker.stage] += 1
        worker.kill()
    print(f"kills: {dict(stages)}")
    assert set(stages) >= set(STAGES.values())
    worker = setting.start_worker()
    setting.await_all_applied()
    assert worker.stop() < 5
    setting.check_equal_to_undisturbed()


def test_neo4j_killed_at_random_moments_loses_and_repeats_nothing(setting: Setting) -> None:
    rng = random.Random(2)
    traffic = Traffic(setting.log, draw_events(rng))
    worker = setting.start_worker()
    stages: Counter[str] = Counter()
    for _ in range(NEO4J_KILLS):
        traffic.send(EVENTS // NEO4J_KILLS)
        wait_until(lambda: worker.stage in {"applying", "committing"}, 60)
        time.sleep(rng.uniform(0, 0.3))
        stages[worker.stage] += 1
        setting.kill_neo4j()
        settings = setting.settings
        setting.server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)
    print(f"kills: {dict(stages)}")
    assert sum(count for stage, count in stages.items() if stage != "idle") >= NEO4J_KILLS // 2
    setting.await_all_applied()
    assert worker.stop() < 5
    setting.check_equal_to_undisturbed()


def test_a_frozen_neo4j_costs_nothing_but_time(setting: Setting) -> None:
    traffic = Traffic(setting.log, draw_events(random.Random(3)))
    worker = setting.start_worker()
    traffic.send(20_000)
    wait_until(lambda: worker.stage == "applying", 60)
    running = setting.server.running()
    assert running is not None
    with frozen(running.pid):
        traffic.send(EVENTS)
        time.sleep(60)
    begin = time.monotonic()
    setting.await_all_applied()
    print(f"backlog of {EVENTS} events drained within {time.monotonic() - begin:.1f} s")
    assert worker.stop() < 5
    setting.check_equal_to_undisturbed()


def test_two_workers_by_mistake_do_nothing_twice(setting: Setting) -> None:
    traffic = Traffic(setting.log, draw_events(random.Random(4)))
    workers = [setting.start_worker() for _ in range(2)]
    for _ in range(20):
        traffic.send(EVENTS // 20)
        setting.await_all_applied()
    for worker in workers:
        assert worker.stop() < 5
    setting.check_equal_to_undisturbed()


@pytest.mark.parametrize("setting", ["kafka"], indirect=True)
def test_a_killed_broker_costs_nothing_that_was_acknowledged(setting: Setting, kafka: KafkaBroker) -> None:
    traffic = Traffic(setting.log, draw_events(random.Random(5)))
    worker = setting.start_worker()
    worker.await_following()
    rng = random.Random(6)
    for _ in range(BROKER_KILLS):
        sending = threading.Thread(target=traffic.send, args=(EVENTS // BROKER_KILLS,))
        sending.start()
        time.sleep(rng.uniform(0.1, 0.5))
        kafka.kill()
        kafka.start()
        sending.join()
    print(f"{traffic.refused} parts were refused")
    setting.await_all_applied()
    assert worker.stop() < 5
    setting.check_equal_to_undisturbed()
