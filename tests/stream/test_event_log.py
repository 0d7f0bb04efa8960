"""The durable log in a file: what is appended stays, in order, once, whoever else writes."""

import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from subprocess import PIPE

import pytest
from conftest import Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from common.settings import ROOT
from common.times import utc_now
from graph.repositories.interactions import LARGEST_ID
from stream.event_log.base import EventIdTakenError, EventLogError
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, EARLIEST, FEED, LATEST, Event, EventType

NOON = datetime(2026, 1, 1, 12)
WINDOW = 60.0


@pytest.fixture
def log(tmp_path: Path) -> SqliteEventLog:
    return SqliteEventLog(tmp_path / "data" / "events.sqlite")


def rated(event_id: str | None, rating: float = 3.0) -> Event:
    return Event(type=EventType.RATED, source=API, at=NOON, event_id=event_id, user_id=1, movie_id=2, rating=rating)


def sighting(user: int) -> Event:
    return Event(type=EventType.WATCHING, source=FEED, at=NOON, user_id=user, movie_id=2, title="Amélie", year=2001)


def polled() -> Event:
    return Event(type=EventType.POLLED, source=FEED, at=NOON)


def all_events(log: SqliteEventLog) -> list[Event | None]:
    return [event for _, event in log.read(0, 0, 1_000_000)]


def insert(log: SqliteEventLog, body: object) -> None:
    with closing(sqlite3.connect(log.path)) as connection:
        connection.execute("INSERT INTO events (body) VALUES (?)", (body,))
        connection.commit()


def test_forgotten_events_keep_their_offsets_and_leave_no_byte(log: SqliteEventLog) -> None:
    gone = 987654321
    other = rated("theirs")
    own = Event(type=EventType.LIKED, source=API, at=NOON, event_id=f"own {gone}", user_id=gone, movie_id=2, value=1)
    undone = [
        Event(type=EventType.UNDONE, source=API, at=NOON, event_id=f"undo: {undoes}", undoes=undoes)
        for undoes in (own.key, sighting(gone).key, other.key)
    ]
    erased = Event(type=EventType.ERASED, source=API, at=NOON, user_id=gone)
    log.append([own, other, sighting(gone), *undone, erased, sighting(gone), polled()])
    insert(log, f'{{"userId": {gone}, "of": "a later version"}}')
    insert(log, f"broken {gone}".encode())
    insert(log, f"broken {gone}0")
    ends = log.end(0)
    assert log.forget({gone}, NOON, 60.0) == 6, "and what takes the first one back"
    assert log.forget({gone}, NOON, 60.0) == 0
    left = [(offset, event) for offset, event in log.read(0, 0, 100) if event is not None]
    assert left == [(2, other), (6, undone[2]), (7, erased), (9, polled())]
    assert log.end(0) == ends
    assert [letter.body for letter in log.dead_letters()] == [f"broken {gone}0"], "what was forgotten is none"
    log.drop_letters([letter.letter_id for letter in log.dead_letters()])
    assert bytes_of(log).count(str(gone).encode()) == 2, "the erasure, and the number of another user"
    assert log.append([own]) == [own], "its id is free"


def test_what_is_trimmed_or_dropped_leaves_no_byte(log: SqliteEventLog) -> None:
    for number in range(0, 3000, 100):
        log.append([sighting(10**8 + user) for user in range(number, number + 100)])
        log.bury(f"letter {10**8 + number}", "unreadable")
    log.drop_letters([letter.letter_id for letter in log.dead_letters()])
    assert log.trim({0: 2000}, 0.0, 1) == 1999
    found = {int(number) for number in re.findall(rb"1000\d{5}", bytes_of(log))}
    assert found == set(range(10**8 + 1999, 10**8 + 3000))


def bytes_of(log: SqliteEventLog) -> bytes:
    """All that is on the disk of a log."""
    return b"".join(file.read_bytes() for file in sorted(log.path.parent.glob(f"{log.path.name}*")))


def test_what_is_appended_is_read_in_order(log: SqliteEventLog) -> None:
    events = [sighting(1), sighting(2), rated("a", 4.5), polled(), polled()]
    assert log.append(events[:2]) == events[:2]
    assert log.append(events[2:]) == events[2:]
    assert all_events(log) == events
    assert all_events(SqliteEventLog(log.path)) == events


