"""The feed over a long time: ten thousand broken answers, a day of three workers."""

import heapq
import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
from conftest import Clock
from fake_feed import FakeFeed, response

from common.settings import Settings
from graph.database import Database
from graph.repositories.ingest import Ingest
from stream.decoding import COLUMNS
from stream.event_log.sqlite import SqliteEventLog
from stream.events import Event, EventType
from stream.feed import FeedClient
from stream.poller import Poller
from stream.viewings import FinishRules
from stream.writer import Writer

BODIES = 10_000
DAY = 86_400
ODD_VALUES = [
    None, True, -1, 0, 2**31, 10**400, 1e308, 7.5, "", "x", "7", "\ud800", "\x00", [], {}, [[]], "1e5", "2026-02-30",
    float("nan"), float("inf"), "Amélie".encode().decode("latin-1"), "a" * 5000,
]  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def spoil_value(rng: random.Random, split: dict[str, Any]) -> None:
    row = rng.choice(split["data"])
    row[rng.randrange(len(row))] = rng.choice(ODD_VALUES)


def spoil_index(rng: random.Random, split: dict[str, Any]) -> None:
    split["index"][rng.randrange(len(split["index"]))] = rng.choice(ODD_VALUES)


def spoil_row(rng: random.Random, split: dict[str, Any]) -> None:
    row = rng.choice(split["data"])
    row.append(1) if rng.random() < 0.5 else row.pop()


def spoil_columns(rng: random.Random, split: dict[str, Any]) -> None:
    columns = split["columns"]
    columns[rng.randrange(len(columns))] = rng.choice([*COLUMNS, *ODD_VALUES])


def spoil_order(rng: random.Random, split: dict[str, Any]) -> None:
    places = rng.sample(range(4), 4)
    for row in [split["columns"], *split["data"]]:
        row[:] = [row[place] for place in places]


def spoil_part(rng: random.Random, split: dict[str, Any]) -> None:
    part = rng.choice(list(split))
    split[part] = rng.choice([*ODD_VALUES, split[part][:-1]])


OF_FRAMES: list[Callable[[random.Random, dict[str, Any]], None]] = [
    spoil_value, spoil_value, spoil_index, spoil_row, spoil_columns, spoil_order, spoil_part,
]  # fmt: skip


def spoil_bytes(rng: random.Random, body: bytes) -> bytes:
    """Some bytes changed, removed or put in, or the end cut off."""
    broken = bytearray(body)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(broken))
        kind = rng.randrange(4)
        if kind == 0:
            broken[place] = rng.randrange(256)
        elif kind == 1:
            del broken[place]
        elif kind == 2:
            broken.insert(place, rng.choice(b'"\\[]{},:0e-\xff'))
        else:
            del broken[max(1, place) :]
    return bytes(broken)


def draw_body(rng: random.Random, number: int) -> bytes:
    """A frame of four viewings that occurs once, one way or another spoiled."""
    ids = [number * 4 + place + 1 for place in range(4)]
    data = [[1999, f"Movie {one}", "2026-03-01T12:00:00", one] for one in ids]
    split: dict[str, Any] = {"columns": list(COLUMNS), "index": [one % 500 + 1 for one in ids], "data": data}
    for _ in range(rng.choice([0, 1, 1, 2])):
        try:
            rng.choice(OF_FRAMES)(rng, split)
        except (TypeError, AttributeError, LookupError, ValueError):  # what was to be spoiled is no list any more
            continue
    body = json.dumps(json.dumps(split)).encode()
    return spoil_bytes(rng, body) if rng.random() < 0.4 else body


def count_rows(body: bytes) -> int | None:
    """Rows of a frame that has our columns once each; None if it is no such frame."""
    try:
        split = json.loads(body)
        split = json.loads(split) if isinstance(split, str) else split
        parts = [split["columns"], split["index"], split["data"]]
    except (ValueError, TypeError, KeyError):
        return None
    if not all(isinstance(part, list) for part in parts) or len(parts[1]) != len(parts[2]):
        return None
    return len(parts[2]) if all(parts[0].count(name) == 1 for name in COLUMNS) else None


def test_of_10000_spoiled_answers_each_row_is_stored_or_a_dead_letter(
    feed: FakeFeed, database: Database, settings: Settings, clock: Clock
) -> None:
    rng = random.Random(1)
    log = SqliteEventLog(settings.event_log_path, clock)
    poller = Poller(
        FeedClient(feed.url, requests.Session(), timedelta(minutes=5)), log, 5, uniform=lambda low, high: 0.0
    )
    expected = {"rows": 0, "polls": 0}
    unreadable: set[bytes] = set()  # a dead letter that comes again, as an answer cut off early, is kept once
    for number in range(BODIES):
        body = draw_body(rng, number)
        feed.answer = response(body)
        clock.now += 60
        end = log.end(0)
        assert poller.poll_once() >= 0
        if (rows := count_rows(body)) is None:
            unreadable.add(body)
        else:
            expected["polls"] += rows == 0 or log.end(0) > end  # no marker where no row is readable
            expected["rows"] += rows
    assert len(feed.requests) == BODIES
    assert min(*expected.values(), len(unreadable)) > BODIES / 10
    events = [event for _, event in log.read(0, 0, 10**6)]
    letters = log.dead_letters()
    answers = [letter for letter in letters if letter.reason.startswith("the feed's answer")]
    polls = [event for event in events if event is not None and event.type is EventType.POLLED]
    assert len(polls) == expected["polls"]
    assert len(answers) == len(unreadable)
    assert len(events) - len(polls) + len(letters) - len(answers) == expected["rows"]
    writer = Writer(log, Ingest(database), FinishRules())
    while writer.apply_pending():
        pass
    assert len(log.dead_letters()) == len(letters)
    [found] = database.run_text("MATCH ()-[w:WATCHED]->() RETURN count(w) AS viewings")
    sightings = [event for event in events if isinstance(event, Event) and event.type is EventType.WATCHING]
    assert found["viewings"] == len({(event.user_id, event.movie_id) for event in sightings})
    print(f"{expected}: {len(sightings)} rows stored, {len(letters) - len(answers)} are dead letters")


def test_three_workers_never_make_more_than_5_calls_in_a_minute_of_a_day(
    feed: FakeFeed, settings: Settings, clock: Clock
) -> None:
    rng = random.Random(1)
    good = feed.answer
    client = FeedClient(feed.url, requests.Session(), timedelta(minutes=5))
    pollers = [Poller(client, SqliteEventLog(settings.event_log_path, clock), 5) for _ in range(3)]
    due = [(clock.now + rng.uniform(0, 1), worker) for worker in range(3)]
    end = clock.now + DAY
    moments: list[float] = []
    while due[0][0] < end:
        clock.now, worker = heapq.heappop(due)
        before = len(feed.requests)
        # Now and then the feed refuses.
        feed.answer = response(status="429 Too Many Requests") if rng.random() < 0.02 else good
        wait = pollers[worker].poll_once()
        moments += [clock.now] * (len(feed.requests) - before)
        # Restarted now and then, as if it had never waited.
        heapq.heappush(due, (clock.now + max(0.001, wait * (rng.random() < 0.95)), worker))
    assert len(moments) > DAY / 60 * 4
    most = max(
        sum(start <= at < start + 60 for at in moments[place : place + 10]) for place, start in enumerate(moments)
    )
    print(f"{len(moments)} calls in a day, at most {most} in any 60 s")
    assert most <= 5
