"""Who follows the graph is told what is new, once, and is not followed for when they are gone."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pytest
from conftest import wait_until

from common.settings import Settings
from graph.database import Database
from graph.repositories.ingest import Changes, Ingest
from graph.repositories.interactions import Viewing
from graph.repositories.recommendations import Recommendations
from service.components import Components
from service.push.broadcaster import HEARTBEAT, Broadcaster
from service.push.change_feed import FRESH_SECONDS, ChangeFeed

NOON = datetime(2026, 1, 1, 12)


@pytest.fixture
def ingest(database: Database) -> Ingest:
    database.run_text("CREATE (:User {userId: 1}) WITH 1 AS _ UNWIND [6, 7, 8, 9] AS id CREATE (:Movie {movieId: id})")
    return Ingest(database)


@pytest.fixture
def pusher(database: Database, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broadcaster]:
    ingest.read_changes(0)  # planned, it takes less than the follower's patience
    monkeypatch.setattr("service.push.change_feed.IDLE_SECONDS", 2)
    follower = ChangeFeed(ingest, 10)
    pusher = Broadcaster(ingest, Recommendations(database), follower, threading.Event())
    yield pusher
    pusher.end()
    follower.end()


def watch(ingest: Ingest, movie: int) -> None:
    viewing = Viewing(f"viewing {movie}", 1, movie, "api", NOON, NOON)
    ingest.transact(lambda batch: batch.create_viewings([viewing]))


def test_who_comes_after_nobody_listened_is_told_what_is_new_once(ingest: Ingest, pusher: Broadcaster) -> None:
    watch(ingest, 6)
    pusher.leave(pusher.listen(None, None))
    wait_until(lambda: not {"pusher", "follower"} & {thread.name for thread in threading.enumerate()})
    watch(ingest, 7)
    time.sleep(FRESH_SECONDS)  # who comes sooner is told of it, too
    listener = pusher.listen(None, None)
    messages = listener.messages()
    next(messages)  # each stream begins with a heartbeat
    for movie in (8, 9):
        watch(ingest, movie)
        message = next(messages)
        assert message.count("data: ") == 1
        assert f'"movieId":{movie}' in message
    pusher.leave(listener)


def test_an_answer_that_took_long_is_fresh_if_it_was_asked_for_after_who_waits_came(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neo4j under load: each answer is older than what is fresh when it comes."""
    read = ingest.read_changes

    def read_slowly(since: int) -> Changes:
        changes = read(since)
        time.sleep(3 * FRESH_SECONDS)
        return changes

    monkeypatch.setattr(ingest, "read_changes", read_slowly)
    follower = ChangeFeed(ingest, 3)
    try:
        watch(ingest, 6)
        assert follower.get_sequence() == 1
        watch(ingest, 7)
        time.sleep(FRESH_SECONDS)
        assert follower.get_sequence() == 2
    finally:
        follower.end()


def test_while_all_is_quiet_the_graph_is_asked_less_often(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.push.change_feed.LIVELY_SECONDS", 0.2)
    monkeypatch.setattr("service.push.change_feed.QUIET_SECONDS", 0.5)
    asked: list[float] = []
    ingest.read_changes(0)  # planned, it takes less than what counts as lively
    read = ingest.read_changes

    def note_and_read(since: int) -> Changes:
        asked.append(time.monotonic())
        return read(since)

    monkeypatch.setattr(ingest, "read_changes", note_and_read)
    follower = ChangeFeed(ingest, 10)
    try:
        known = follower.get_sequence()
        follower.await_sequence(known, 2.5)
    finally:
        follower.end()
    pauses = [after - before for before, after in pairwise(asked)]
    assert min(pauses[:3]) < 0.2
    assert min(pauses[-3:]) > 0.4


def test_who_comes_first_to_a_process_that_stops_already_is_let_go(database: Database, settings: Settings) -> None:
    """Another process let its listeners go, and they came back at once."""
    access = Components(settings)
    access.end_streams()
    listener = access.pusher.listen(None, None)
    messages = listener.messages()
    assert next(messages) == HEARTBEAT
    assert next(messages, None) is None
    access.pusher.leave(listener)
    access.close()