def test_reads_from_an_offset_on(log: SqliteEventLog) -> None:
    log.append([sighting(user) for user in range(1, 8)])
    offsets = [offset for offset, _ in log.read(0, 0, 100)]
    assert offsets == sorted(set(offsets))
    assert log.read(0, offsets[3], 2) == [(offsets[3], sighting(4)), (offsets[4], sighting(5))]
    assert log.read(0, offsets[-1] + 1, 100) == []
    assert log.read(0, 0, 0) == []


def test_nothing_appended_is_nothing_stored(log: SqliteEventLog) -> None:
    assert log.append([]) == []
    assert all_events(log) == []


WHO = {"user_id": st.integers(1, LARGEST_ID), "movie_id": st.integers(1, LARGEST_ID)}
WHEN = {"at": st.datetimes(EARLIEST, LATEST), "source": st.sampled_from([FEED, API]), "event_id": st.none() | st.text()}
TITLED = {"title": st.none() | st.text(), "year": st.none() | st.integers(1800, 2200)}


@given(
    st.builds(Event, type=st.sampled_from([EventType.WATCHING, EventType.STARTED]), **WHO, **WHEN, **TITLED)
    | st.builds(Event, type=st.just(EventType.RATED), rating=st.sampled_from([0.5, 3.0, 5.0]), **WHO, **WHEN)
    | st.builds(Event, type=st.just(EventType.LIKED), value=st.sampled_from([None, 1, -1]), **WHO, **WHEN)
    | st.builds(Event, type=st.just(EventType.UNDONE), undoes=st.text(), **WHEN)
    | st.builds(Event, type=st.just(EventType.POLLED), **WHEN)
)
@settings(deadline=None, max_examples=25)
def test_every_event_comes_back_as_it_was(event: Event) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteEventLog(Path(folder) / "log")
        log.append([event])
        assert all_events(log) == [event]


def test_of_an_event_id_that_comes_twice_the_first_version_stays(log: SqliteEventLog) -> None:
    later = rated("a", 1.0).model_copy(update={"at": LATEST})
    assert log.append([rated("a", 1.0), rated("b", 2.0)]) == [rated("a", 1.0), rated("b", 2.0)]
    assert log.append([rated("c", 3.0), later, rated("c", 3.0)]) == [rated("c", 3.0), rated("a", 1.0), rated("c", 3.0)]
    assert all_events(log) == [rated("a", 1.0), rated("b", 2.0), rated("c", 3.0)]


def test_an_event_id_of_another_event_is_refused_and_nothing_is_stored(log: SqliteEventLog) -> None:
    log.append([rated("a", 1.0)])
    with pytest.raises(EventIdTakenError) as raised:
        log.append([rated("b", 2.0), rated("a", 5.0)])
    assert raised.value.event_ids == ["a"]
    assert all_events(log) == [rated("a", 1.0)]


def test_events_without_an_id_are_all_kept(log: SqliteEventLog) -> None:
    log.append([rated(None), rated(None)])
    log.append([rated(None)])
    assert all_events(log) == [rated(None)] * 3


def test_all_or_none_are_stored(log: SqliteEventLog) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        log.append([rated("a"), rated("\ud800"), rated("b")])
    assert all_events(log) == []
    log.append([rated("a", 2.0)])
    assert all_events(log) == [rated("a", 2.0)]


@pytest.mark.parametrize(
    "body",
    [
        *("", "garbage", "[]", "{}", b"\xff\xfe", 5),
        '{"type":"polled","source":"feed","at":"2026-01-01T12:00:00","further":1}',
        '{"type":"unheard","source":"feed","at":"2026-01-01T12:00:00"}',
        '{"type":"watching","source":"feed","at":"2026-01-01T12:00:00","userId":0,"movieId":1}',
        '{"type":"polled","source":"feed","at":"0001-01-01T00:00:00+05:00"}',
        '{"type":"polled","source":"feed","at":"9999-12-31T23:59:59-05:00"}',
        '{"type":"started","source":"api","at":"0001-01-02T00:00:00","userId":1,"movieId":1}',
        '{"type":"started","source":"api","at":"2026-01-01T12:00:00","movieId":1}',
        '{"type":"rated","source":"api","at":"2026-01-01T12:00:00","userId":1,"movieId":1}',
        '{"type":"started","source":"api","at":"2026-01-01T12:00:00","userId":1,"movieId":1,"year":99999999999999999999}',
        '{"type":"undone","source":"api","at":"2026-01-01T12:00:00"}',
    ],
    ids=repr,
)
def test_an_unreadable_record_becomes_a_dead_letter_once(log: SqliteEventLog, body: object) -> None:
    log.append([sighting(1)])
    insert(log, body)
    log.append([sighting(2)])
    for _ in range(3):
        assert all_events(log) == [sighting(1), None, sighting(2)]
    [letter] = log.dead_letters()
    assert abs((utc_now() - letter.at).total_seconds()) < 60
    assert letter.reason.startswith("event 2 is unreadable: ")
    assert letter.body == body or letter.body == str(body)


