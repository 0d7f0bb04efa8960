"""The live path on the sample: events into the graph, and from a finished movie to the pushed recommendation."""

import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import requests

from common.settings import Settings
from common.times import utc_now
from graph.database import Database
from graph.repositories.history import History
from graph.repositories.ingest import Ingest
from graph.repositories.movies import Movies
from graph.server.ports import free_ports
from scripts.bench_traversal import Report, percentiles
from scripts.kafka import KafkaBroker
from scripts.run import await_ready, follow
from scripts.sandbox import SERVICE, START_SECONDS, running
from stream.event_log import open_log
from stream.event_log.base import EventLog
from stream.events import API, Event, EventType
from stream.simulator import PATH
from stream.viewings import FinishRules
from stream.writer import Writer

# What viewers do, and how often; nine of ten finish what they start.
VIEWERS = 5000
KINDS = {"viewing": 0.6, "rated": 0.2, "clicked": 0.1, "listed": 0.05, "liked": 0.05}
FINISHING = 0.9
# Calls to the simulated feed in a minute: ten a second, so that finishes come spread.
FEED_CALLS = 600
VIEWING_SECONDS = 10
WARMING_SECONDS = 30


def measure_backlog(settings: Settings, engine: str, events: int, report: Report) -> None:
    """A log, `sqlite` or `kafka`, that has grown while nobody wrote: how fast the writer applies it."""
    with ExitStack() as stack:
        if engine == "kafka":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench"))
            broker = KafkaBroker(Path(folder) / "broker")
            stack.callback(broker.stop)
            broker.start()
            settings = settings.model_copy(update={"event_log": f"kafka://{broker.address}/backlog"})
        log = open_log(settings)
        stack.callback(log.close)
        database = stack.enter_context(Database.from_settings(settings))
        movies = [movie.movie_id for movie in Movies(database).sample_movies(limit=1000)]
        for server in ("just started", "warm"):
            first = utc_now() - timedelta(days=30 if server == "just started" else 10)
            figures = _apply_backlog(Ingest(database), log, draw_events(movies, events, first))
            report("backlog", log=engine, neo4j=server, events=events, **figures)


def _apply_backlog(ingest: Ingest, log: EventLog, backlog: list[Event]) -> dict[str, int]:
    """Events a second, onto the log and from there into the graph."""
    begin = time.monotonic()
    for start in range(0, len(backlog), 1000):
        log.append(backlog[start : start + 1000])
    appended = time.monotonic() - begin
    writer = Writer(log, ingest, FinishRules())
    while not log.assigned():  # Kafka's group takes its time.
        time.sleep(0.1)
    ends = {partition: log.end(partition) for partition in range(log.partitions)}
    begin = time.monotonic()
    while any(ingest.read_offset(log.name, partition).offset < end for partition, end in ends.items()):
        writer.apply_pending()
    applied = time.monotonic() - begin
    return {"appendedPerSecond": round(len(backlog) / appended), "appliedPerSecond": round(len(backlog) / applied)}


def draw_events(movies: list[int], events: int, begin: datetime) -> list[Event]:
    """What some thousand viewers do, most of them new to the graph: an event every 50 ms."""
    rng = np.random.default_rng(1)
    watching: dict[int, int] = {}
    drawn = []
    kinds = rng.choice(list(KINDS), events, p=list(KINDS.values())).tolist()
    users, picked = rng.integers(1, VIEWERS, events).tolist(), rng.choice(movies, events).tolist()
    for place, (kind, user, movie) in enumerate(zip(kinds, users, picked, strict=True)):
        if kind == "viewing":
            finishing = user in watching and rng.random() < FINISHING
            kind, movie = ("finished", watching.pop(user)) if finishing else ("started", movie)
            if not finishing:
                watching[user] = movie
        drawn.append(
            Event(
                type=EventType(kind),
                source=API,
                at=begin + timedelta(seconds=place / 20),
                event_id=f"{begin:%d} {place}",
                user_id=user,
                movie_id=movie,
                rating=4.0 if kind == "rated" else None,
                value=1 if kind == "liked" else None,
            )
        )
    return drawn


