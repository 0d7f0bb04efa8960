"""The worker as a process: told to stop, it stops."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from conftest import await_output, frozen, wait_until

from common.metrics import VARIABLE, metrics_root
from common.settings import ROOT, Settings
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.server.process import EmbeddedServer
from scripts.sandbox import environment_of
from service.health.metrics import find_failing_loops
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, Event, EventType

NOON = datetime(2026, 1, 1, 12)


def started(user: int) -> Event:
    return Event(type=EventType.STARTED, source=API, at=NOON, user_id=user, movie_id=7)


@pytest.fixture
def log(database: Database, settings: Settings) -> SqliteEventLog:
    database.run_text("CREATE (:Catalogue {name: 'netflix-prize'})")
    return SqliteEventLog(settings.event_log_path)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """What the worker prints."""
    return tmp_path / "worker.log"


@pytest.fixture
def worker(log: SqliteEventLog, settings: Settings, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker at work."""
    with working(settings, output) as process:
        yield process


@contextmanager
def working(settings: Settings, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings = settings.model_copy(update={"feed_url": "http://127.0.0.1:9/", "log_level": "INFO"})
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "stream", "worker"],
            cwd=ROOT,
            env=environment_of(settings),
            stdout=stream,
            stderr=stream,
        )
    await_output(process, output, "following")
    yield process
    process.kill()
    process.wait()


def stop(worker: subprocess.Popen[bytes], status: int = 0) -> float:
    """SIGTERM; returns the seconds until it has ended."""
    begin = time.monotonic()
    worker.terminate()
    assert worker.wait(30) == status
    return time.monotonic() - begin


def applied(settings: Settings, log: SqliteEventLog) -> int:
    with Database.from_settings(settings) as database:
        return Ingest(database).read_offset(log.name).offset


def test_a_worker_that_is_told_to_stop_has_done_whole_batches_only(
    worker: subprocess.Popen[bytes], log: SqliteEventLog, settings: Settings, database: Database
) -> None:
    log.append([started(user) for user in range(1, 20_001)])
    wait_until(lambda: applied(settings, log) > 0)
    assert stop(worker) < 5
    [found] = database.run_text("MATCH ()-[w:WATCHED]->() RETURN count(w) AS viewings")
    assert found["viewings"] == applied(settings, log) - 1


def test_a_worker_stops_also_while_neo4j_does_not_answer(
    worker: subprocess.Popen[bytes], log: SqliteEventLog, settings: Settings, neo4j: EmbeddedServer, output: Path
) -> None:
    running = neo4j.running()
    assert running is not None
    with frozen(running.pid):
        log.append([started(1)])
        time.sleep(1)
        assert stop(worker, status=1) < 5
    assert applied(settings, log) == 0
    [error] = [line for line in output.read_text().splitlines() if line.startswith("Error: ")]
    assert error.startswith("Error: stopped while ")
    assert error.endswith(" still waited for an answer: what is not applied stays on the event log")
    assert "writer" in error


def test_a_worker_tells_what_it_does_and_that_it_stops(
    worker: subprocess.Popen[bytes],
    settings: Settings,
    output: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait_until(lambda: "this worker leads" in output.read_text())
    with working(settings, tmp_path / "standby.log") as standby:
        stop(standby)
    assert "polls" not in (tmp_path / "standby.log").read_text()
    with closing(sqlite3.connect(settings.event_log_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # or its pages would be read from there
    settings.event_log_path.write_bytes(b"no database" * 1000)
    wait_until(lambda: "WARNING common.background: writer: event log" in output.read_text())
    monkeypatch.setenv(VARIABLE, str(metrics_root(settings) / "service-0"))
    wait_until(lambda: "writer" in find_failing_loops())
    assert "leader" not in find_failing_loops()
    stop(worker)
    assert "this worker leads: it polls http://127.0.0.1:9/" in output.read_text()
    assert output.read_text().splitlines()[-1].endswith("stopping")


SIGNALLED = """
import os, signal, time
from stream.__main__ import _stop_at_signals
stop = _stop_at_signals()
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.002)
        os.kill(parent, signal.SIGTERM)
    os._exit(0)
for _ in range(100):
    while not stop.is_set():
        stop.wait(0.000001)
    stop = _stop_at_signals()
os.kill(parent, signal.SIGKILL)
"""


def test_a_signal_stops_whatever_the_main_thread_is_about() -> None:
    """Also while it is about to wait for the event that the signal sets."""
    ended = subprocess.run([sys.executable, "-c", SIGNALLED], cwd=ROOT, check=False, timeout=30)
    assert ended.returncode == -signal.SIGKILL
