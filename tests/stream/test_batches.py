"""However the log is cut into batches, the graph comes out the same."""

import random
from datetime import datetime, timedelta

import pytest

from common.settings import Settings
from graph.database import Database
from graph.repositories.ingest import Ingest
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, Event, EventType
from stream.viewings import FinishRules
from stream.writer import Writer

NOON = datetime(2026, 1, 1, 12)
KINDS = ["started", "finished", "rated", "liked", "listed", "clicked"]


def draw_events(rng: random.Random, count: int) -> list[Event]:
    """What 20 users do with 8 movies, many things at the same moment, and told in disorder."""
    events = [
        Event(
            type=EventType(kind),
            source=API,
            at=NOON + timedelta(minutes=rng.randint(0, count // 4)),
            event_id=f"event {place}",
            user_id=rng.randint(1, 20),
            movie_id=rng.randint(1, 8),
            rating=rng.choice([1.0, 3.0, 5.0]) if kind == "rated" else None,
            value=rng.choice([1, -1]) if kind == "liked" else None,
        )
        for place, kind in enumerate(rng.choices(KINDS, k=count))
    ]
    rng.shuffle(events)
    return events


def graph_after(database: Database, log: SqliteEventLog) -> list[str]:
    """All nodes and edges once the log is applied to an empty graph, but for the numbers of their batches."""
    database.run_text("MATCH (n) DETACH DELETE n")
    writer = Writer(log, Ingest(database), FinishRules())
    while writer.apply_pending():
        pass
    edges = database.run_text("MATCH (u:User)-[e]->(m:Movie) RETURN u.userId, m.movieId, type(e), properties(e)")
    movies = database.run_text("MATCH (m:Movie) RETURN m.movieId, m.ratingCount, round(m.ratingMean, 6)")
    found = []
    for *ends, properties in (record.values() for record in edges):
        properties.pop("sequence", None)
        found.append(f"{ends} {sorted(map(str, properties.items()))}")
    return sorted([*found, *(str(record.values()) for record in movies)])


@pytest.mark.parametrize("count", [300, pytest.param(1500, marks=pytest.mark.slow)])
def test_the_graph_does_not_depend_on_where_batches_are_cut(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    log = SqliteEventLog(settings.event_log_path)
    log.append(draw_events(random.Random(1), count))
    whole = graph_after(database, log)
    assert len(whole) > count // 3
    for size in (count // 2, 40, 3):
        monkeypatch.setattr("stream.writer.BATCH", size)
        assert graph_after(database, log) == whole, size
