"""A real Neo4j for every test, one of our own for those that fill the graph, one whole running system; a real Kafka."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
import pytest
import requests
from contract import Contract
from fake_feed import FakeFeed, response

from common.settings import ROOT, Settings
from graph.database import Database
from graph.repositories.recommendations import OfferedMovie, RecommendationList
from graph.server import home
from graph.server.home import MEGABYTE, Home, Memory
from graph.server.ports import free_ports
from graph.server.process import EmbeddedServer, RunningServer
from scripts.kafka import KafkaBroker
from scripts.sandbox import environment_of, sandbox_settings
from stream.event_log import open_log
from stream.event_log.base import EventLog

# Of Java's two compilers only the fast one: a Neo4j starts with two thirds of the work, and lives a short life here.
# It would have room for a fifth of the code only.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m")
SMALL = Memory(heap=512 * MEGABYTE, page_cache=128 * MEGABYTE)


OpenLog = Callable[[], EventLog]


def make_list(user_id: int, at: datetime, *movie_ids: int) -> RecommendationList:
    """A list as a traversal would make it, of movies without titles."""
    movies = [
        OfferedMovie(movie_id=movie_id, title=None, year=None, score=1.0, current=1.0, because=[])
        for movie_id in movie_ids
    ]
    return RecommendationList(
        user_id=user_id, basis="trending", model_version="v", generated_at=at, recommendations=movies
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark tests with servers of their own: half of the work, which `make test` does beside the other half."""
    if {"own", "system", "kafka", "open_any_log"}.intersection(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.own_servers)


@pytest.fixture(scope="session")
def neo4j(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """An embedded Neo4j of the tests' own."""
    server = EmbeddedServer(Home(tmp_path_factory.mktemp("neo4j") / "home"), ROOT / ".cache")
    with pytest.MonkeyPatch.context() as patch:
        # Tests empty and fill this graph all the time. After each time queries would be planned anew, as if it were to
        # stay so.
        patch.setattr(home, "CONFIGURATION", home.CONFIGURATION + "dbms.cypher.min_replan_interval=1h\n")
        server.up(*free_ports(2), memory=SMALL)
    yield server
    server.down()


@pytest.fixture(scope="session")
def _database(neo4j: EmbeddedServer) -> Iterator[Database]:
    running = neo4j.running()
    assert isinstance(running, RunningServer)
    with Database(running.bolt_uri, "neo4j", neo4j.home.password()) as database:
        yield database


@pytest.fixture
def database(_database: Database) -> Database:
    """The tests' Neo4j, empty but for its schema."""
    _database.run_text("MATCH (n) DETACH DELETE n")
    return _database


@pytest.fixture
def settings(neo4j: EmbeddedServer, tmp_path: Path) -> Settings:
    """Settings for the tests' Neo4j, with a data folder of the test's own."""
    running = neo4j.running()
    assert isinstance(running, RunningServer)
    return Settings(
        neo4j_home=neo4j.home.path,
        neo4j_bolt_port=running.bolt_port,
        neo4j_http_port=running.http_port,
        data=tmp_path / "data",
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of an embedded Neo4j of this module's own."""
    settings = sandbox_settings(tmp_path_factory.mktemp("own"))
    yield settings
    EmbeddedServer.of(settings).down()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real Kafka broker."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka") / "broker")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(params=["sqlite", "kafka"])
def open_any_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLog]:
    """Opens the same new log each time, as each process does."""
    url = f"sqlite:///{tmp_path / 'any' / 'events.sqlite'}"
    if request.param == "kafka":
        broker: KafkaBroker = request.getfixturevalue("kafka")
        url = f"kafka://{broker.address}/events-{uuid.uuid4()}"
    opened: list[EventLog] = []

    def open_one() -> EventLog:
        opened.append(open_log(Settings(event_log=url)))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


@pytest.fixture
def any_log(open_any_log: OpenLog) -> EventLog:
    """A new log."""
    return open_any_log()


@pytest.fixture
def feed() -> Iterator[FakeFeed]:
    """A feed that shows nobody until a test sets another answer."""
    with FakeFeed() as server:
        server.answer = response(
            b'{"columns": ["YearRelease", "Name", "current_time", "customerID"], "index": [], "data": []}'
        )
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@dataclass(frozen=True)
class RunningSystem:
    """What `make run` starts, on ports and folders of the tests' own."""

    settings: Settings
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self.settings.port}"

    def get(self, path: str) -> requests.Response:
        """Answer of the service."""
        return requests.get(self.url + path, timeout=10)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """The whole system on the sample, as a newcomer gets it; stopped by Ctrl-C."""
    folder = tmp_path_factory.mktemp("system")
    settings = sandbox_settings(folder)
    output = folder / "output.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.run"],
            cwd=ROOT,
            env=environment_of(settings),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        await_output(process, output, "Following the live feed")
        started = RunningSystem(settings, process, output)
        for user_id in range(1, 31):  # a cold Neo4j on a busy machine may take longer than an answer may
            wait_until(lambda: started.get(f"/v1/users/{user_id}/recommendations?limit=50").ok)  # noqa: B023
        yield started
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.fixture(scope="session")
def contract(system: RunningSystem) -> Contract:
    """The running system's REST API; what it answers is checked against its document."""
    return Contract(system.url)


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until a condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Have processes stand still: all threads, each of which runs on for a while after the signal on a busy machine."""
    processes = [psutil.Process(pid) for pid in pids]

    def stand_still() -> bool:
        try:
            threads = [psutil.Process(thread.id) for process in processes for thread in process.threads()]
            return {thread.status() for thread in threads} == {psutil.STATUS_STOPPED}
        except psutil.NoSuchProcess:  # a thread that has just ended
            return False

    try:
        for process in processes:
            process.suspend()
        wait_until(stand_still)
        yield
    finally:
        for process in processes:
            process.resume()


def join_probes() -> None:
    """Wait for the questions of readiness still asked; with Neo4j closed they would open connections nobody closes."""
    for thread in threading.enumerate():
        if thread.name == "probe":
            thread.join(30)


def await_output(process: subprocess.Popen[bytes], output: Path, text: str, seconds: float = 600) -> None:
    """Wait until a process has printed a text; fails if it ends before."""

    def printed() -> bool:
        assert process.poll() is None, output.read_text()
        return text in output.read_text()

    wait_until(printed, seconds)
