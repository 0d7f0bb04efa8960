"""What both event logs promise, on a real Kafka and on a file."""

import time
from datetime import datetime

import pytest
from confluent_kafka.admin import AdminClient
from conftest import OpenLog, wait_until

from common.times import utc_now
from graph.database import Database
from graph.repositories.ingest import Ingest
from stream.backlog import measure_backlog
from stream.event_log.base import EventLog
from stream.event_log.kafka import KafkaEventLog
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, FEED, Event, EventType
from stream.viewings import FinishRules
from stream.writer import Writer

NOON = datetime(2026, 1, 1, 12)
USERS = range(1, 14)


def started(user: int, movie: int, event_id: str | None = None) -> Event:
    return Event(type=EventType.STARTED, source=API, at=NOON, event_id=event_id, user_id=user, movie_id=movie)


def polled() -> Event:
    return Event(type=EventType.POLLED, source=FEED, at=NOON)


def await_partitions(log: EventLog) -> list[int]:
    wait_until(lambda: len(log.assigned()) == log.partitions)
    return log.assigned()


def read_all(log: EventLog, partition: int) -> list[tuple[int, Event | None]]:
    """All records up to the end, as the writer reads them: a few at a time."""
    records: list[tuple[int, Event | None]] = []
    deadline = time.monotonic() + 20
    while not records or records[-1][0] + 1 < log.end(partition):
        assert time.monotonic() < deadline
        if not records and log.end(partition) <= 1 and not log.read(partition, 0, 1):
            return []
        log.assigned()
        records += log.read(partition, records[-1][0] + 1 if records else 0, 3)
    return records


def test_every_event_is_read_once_and_each_users_in_order(any_log: EventLog) -> None:
    events = [started(user, movie) for movie in range(1, 6) for user in USERS]
    for start in range(0, len(events), 10):
        assert any_log.append(events[start : start + 10]) == events[start : start + 10]
    by_user: dict[int, list[int]] = {}
    for partition in await_partitions(any_log):
        offsets = []
        for offset, event in read_all(any_log, partition):
            assert event is not None
            offsets.append(offset)
            by_user.setdefault(event.user_id or 0, []).append(event.movie_id or 0)
        assert offsets == sorted(set(offsets))
    assert by_user == {user: [1, 2, 3, 4, 5] for user in USERS}


def test_a_user_is_always_in_one_partition_and_a_polls_end_in_all(any_log: EventLog) -> None:
    any_log.append([*(started(user, 7) for user in USERS), polled()])
    partitions = await_partitions(any_log)
    assert partitions == list(range(any_log.partitions))
    for partition in partitions:
        events = [event for _, event in read_all(any_log, partition)]
        assert events[-1] == polled()
        users = {event.user_id for event in events[:-1] if event}
        assert users == {user for user in USERS if user % any_log.partitions == partition}


def test_the_same_can_be_read_again_from_any_offset(any_log: EventLog) -> None:
    any_log.append([started(6, movie) for movie in range(1, 30)])
    await_partitions(any_log)
    partition = 6 % any_log.partitions
    records = read_all(any_log, partition)
    assert [event.movie_id for _, event in records if event] == list(range(1, 30))
    for place in (20, 3, 3, 28, 0):
        found: list[tuple[int, Event | None]] = []
        wait_until(lambda: bool(found.extend(any_log.read(partition, records[place][0], 1)) or found))  # noqa: B023
        assert found[:1] == records[place : place + 1]


def test_another_process_reads_what_this_one_stored(open_any_log: OpenLog) -> None:
    open_any_log().append([started(6, 1), started(6, 2)])
    other = open_any_log()
    await_partitions(other)
    assert [event.movie_id for _, event in read_all(other, 6 % other.partitions) if event] == [1, 2]


def test_the_end_is_behind_the_last_event(any_log: EventLog) -> None:
    partition = 6 % any_log.partitions
    any_log.append([started(6, 1)])
    before = any_log.end(partition)
    any_log.append([started(6, 1), started(6, 2)])
    assert any_log.end(partition) == before + 2


def test_an_open_log_can_say_what_it_is(any_log: EventLog) -> None:
    assert any_log.check().split()[0] in {"sqlite", "kafka"}


