"""Who follows the graph is told what is new, once, and is not followed for when they are gone."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pytest
from apps import open_app
from conftest import wait_until
from werkzeug.test import TestResponse

from common.background import BackgroundLoops
from common.settings import Settings
from graph.database import Database
from graph.repositories.ingest import Changes, Ingest, ViewingChange
from graph.repositories.interactions import Viewing
from graph.repositories.recommendations import Recommendations
from service.access.keys import add_key
from service.capacity.executor import ShareError
from service.components import Components
from service.push.broadcaster import HEARTBEAT, Broadcaster, Holder, Listener
from service.push.change_feed import FRESH_SECONDS, ChangeFeed

NOON = datetime(2026, 1, 1, 12)


@pytest.fixture
def ingest(database: Database) -> Ingest:
    database.run_text("CREATE (:User {userId: 1}) WITH 1 AS _ UNWIND [6, 7, 8, 9] AS id CREATE (:Movie {movieId: id})")
    return Ingest(database)


@pytest.fixture
def broadcaster(database: Database, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broadcaster]:
    ingest.read_changes(0)  # planned, it takes less than the feed's patience
    monkeypatch.setattr("service.push.change_feed.IDLE_SECONDS", 2)
    loops = BackgroundLoops()
    changes = ChangeFeed(ingest, 10, loops)
    yield Broadcaster(ingest, Recommendations(database), changes, loops)
    assert loops.end(5) == []


def watch(ingest: Ingest, movie: int) -> None:
    viewing = Viewing(f"viewing {movie}", 1, movie, "api", NOON, NOON)
    ingest.transact(lambda batch: batch.create_viewings([viewing]))


def test_who_comes_after_nobody_listened_is_told_what_is_new_once(ingest: Ingest, broadcaster: Broadcaster) -> None:
    watch(ingest, 6)
    broadcaster.leave(broadcaster.listen(None, None))
    wait_until(lambda: broadcaster._changes._idle and not broadcaster._following)
    watch(ingest, 7)
    time.sleep(FRESH_SECONDS)  # who comes sooner is told of it, too
    listener = broadcaster.listen(None, None)
    messages = listener.messages()
    next(messages)  # each stream begins with a heartbeat
    for movie in (8, 9):
        watch(ingest, movie)
        message = next(messages)
        assert message.count("data: ") == 1
        assert f'"movieId":{movie}' in message
    broadcaster.leave(listener)


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
    loops = BackgroundLoops()
    changes = ChangeFeed(ingest, 3, loops)
    try:
        watch(ingest, 6)
        assert changes.get_sequence() == 1
        watch(ingest, 7)
        time.sleep(FRESH_SECONDS)
        assert changes.get_sequence() == 2
    finally:
        loops.end(5)


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
    loops = BackgroundLoops()
    changes = ChangeFeed(ingest, 10, loops)
    try:
        known = changes.get_sequence()
        changes.await_sequence(known, 2.5)
    finally:
        loops.end(5)
    pauses = [after - before for before, after in pairwise(asked)]
    assert min(pauses[:3]) < 0.2
    assert min(pauses[-3:]) > 0.4


def test_who_comes_first_to_a_process_that_stops_already_is_let_go(database: Database, settings: Settings) -> None:
    """Another process let its listeners go, and they came back at once."""
    access = Components(settings)
    access.broadcaster.end()
    listener = access.broadcaster.listen(None, None)
    messages = listener.messages()
    assert next(messages) == HEARTBEAT
    assert next(messages, None) is None
    access.broadcaster.leave(listener)
    access.close()


def test_nobody_waits_for_a_graph_that_another_listener_is_read_for(
    ingest: Ingest, broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One comes back and is caught up while Neo4j hangs: others come and go, and the process can stop."""
    watch(ingest, 6)
    hangs, may_go_on = threading.Event(), threading.Event()
    read = ingest.read_viewings_since

    def hang_and_read(after: int, until: int) -> list[ViewingChange]:
        hangs.set()
        assert may_go_on.wait(20)
        return read(after, until)

    monkeypatch.setattr(ingest, "read_viewings_since", hang_and_read)
    found: list[Listener] = []
    late = threading.Thread(target=lambda: found.append(broadcaster.listen(None, 0)))
    late.start()
    assert hangs.wait(10)
    begin = time.monotonic()
    broadcaster.leave(broadcaster.listen(None, None))
    broadcaster.end()
    assert time.monotonic() - begin < 2
    may_go_on.set()
    late.join()
    messages = list(found[0].messages())
    assert messages[0] == HEARTBEAT
    assert [message.count("data: ") for message in messages[1:]] == [1], "caught up, then let go"