def test_broken_text_becomes_a_dead_letter_too(log: SqliteEventLog) -> None:
    with closing(sqlite3.connect(log.path)) as connection:
        connection.execute("INSERT INTO events (body) VALUES (CAST(x'7bff7d' AS TEXT))")
        connection.commit()
    log.append([sighting(2)])
    assert all_events(log) == [None, sighting(2)]
    assert [letter.body for letter in log.dead_letters()] == ["{\ufffd}"]


@pytest.mark.parametrize("path", ["folder", "file/events.sqlite", "garbage"])
def test_a_path_that_cannot_be_a_log_is_an_error_that_names_the_setting(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "garbage").write_bytes(b"this is no database" * 100)
    with pytest.raises(EventLogError) as caught:
        SqliteEventLog(tmp_path / path)
    assert str(caught.value).startswith(f"cannot open the event log {tmp_path / path}: ")
    assert str(caught.value).endswith("; see RECOMMENDER_EVENT_LOG")


def test_a_log_that_is_gone_is_an_error_that_names_it(log: SqliteEventLog) -> None:
    log.path.unlink()
    log.path.mkdir()
    with pytest.raises(EventLogError, match=str(log.path)):
        log.append([polled()])


def test_who_opens_a_new_log_at_once_opens_the_same(tmp_path: Path) -> None:
    # SQLite refused every second one of these, before there was a lock.
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from stream.event_log.sqlite import SqliteEventLog\n"
        "print('ready', flush=True)\n"
        "start = float(input())\n"
        "for n in range(40):\n"
        "    time.sleep(max(0, start + n / 20 - time.monotonic()))\n"
        "    print(SqliteEventLog(Path(sys.argv[1], f'{n}.sqlite')).name)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    start = str(time.monotonic() + 0.1)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{start}\n")
        process.stdin.flush()
    first, second = (process.communicate(timeout=60)[0].split() for process in processes)
    assert first == second
    assert len(set(first)) == 40