def test_dead_letters_are_kept_once_in_order_until_they_are_dropped(open_any_log: OpenLog) -> None:
    log = open_any_log()
    assert log.dead_letters() == []
    for body, reason in (("b", "1"), ("a", "1"), ("a", "2"), ("a", "1"), ("ü\n{", "3")):
        log.bury(body, reason)
    other = open_any_log()
    letters = other.dead_letters()
    assert [(letter.body, letter.reason) for letter in letters] == [("b", "1"), ("a", "1"), ("a", "2"), ("ü\n{", "3")]
    assert all(abs((utc_now() - letter.at).total_seconds()) < 60 for letter in letters)
    assert other.drop_letters([letters[1].letter_id, letters[3].letter_id]) == 2
    assert log.dead_letters() == [letters[0], letters[2]]
    assert other.drop_letters([]) == 0


def test_workers_share_the_calls_of_a_minute(open_any_log: OpenLog) -> None:
    logs = [open_any_log() for _ in range(3)]
    granted: list[int] = []

    def call() -> bool:
        granted.extend(place for place, log in enumerate(logs) if log.take_call(4, 60.0) == 0)
        return len(granted) >= 4

    wait_until(call)
    for _ in range(30):
        call()
    assert len(granted) == 4


def test_one_worker_leads_and_another_one_follows_it(open_any_log: OpenLog) -> None:
    first, second = open_any_log(), open_any_log()
    wait_until(first.lead)
    assert not any(second.lead() for _ in range(20))
    assert (first.leading, second.leading) == (True, False)
    first.close()
    wait_until(second.lead)


def test_leadership_that_is_not_confirmed_is_not_believed(
    open_any_log: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was held up may have lost it; SQLite's is a lock, which only ends with its holder."""
    monkeypatch.setattr("stream.event_log.kafka.LEASE_SECONDS", 0.5)
    log = open_any_log()
    wait_until(log.lead)
    time.sleep(0.6)
    assert log.leading is isinstance(log, SqliteEventLog)
    assert log.lead()


def test_another_log_is_another_one_also_under_the_same_name(open_any_log: OpenLog) -> None:
    first = open_any_log()
    assert open_any_log().name == first.name
    if isinstance(first, SqliteEventLog):
        first.path.unlink()
    else:
        assert isinstance(first, KafkaEventLog)
        admin = AdminClient({"bootstrap.servers": first._servers})
        admin.delete_topics([first.topic])[first.topic].result()
        wait_until(lambda: first.topic not in admin.list_topics(timeout=5).topics)
    assert open_any_log().name != first.name


def test_a_call_is_granted_again_once_the_window_is_over(any_log: EventLog) -> None:
    wait_until(lambda: any_log.take_call(1, 3.0) == 0)
    assert any_log.take_call(1, 3.0) > 0
    wait_until(lambda: any_log.take_call(1, 3.0) == 0)


@pytest.mark.parametrize("count", [1, 3000])
def test_many_at_once_are_all_stored(any_log: EventLog, count: int) -> None:
    partition = 6 % any_log.partitions
    any_log.append([started(6, 1)])
    before = any_log.end(partition)
    any_log.append([started(6, 1 + place, f"event {place}") for place in range(count)])
    assert any_log.end(partition) == before + count


def test_applied_events_go_when_they_are_old_and_no_others(any_log: EventLog) -> None:
    any_log.append([started(6, movie) for movie in range(1, 11)])
    partition = 6 % any_log.partitions
    await_partitions(any_log)
    records = read_all(any_log, partition)
    applied = {partition: records[6][0]}
    assert any_log.trim(applied, days=1, megabytes=2048) == 0
    time.sleep(0.1)
    assert any_log.trim(applied, days=0.05 / 86400, megabytes=2048) == 6
    assert any_log.trim(applied, days=0.05 / 86400, megabytes=2048) == 0
    left: list[tuple[int, Event | None]] = []
    wait_until(lambda: bool(left.extend(any_log.read(partition, 0, 10)) or len(left) >= 4))
    assert left[:4] == records[6:]
    assert any_log.end(partition) == records[-1][0] + 1


def test_how_far_the_graph_is_behind_is_known(database: Database, any_log: EventLog) -> None:
    ingest = Ingest(database)
    assert measure_backlog(any_log, ingest) == 0
    any_log.append([started(user, 1) for user in range(1, 31)])
    wait_until(lambda: measure_backlog(any_log, ingest) == pytest.approx(30, abs=1))  # a file's first offset is 1
    writer = Writer(any_log, ingest, FinishRules())
    deadline = time.monotonic() + 60
    while measure_backlog(any_log, ingest) > 0:
        assert time.monotonic() < deadline
        writer.apply_pending()
