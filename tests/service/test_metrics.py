"""/metrics: sums over all processes of the machine, figures of graph and log, and what happens when some are away."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import psutil
import pytest
import requests
from conftest import frozen, wait_until
from fake_feed import FakeFeed, response
from gunicorn_service import Address, GunicornService, read_samples, service_settings, serving
from small_disk import small_disk

from common.metrics import share_metrics
from common.settings import ROOT, Settings
from common.times import utc_now
from graph.database import Database
from graph.server.process import EmbeddedServer
from scripts.sandbox import environment_of, sandbox_settings
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, Event, EventType

COLUMNS = b'{"columns": ["YearRelease", "Name", "current_time", "customerID"], '
FRAME = COLUMNS + b'"index": [1, 2], "data": [[2003, "A", "2026-01-01 12:00:00", 7], [2003, "B", "no time", 8]]}'

REFUSED_BODIES = "recommender_refused_bodies_total"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def service(
    neo4j: EmbeddedServer, _database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GunicornService]:
    _database.run_text("MATCH (n) DETACH DELETE n")  # what tests have left may not be whole
    folder = tmp_path_factory.mktemp("metrics")
    with serving(service_settings(neo4j, folder), folder) as running:
        yield running


@pytest.fixture
def graph(database: Database) -> Database:
    """A graph with a model of yesterday, and two lists, one of which led to a hit."""
    database.run_text(
        "CREATE (:Catalogue {name: 'netflix-prize', model: 'v1'}),"
        " (:Model {version: 'v1', fittedAt: $yesterday, edges: 3, movies: 2, parameters: '{}', snapshot: '{}'}),"
        " (u:User {userId: 1}), (m:Movie {movieId: 1, title: 'One'}),"
        " (m)-[:SIMILAR {version: 'v1', weight: 0.5, rank: 1}]->(:Movie {movieId: 2, title: 'Two'}),"
        " (u)-[:RECOMMENDED {batchId: 'a', rank: 1, at: $today, hitAt: $today}]->(m),"
        " (u)-[:RECOMMENDED {batchId: 'b', rank: 1, at: $today}]->(m)",
        yesterday=utc_now() - timedelta(days=1),
        today=utc_now(),
    )
    return database


def answered(service: GunicornService, route: str, status: int = 200) -> float:
    return service.metric("recommender_http_requests_total", method="GET", route=route, status=str(status)) or 0


def test_counters_of_all_processes_add_up(service: GunicornService) -> None:
    before = answered(service, "/health/live")
    for resting in service.workers():  # else one of them may answer everything
        with frozen(resting):
            assert {service.get("/health/live").status_code for _ in range(100)} == {200}
    assert [answered(service, "/health/live") - before for _ in range(5)] == [200] * 5
    told = [line["process"] for line in service.lines() if line.get("route") == "/health/live"]
    assert set(told) >= set(service.workers())
    buckets = service.metrics()
    route = ("method", "GET"), ("route", "/health/live")
    counted = buckets["recommender_http_request_seconds_count", frozenset(route)]
    assert counted == buckets["recommender_http_request_seconds_bucket", frozenset((*route, ("le", "+Inf")))]
    assert counted == before + 200


def test_a_killed_process_takes_its_listeners_but_not_its_counts_along(service: GunicornService) -> None:
    def listeners() -> float | None:
        return service.metric("recommender_stream_listeners")

    before = answered(service, "/health/live")
    with requests.get(f"{service.url}/v1/stream", stream=True, timeout=10) as stream:
        next(stream.iter_content(1))
        wait_until(lambda: listeners() == 1)
        follower = next(line["process"] for line in reversed(service.lines()) if line.get("route") == "/v1/stream")
        os.kill(follower, signal.SIGKILL)
        wait_until(lambda: len(service.workers()) == 2 and follower not in service.workers())
        wait_until(lambda: listeners() == 0)
    assert answered(service, "/health/live") == before


def memory(counted: Samples) -> dict[tuple[str, int], float]:
    """What each process takes, by part and pid."""
    told = {labels: value for (name, labels), value in counted.items() if name == "recommender_resident_memory_bytes"}
    return {(found["part"], int(found["pid"])): value for labels, value in told.items() if (found := dict(labels))}


def test_memory_of_each_process_that_lives(service: GunicornService) -> None:
    def all_told() -> bool:
        return {pid for _, pid in memory(service.metrics())} == set(service.workers())

    wait_until(all_told)
    for (part, pid), told in memory(service.metrics()).items():
        taken = psutil.Process(pid).memory_info().rss
        assert part == "service"
        assert taken / 2 < told < taken * 2
    before = service.workers()
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(service.workers()) == 2 and before[0] not in service.workers())
    wait_until(all_told)


HEAD = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
JSON = HEAD + b"Content-Type: application/json\r\n"
CHUNKS = JSON + b"Transfer-Encoding: chunked\r\n\r\n"


def with_body(body: bytes, head: bytes = JSON) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        (JSON + b"Content-Length: 2000000\r\n\r\n", 413, "too_large"),
        (CHUNKS + b"%x\r\n%s\r\n" % (2 << 20, b" " * (2 << 20)) + b"0\r\n\r\n", 413, "too_large"),
        (with_body(b"{}", HEAD), 415, "not_json"),
        (with_body(b"{}", HEAD + b"Content-Type: text/plain\r\n"), 415, "not_json"),
        (with_body(b"{"), 400, "not_json"),
        (with_body(b"[NaN]"), 400, "not_json"),
        (with_body(b"1"), 422, "not_json"),
        (with_body(b"\xff"), 400, "unreadable"),
        (with_body(b"[" * 100_000), 400, "unreadable"),
        (CHUNKS + b"nonsense\r\n", 400, "unreadable"),
        (JSON + b"Content-Length: 10\r\n\r\n{", 408, "incomplete"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_refused_bodies_are_counted_by_reason(
    service: GunicornService, request_: bytes, status: int, reason: str
) -> None:
    def counted() -> dict[str, float]:
        found = service.metrics().items()
        return {dict(labels)["reason"]: value for (name, labels), value in found if name == REFUSED_BODIES}

    before = counted()
    assert before.keys() == {"too_large", "not_json", "unreadable", "incomplete", "no_room"}
    answer = Address(service.settings.port).send(request_)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert counted() == before | {reason: before[reason] + 1}


def test_who_asks_for_the_streams_headers_alone_is_no_listener(service: GunicornService) -> None:
    before = service.metric("recommender_stream_listeners")
    for _ in range(20):
        assert requests.head(f"{service.url}/v1/stream", timeout=10).status_code == 200
    assert service.metric("recommender_stream_listeners") == before
    listening = [requests.get(f"{service.url}/v1/stream", stream=True, timeout=10) for _ in range(3)]
    wait_until(lambda: service.metric("recommender_stream_listeners") == (before or 0) + 3)
    for stream in listening:
        stream.close()

    movies = count(1)

    def have_left() -> bool:
        """That somebody has gone is seen when something is pushed."""
        event = {"userId": 1, "movieId": next(movies), "type": "started"}
        requests.post(f"{service.url}/v1/events", json=event, timeout=10).raise_for_status()
        return service.metric("recommender_stream_listeners") == before

    wait_until(have_left)


def test_what_clients_make_up_makes_no_series(service: GunicornService) -> None:
    service.get("/health/live")
    before = len(service.metrics())
    for number in range(50):
        service.get(f"/made/up/{number}")
        requests.request(f"M{number}", f"{service.url}/health/live?a={number}", timeout=10)
    counted = service.metrics()
    assert len(counted) - before < 60  # the buckets of three pairs of method and route
    assert answered(service, "unmatched", 404) >= 50


def test_the_worker_is_in_the_same_answer(
    service: GunicornService, feed: FakeFeed, graph: Database, tmp_path: Path
) -> None:
    feed.answer = response(FRAME)
    settings = service.settings.model_copy(update={"feed_url": feed.url, "feed_calls_per_minute": 600})
    output = tmp_path / "worker.log"
    worker = None
    try:
        with output.open("wb") as stream:
            worker = subprocess.Popen(
                [sys.executable, "-m", "stream", "worker"],
                cwd=ROOT,
                env=environment_of(settings),
                stdout=stream,
                stderr=stream,
            )
        wait_until(lambda: (service.metric("recommender_feed_calls_total", outcome="answered") or 0) >= 2)
        feed.answer = response(status="500 Broken")
        wait_until(lambda: service.metric("recommender_feed_calls_total", outcome="failed") >= 1)
        wait_until(lambda: (service.metric("recommender_events_applied_total") or 0) >= 2)
        wait_until(lambda: service.metric("recommender_dead_letters") == 1)  # the same row each time
        counted = service.metrics()
    finally:
        if worker is not None:
            worker.kill()
            worker.wait()
    calls = counted["recommender_feed_calls_total", frozenset({("outcome", "answered")})]
    for outcome in ("decoded", "unreadable"):
        assert counted["recommender_feed_rows_total", frozenset({("outcome", outcome)})] == calls
    assert counted["recommender_feed_circuit_open", frozenset()] == 0
    assert ("worker", worker.pid) in memory(counted)
    assert "worker" not in {part for part, _ in memory(service.metrics())}


def test_figures_of_graph_and_log(graph: Database, neo4j: EmbeddedServer, tmp_path: Path) -> None:
    hook = {"webhook_url": "http://127.0.0.1:9/"}
    settings = service_settings(neo4j, tmp_path).model_copy(update=hook)
    graph.run_text(
        "CREATE (:IngestOffset {source: 'webhook', partition: 0, sequence: 3})"
        " WITH 0 AS ignored MATCH ()-[list:RECOMMENDED]->()"
        " SET list.sequence = CASE list.batchId WHEN 'a' THEN 3 ELSE 4 END"
    )
    log = SqliteEventLog(settings.event_log_path)
    log.append([Event(type=EventType.STARTED, source=API, at=utc_now(), user_id=1, movie_id=1)])
    log.bury("unreadable", "for the test")
    with serving(settings, tmp_path) as service:
        wait_until(lambda: service.get("/health/ready").ok)
        wait_until(lambda: service.metric("recommender_hit_rate") is not None, 90)
        counted = service.metrics()
        parts = service.get("/health/ready").json()["parts"]
    plain = {name: value for (name, labels), value in counted.items() if not labels}
    assert plain["recommender_neo4j_up"] == 1
    assert plain["recommender_hit_rate"] == 0.5
    assert plain["recommender_event_log_lag_events"] == 2  # offset 0 is none
    assert plain["recommender_dead_letters"] == 1
    assert 0 < plain["recommender_webhook_lag_seconds"] < 300
    assert plain["recommender_model_edges"] == 3
    assert 86_400 <= plain["recommender_model_age_seconds"] < 86_500
    ready = {dict(labels)["part"]: value for (name, labels), value in counted.items() if name == "recommender_ready"}
    free = counted["recommender_disk_free_bytes", frozenset({("folder", "data")})]
    assert free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert ready == dict.fromkeys(("neo4j", "model", "eventLog", "worker", "background", "disk"), 1.0)
    assert parts["model"]["detail"] == "model v1, 3 edges"


def test_a_frozen_neo4j_is_told_in_time(service: GunicornService, graph: Database, neo4j: EmbeddedServer) -> None:
    wait_until(lambda: service.metric("recommender_neo4j_up") == 1)
    running = neo4j.running()
    assert running is not None
    with frozen(running.pid):
        for _ in range(4):
            begin = time.monotonic()
            ready, scraped = service.get("/health/ready"), service.get("/metrics")
            assert time.monotonic() - begin < 2 * 2.5
            assert ready.elapsed < timedelta(seconds=2.5)
            assert scraped.elapsed < timedelta(seconds=2.5)
            assert ready.status_code == 503
            states = {name: part["ready"] for name, part in ready.json()["parts"].items()}
            del states["background"]  # it asks Neo4j, too
            assert states == {"neo4j": False, "model": False, "eventLog": True, "worker": True, "disk": True}
        counted = read_samples(scraped.text)
    assert counted["recommender_neo4j_up", frozenset()] == 0
    assert "recommender_model_age_seconds" not in {name for name, _ in counted}
    assert counted["recommender_dead_letters", frozenset()] >= 0
    wait_until(lambda: service.metric("recommender_neo4j_up") == 1)


def test_names_follow_the_conventions_and_every_metric_is_explained(service: GunicornService) -> None:
    text = service.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (\S.*)$", text, re.MULTILINE))
    assert kinds.keys() == helps.keys()
    for name, kind in kinds.items():
        assert re.fullmatch(r"recommender_[a-z0-9_]+", name)
        assert name.endswith("_total") == (kind == "counter")
        assert kind != "histogram" or name.endswith("_seconds")


def test_a_folder_belongs_to_one_process_and_is_cleared_for_the_next(settings: Settings) -> None:
    program = (
        "import os, sys; from common.metrics import share_metrics; from common.settings import Settings;"
        "share_metrics(Settings.from_environment(), 'worker'); "
        "print(os.environ['PROMETHEUS_MULTIPROC_DIR'], flush=True); sys.stdin.read()"
    )

    def begin() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment_of(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    (first, folder), (second, other) = begin(), begin()
    assert folder != other
    left = folder / "counter_1.db"
    left.touch()
    first.kill()
    first.communicate()
    third, again = begin()
    assert (again, left.exists()) == (folder, False)
    for process in (second, third):
        process.communicate()


def test_without_room_for_a_folder_a_process_counts_alone(tmp_path: Path) -> None:
    """It starts all the same: reads need nothing of the disk."""
    program = (
        "from common.metrics import share_metrics; from common.settings import Settings;"
        "share_metrics(Settings.from_environment(), 'service');"
        "from service.health.metrics import CACHE_HITS, SharedMetrics;"
        "CACHE_HITS.inc(); print({metric.name for metric in SharedMetrics().collect()})"
    )
    with small_disk(tmp_path / "room", "size=1m,nr_inodes=10") as disk:
        disk.use_up_names()
        done = subprocess.run(
            [*disk.entered, sys.executable, "-c", program],
            env=environment_of(sandbox_settings(disk.folder)),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert "recommender_cache_hits" in done.stdout
    assert "this process counts alone" in done.stderr


def test_sharing_too_late_is_an_error(settings: Settings) -> None:
    import prometheus_client  # noqa: F401

    with pytest.raises(RuntimeError, match="before prometheus_client is imported"):
        share_metrics(settings, "worker")