def test_who_comes_back_misses_nothing_and_gets_nothing_twice(ingest: Ingest, broadcaster: Broadcaster) -> None:
    for movie in (6, 7, 8):
        watch(ingest, movie)
    known = ingest.get_sequence()
    listener = broadcaster.listen(None, known - 2)
    watch(ingest, 9)
    messages = listener.messages()
    next(messages)
    told = [next(messages) for _ in range(3)]
    assert [f'"movieId":{movie}' in message for movie, message in zip((7, 8, 9), told, strict=True)] == [True] * 3
    broadcaster.leave(listener)


def test_who_is_too_far_behind_gets_a_gap_and_the_latest(
    ingest: Ingest, broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.push.broadcaster.RESUMED_BATCHES", 2)
    for movie in (6, 7, 8, 9):
        watch(ingest, movie)
    known = ingest.get_sequence()
    for behind, messages in ((2, 2), (3, 3), (4, 3)):
        listener = broadcaster.listen(None, known - behind)
        broadcaster.leave(listener)
        listener.end()
        found = list(listener.messages())[1:]
        assert len(found) == messages
        gap = f'event: gap\ndata: {{"after": {known - behind}, "until": {known - 2}}}\nid: {known - 2}\n\n'
        assert (found[0] == gap) is (behind > 2)
        assert '"movieId":9' in found[-1]


def test_one_client_leaves_streams_to_others(ingest: Ingest, broadcaster: Broadcaster) -> None:
    address, other, key = Holder("the address 192.0.2.7", 2), Holder("the address 192.0.2.8", 2), Holder("'app'", 3)
    first = broadcaster.listen(None, None, holders=(address, key))
    broadcaster.listen(None, None, holders=(address, key))
    with pytest.raises(ShareError, match=r"the address 192\.0\.2\.7 follows 2 streams"):
        broadcaster.listen(None, None, holders=(address, key))
    broadcaster.listen(None, None, holders=(other, key))
    with pytest.raises(ShareError, match="'app' follows 3 streams"):
        broadcaster.listen(None, None, holders=(other, key))
    broadcaster.listen(None, None, holders=(other,))
    broadcaster.leave(first)
    broadcaster.listen(None, None, holders=(address, key))


def test_too_many_streams_of_an_address_are_refused_by_name(database: Database, settings: Settings) -> None:
    settings = settings.model_copy(update={"open": True, "streams_per_address": 1, "streams_per_key": 1})
    keys = [add_key(settings.keys_path, name, "read", 1000) for name in ("app", "site")]
    Ingest(database).read_changes(0)
    with open_app(settings) as app:
        client = app.test_client()

        def follow(address: str, key: str | None = None) -> TestResponse:
            headers = {"X-API-Key": key} if key else {}
            return client.get("/v1/stream", headers=headers, environ_base={"REMOTE_ADDR": address})

        streams = [follow("192.0.2.7"), follow("192.0.2.8", keys[0]), follow("192.0.2.9", keys[1])]
        assert [stream.status_code for stream in streams] == [200] * 3
        refused = {"192.0.2.7": follow("192.0.2.7", keys[0]), "'app'": follow("192.0.2.10", keys[0])}
        for name, answer in refused.items():
            assert (answer.status_code, name in answer.get_json()["detail"]) == (429, True)
            assert int(answer.headers["Retry-After"]) > 0
        streams[0].close()
        assert follow("192.0.2.7").status_code == 200