def measure_push(settings: Settings, rate: int, seconds: int, report: Report) -> None:
    """`rate` finishes a second, once by POST and once by the feed: until a listener has the recommendations."""
    with Database.from_settings(settings) as database:
        users = History(database).sample_users(limit=1000)
        movies = [movie.movie_id for movie in Movies(database).sample_movies(limit=1000)]
    for source in ("post", "feed"):
        viewers = 0 if source == "post" else rate * VIEWING_SECONDS
        with live_system(settings, viewers) as url:
            # A Neo4j just started is ten times as slow.
            post_finishes(url, rate, WARMING_SECONDS, users, movies, name="warming")
            posting = threading.Thread(target=post_finishes, args=(url, rate, seconds - 5, users, movies))
            if source == "post":
                posting.start()
            waits = collect_waits(url, "feed:" if source == "feed" else "measured:", seconds)
            if source == "post":
                posting.join()
        report("push", source=source, finishesPerSecond=rate, finishes=len(waits), **percentiles(waits))


@contextmanager
def live_system(settings: Settings, viewers: int) -> Iterator[str]:
    """URL of the service, on a loaded Neo4j, with a worker that follows a simulator of so many viewers."""
    [port] = free_ports(1)
    settings = settings.model_copy(
        update={
            "feed_url": f"http://127.0.0.1:{port}{PATH}",
            "feed_catalogue": "movielens",
            "feed_calls_per_minute": FEED_CALLS,
            "log_level": "WARNING",
        }
    )
    simulator = ["--port", port, "--viewers", viewers, "--viewing-seconds", VIEWING_SECONDS]
    with (
        running(settings, "stream", "simulator", *simulator, "--calls-per-minute", 2 * FEED_CALLS),
        running(settings, "stream", "worker"),
        running(settings, *SERVICE) as url,
    ):
        await_ready(url, START_SECONDS)
        yield url


def post_finishes(
    url: str, rate: int, seconds: int, users: list[int], movies: list[int], name: str = "measured"
) -> None:
    """Finish so many movies a second, one after the other's due time, each moment told by our clock."""
    begin = time.monotonic()
    thread = threading.local()

    def post(place: int) -> None:
        time.sleep(max(0.0, begin + place / rate - time.monotonic()))
        event = draw_finish(place, users, movies) | {"eventId": f"{name}:{place}"}
        thread.session.post(f"{url}/v1/events", json=event, timeout=10).raise_for_status()

    def connect() -> None:
        thread.session = requests.Session()

    with ThreadPoolExecutor(16, initializer=connect) as pool:
        list(pool.map(post, range(rate * seconds)))


def draw_finish(place: int, users: list[int], movies: list[int]) -> dict[str, Any]:
    """A finish just now, as a client tells it."""
    return {
        "userId": users[place % len(users)],
        "movieId": movies[place * 7 % len(movies)],
        "type": "finished",
        "at": datetime.now(UTC).isoformat(),
    }


def collect_waits(url: str, prefix: str, seconds: int) -> list[float]:
    """Milliseconds from each finish, of an id that begins so, to its pushed recommendations, for so many seconds."""
    waits: list[float] = []

    def listen() -> None:
        finished_at: dict[str, datetime] = {}
        for kind, data in follow(url):
            now = datetime.now(UTC)
            if kind == "watch" and data["status"] == "finished":
                finished_at[data["eventId"]] = datetime.fromisoformat(data["at"])
            elif data.get("batchId", "").startswith(prefix) and (at := finished_at.get(data["batchId"])):
                waits.append((now - at).total_seconds() * 1000)

    threading.Thread(target=listen, daemon=True).start()
    time.sleep(seconds)
    return list(waits)