def test_processes_that_append_at_once_lose_nothing(log: SqliteEventLog) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from stream.events import Event\n"
        "from stream.event_log.sqlite import SqliteEventLog\n"
        "log = SqliteEventLog(Path(sys.argv[1]))\n"
        "input()\n"
        "for n in range(30):\n"
        "    at = '2026-01-01T12:00:00'\n"
        "    own = Event(type='started', source='api', at=at, user_id=sys.argv[2], movie_id=n + 1)\n"
        "    shared = Event(type='started', source=sys.argv[2], at=at, event_id=f'shared {n}', user_id=9, movie_id=9)\n"
        "    log.append([own, shared, own])\n"
    )
    log.path.unlink()
    processes = [
        subprocess.Popen([sys.executable, "-c", script, log.path, str(user)], cwd=ROOT, stdin=PIPE, text=True)
        for user in (1, 2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    events = all_events(log)
    for user in (1, 2):
        own = [event.movie_id for event in events if event and event.user_id == user]
        assert own == sorted([*range(1, 31)] * 2)
    shared = [(event.event_id, event.source) for event in events if event and event.user_id == 9]
    assert sorted(event_id or "" for event_id, _ in shared) == sorted(f"shared {n}" for n in range(30))
    # Each append stands together: the shared event only after and before an own one of the same movie.
    for position, event in enumerate(events):
        if event and event.user_id == 9:
            around = events[position - 1], events[position + 1]
            assert [(e.user_id, e.movie_id) for e in around if e] == [(int(event.source), int(event.key[7:]) + 1)] * 2


def test_applied_events_go_when_the_file_is_too_large_the_oldest_first(log: SqliteEventLog) -> None:
    title = "x" * 4000
    events = [sighting(user).model_copy(update={"title": title}) for user in range(1, 20_001)]
    for start in range(0, len(events), 5000):
        log.append(events[start : start + 5000])
    assert log.trim({0: 0}, days=1, megabytes=16) == 0
    assert log.trim({0: 15_000}, days=1, megabytes=16) == 14_999
    [(offset, first)] = log.read(0, 0, 1)
    assert offset == 15_000
    assert first == events[14_999]


def test_a_log_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE events (offset INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE, body TEXT NOT NULL)"
        )
        connection.execute("INSERT INTO events (body) VALUES (?)", (sighting(1).model_dump_json(by_alias=True),))
        connection.commit()
    log = SqliteEventLog(path)
    log.append([sighting(2)])
    assert all_events(log) == [sighting(1), sighting(2)]
    assert log.trim({0: 3}, days=1, megabytes=2048) == 1  # of which nobody knows when it came


def test_a_disk_without_room_is_told(log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    assert log.check() == "sqlite events.sqlite"
    monkeypatch.setattr("stream.event_log.sqlite.LEAST_ROOM", 1 << 60)
    with pytest.raises(EventLogError, match=r"no room for the event log .*events\.sqlite: \d+ MB are free"):
        log.check()


@pytest.fixture
def timed(tmp_path: Path, clock: Clock) -> SqliteEventLog:
    return SqliteEventLog(tmp_path / "timed.sqlite", clock)


def take(log: SqliteEventLog, clock: Clock, at: float, calls: int) -> float:
    clock.now = at
    return log.take_call(calls, WINDOW)


def test_so_many_calls_are_granted_and_then_one_as_each_leaves_the_window(timed: SqliteEventLog, clock: Clock) -> None:
    other = SqliteEventLog(timed.path, clock)
    for at in (0.0, 10.0, 20.0):
        assert take((other if at == 10 else timed), clock, 1000 + at, 3) == 0
    assert take(timed, clock, 1021, 3) == 39
    assert take(other, clock, 1059.5, 3) == 0.5
    assert take(other, clock, 1060, 3) == 0
    assert take(timed, clock, 1060, 3) == 10


@settings(deadline=None, max_examples=30)
@given(
    steps=st.lists(st.tuples(st.floats(0, 40), st.booleans()), max_size=25),
    calls=st.integers(1, 4),
    start=st.sampled_from([0.0, 1e9, 2.0**31]),
)
def test_no_window_holds_more_calls_than_allowed(steps: list[tuple[float, bool]], calls: int, start: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        logs = [SqliteEventLog(Path(folder) / "log", clock) for _ in range(2)]
        now = start
        granted: list[float] = []
        for step, which in steps:
            now += step
            wait = take(logs[which], clock, now, calls)
            recent = [at for at in granted if at + WINDOW > now]
            assert (wait == 0) == (len(recent) < calls)
            if wait == 0:
                granted.append(now)
            else:
                assert wait == pytest.approx(recent[-calls] + WINDOW - now, abs=1e-6)


def test_0_means_granted_however_the_numbers_round(timed: SqliteEventLog, clock: Clock) -> None:
    now = 2.0**20
    assert take(timed, clock, now - WINDOW + 2.0**-33, 1) == 0
    answers = [take(timed, clock, now, 1) for _ in range(2)]
    assert answers.count(0) <= 1


def test_a_worker_that_read_the_clock_earlier_does_not_take_back_the_call_of_another(
    timed: SqliteEventLog, clock: Clock
) -> None:
    assert take(timed, clock, 1000.0, 1) == 0
    assert take(SqliteEventLog(timed.path, clock), clock, 999.9, 1) > 59


def test_a_clock_that_goes_back_blocks_for_a_window_at_most(timed: SqliteEventLog, clock: Clock) -> None:
    for at in (10_000.0, 10_001.0):
        assert take(timed, clock, at, 2) == 0
    assert take(timed, clock, 500.0, 2) == WINDOW
    assert take(timed, clock, 559.0, 2) == 1
    assert [take(timed, clock, 560.0, 2) for _ in range(3)] == [0, 0, WINDOW]
