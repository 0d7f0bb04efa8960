"""Calling the feed over real HTTP, whatever its server does, and polling it within its limit."""

import gzip
import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from datetime import UTC, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from conftest import Clock
from fake_feed import FakeFeed, response

from common.settings import Settings
from common.times import utc_now
from stream.decoding import FeedError
from stream.event_log.sqlite import SqliteEventLog
from stream.events import EventType
from stream.feed import LARGEST_ANSWER, FeedClient, parse_retry_after
from stream.poller import BUDGET_SECONDS, Poller
from stream.worker import Leadership

FUTURE = Settings().future


def split_frame(*rows: tuple[Any, Any], at: str = "2026-03-01T12:00:00") -> bytes:
    """The feed's body for (user, movie) rows."""
    columns = ["YearRelease", "Name", "current_time", "customerID"]
    data = [[1999, f"Movie {movie}", at, user] for user, movie in rows]
    return json.dumps(json.dumps({"columns": columns, "index": [movie for _, movie in rows], "data": data})).encode()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def client(feed: FakeFeed, session: requests.Session) -> FeedClient:
    return FeedClient(feed.url, session, FUTURE)


@pytest.fixture
def dead_client(session: requests.Session) -> FeedClient:
    """A client of a feed that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return FeedClient(f"http://127.0.0.1:{port}/", session, FUTURE)


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> SqliteEventLog:
    return SqliteEventLog(tmp_path / "events.sqlite", clock)


def chunked(body: bytes) -> bytes:
    chunks = [body[start : start + 20] for start in range(0, len(body), 20)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def test_an_answer_becomes_sightings(feed: FakeFeed, client: FeedClient) -> None:
    feed.answer = response(split_frame((5, 7), (6, 8)), Content_Type="text/html")
    answer = client.fetch()
    assert [(event.user_id, event.movie_id) for event in answer.sightings] == [(5, 7), (6, 8)]
    assert feed.requests == [b"GET /users-currently-watching-movie HTTP/1.1\r\n"]


@pytest.mark.parametrize(
    "answer",
    [
        response(gzip.compress(split_frame((5, 7))), Content_Encoding="gzip"),
        chunked(split_frame((5, 7))),
        b"HTTP/1.1 200 OK\r\n\r\n" + split_frame((5, 7)),
    ],
    ids=["gzip", "chunks", "no length"],
)
def test_however_an_answer_is_sent_it_is_read(feed: FakeFeed, client: FeedClient, answer: bytes) -> None:
    feed.answer = answer
    assert len(client.fetch().sightings) == 1


@pytest.mark.parametrize(
    "status", ["500 Broken", "503 Away", "404 Not Found", "204 No Content", "429 Too Many Requests"]
)
def test_another_status_is_an_error_that_names_it(feed: FakeFeed, client: FeedClient, status: str) -> None:
    feed.answer = response(split_frame((5, 7)) if status[:3] != "204" else b"", status)
    with pytest.raises(FeedError, match=f"the feed answered {status}") as caught:
        client.fetch()
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        ("0.5", 0.5),
        ("0", 0),
        ("-5", 0),
        ("nan", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("soon", None),
        ("", None),
    ],
)
def test_what_the_feed_asks_to_wait_is_told(
    feed: FakeFeed, client: FeedClient, header: str, seconds: float | None
) -> None:
    feed.answer = response(status="429 Too Many Requests", Retry_After=header)
    with pytest.raises(FeedError) as caught:
        client.fetch()
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        response(b"abc", Content_Length="1000"),
        response(b"abc", Content_Encoding="gzip"),
        response(gzip.compress(split_frame())[:-12], Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: 1\r\n" % number for number in range(500)) + b"\r\n",
        *(
            response(status="302 Found", Location=location)
            for location in ("http://[", "http://" + "a" * 70 + ".com/", "file:///etc/passwd", "\xff\xfe", "/again")
        ),
    ],
    ids=lambda answer: repr(answer[:60]),
)
def test_broken_http_is_a_feed_error_and_nothing_else(feed: FakeFeed, client: FeedClient, answer: bytes) -> None:
    feed.answer = answer
    with pytest.raises(FeedError):
        client.fetch()
    feed.answer = response(split_frame((5, 7)))
    assert len(client.fetch().sightings) == 1


def test_a_refused_connection_is_a_feed_error(dead_client: FeedClient) -> None:
    with pytest.raises(FeedError, match="the feed did not answer: ConnectionError"):
        dead_client.fetch()


@pytest.mark.parametrize("body", [b"", b"<html>sorry</html>", b"{}", b"\x00\xff"])
def test_a_garbage_body_is_a_feed_error(feed: FakeFeed, client: FeedClient, body: bytes) -> None:
    feed.answer = response(body)
    with pytest.raises(FeedError, match="no split-orient frame"):
        client.fetch()


@pytest.mark.parametrize(
    "answer",
    [
        response(b" " * (LARGEST_ANSWER + 1)),
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (LARGEST_ANSWER + 1),
        response(gzip.compress(b" " * (LARGEST_ANSWER * 40)), Content_Encoding="gzip"),
    ],
    ids=["length", "no length", "bomb"],
)
def test_a_too_large_answer_is_a_feed_error(feed: FakeFeed, client: FeedClient, answer: bytes) -> None:
    feed.answer = answer
    with pytest.raises(FeedError, match=f"larger than {LARGEST_ANSWER} bytes"):
        client.fetch()


def test_the_largest_answer_is_read(feed: FakeFeed, client: FeedClient) -> None:
    body = split_frame((5, 7))
    feed.answer = response(body + b" " * (LARGEST_ANSWER - len(body)))
    assert len(client.fetch().sightings) == 1


class SlowFeed(FakeFeed):
    """Sends its answer byte by byte, for longer than any call may take."""

    def __init__(self, at_once: bytes) -> None:
        super().__init__()
        self.RequestHandlerClass = SlowFeedHandler
        self.at_once = at_once


class SlowFeedHandler(socketserver.StreamRequestHandler):
    server: SlowFeed

    def handle(self) -> None:
        try:
            self.wfile.write(self.server.at_once)
            while True:
                self.wfile.write(b"a")
                time.sleep(0.05)
        except OSError:
            return


@pytest.mark.parametrize(
    "at_once",
    [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\n\r\n", response(b"", Content_Length="1000")],
    ids=["status", "header", "body", "body with a length"],
)
def test_a_slow_drip_ends_in_time_however_little_comes_at_once(session: requests.Session, at_once: bytes) -> None:
    with SlowFeed(at_once) as feed:
        threading.Thread(target=feed.serve_forever, args=(0.01,), daemon=True).start()
        begin = time.monotonic()
        with pytest.raises(FeedError, match=r"the feed's answer took longer than 0\.5 s"):
            FeedClient(feed.url, session, FUTURE, seconds=0.5).fetch()
        assert time.monotonic() - begin < 5
        feed.shutdown()


def test_a_slow_drip_by_way_of_a_proxy_ends_in_time(session: requests.Session) -> None:
    with SlowFeed(b"HTTP/1.1 200 OK\r\nX-Long: ") as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        session.proxies = {"http": proxy.url}
        begin = time.monotonic()
        with pytest.raises(FeedError, match=r"the feed's answer took longer than 0\.5 s"):
            FeedClient("http://feed.invalid/", session, FUTURE, seconds=0.5).fetch()
        assert time.monotonic() - begin < 5
        proxy.shutdown()


def test_a_call_after_a_slow_one_is_not_cut(feed: FakeFeed, session: requests.Session) -> None:
    client = FeedClient(feed.url, session, FUTURE, seconds=0.3)
    feed.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with pytest.raises(FeedError):
        client.fetch()
    feed.answer = response(split_frame((5, 7)))
    time.sleep(0.6)
    assert len(client.fetch().sightings) == 1


def test_a_moment_to_wait_for_becomes_seconds() -> None:
    moment = utc_now().replace(microsecond=0) + timedelta(seconds=90)
    assert 85 < (parse_retry_after(format_datetime(moment.replace(tzinfo=UTC), usegmt=True)) or 0) <= 90


def test_a_poll_appends_its_sightings_and_a_marker(
    feed: FakeFeed, client: FeedClient, log: SqliteEventLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "stream")
    feed.answer = response(split_frame((5, 7), (6, 8)))
    ends: list[int] = []
    assert Poller(client, log, 5, tell=lambda: ends.append(log.end(0))).poll_once() == 12
    events = [event for _, event in log.read(0, 0, 100) if event]
    assert [(event.type, event.user_id, event.movie_id) for event in events] == [
        (EventType.WATCHING, 5, 7),
        (EventType.WATCHING, 6, 8),
        (EventType.POLLED, None, None),
    ]
    assert ends == [4]
    assert {event.source for event in events} == {"feed"}
    assert abs((utc_now() - events[-1].at).total_seconds()) < 60
    assert caplog.messages == ["the feed shows 2 viewings"]


def test_a_poll_that_shows_nobody_is_marked_too(client: FeedClient, log: SqliteEventLog) -> None:
    Poller(client, log, 5).poll_once()
    assert [event.type for _, event in log.read(0, 0, 100) if event] == [EventType.POLLED]


def test_a_failed_poll_leaves_no_marker(feed: FakeFeed, client: FeedClient, log: SqliteEventLog, clock: Clock) -> None:
    poller = Poller(client, log, 5)
    for answer in (response(status="500 Broken"), response(b"garbage"), b""):
        feed.answer = answer
        clock.now += poller.poll_once()
    assert len(feed.requests) == 3
    assert log.read(0, 0, 100) == []


def test_unreadable_rows_become_dead_letters(
    feed: FakeFeed, client: FeedClient, log: SqliteEventLog, caplog: pytest.LogCaptureFixture
) -> None:
    feed.answer = response(split_frame((5, 7), ("nobody", 8), (6, -1)))
    Poller(client, log, 5).poll_once()
    assert [event.user_id for _, event in log.read(0, 0, 100) if event] == [5, None]
    assert [("nobody" in letter.body, "-1" in letter.body) for letter in log.dead_letters()] == [
        (True, False),
        (False, True),
    ]
    assert [letter.reason for letter in log.dead_letters()] == [
        "could not convert string to float: 'nobody'",
        "movie id -1 is no id",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_a_poll_of_which_no_row_is_readable_ends_no_viewing(
    feed: FakeFeed, client: FeedClient, log: SqliteEventLog
) -> None:
    """Somebody is watching, and nobody knows who."""
    feed.answer = response(split_frame(("nobody", 8), (6, -1)))
    told: list[str] = []
    Poller(client, log, 5, tell=lambda: told.append("news")).poll_once()
    assert (log.read(0, 0, 100), told) == ([], [])
    assert len(log.dead_letters()) == 2


def test_sightings_of_the_future_are_logged_as_of_now_and_told_once_a_poll(
    feed: FakeFeed, client: FeedClient, log: SqliteEventLog, caplog: pytest.LogCaptureFixture
) -> None:
    """Or they would be the present for as long as the feed is ahead."""
    begin = utc_now()
    feed.answer = response(split_frame((5, 7), (6, 8), at=f"{begin + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}"))
    Poller(client, log, 5).poll_once()
    *sightings, marker = [event for _, event in log.read(0, 0, 100) if event]
    assert [(event.user_id, event.movie_id) for event in sightings] == [(5, 7), (6, 8)]
    assert {begin <= event.at <= marker.at for event in sightings} == {True}
    [record] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert record.message.startswith("2 of the feed's moments are further ahead")


def test_sightings_a_little_ahead_are_logged_as_they_came(
    feed: FakeFeed, client: FeedClient, log: SqliteEventLog, caplog: pytest.LogCaptureFixture
) -> None:
    at = (utc_now() + timedelta(minutes=4)).replace(microsecond=0)
    feed.answer = response(split_frame((5, 7), at=at.isoformat()))
    Poller(client, log, 5).poll_once()
    assert next(event.at for _, event in log.read(0, 0, 100) if event) == at
    assert caplog.records == []


def test_who_leads_is_told_once_when_it_changes(
    client: FeedClient, log: SqliteEventLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "stream")
    other = SqliteEventLog(log.path)
    assert other.lead()
    leadership = Leadership(log, client.url)
    leadership.step()
    leadership.step()
    other.close()
    for _ in range(3):
        leadership.step()
    log.close()
    assert other.lead()
    for _ in range(3):
        leadership.step()
    assert [message for message in caplog.messages if "lead" in message] == [
        "this worker stands by: it applies events, and leads when no other worker does",
        f"this worker leads: it polls {client.url}",
        "this worker leads no more",
    ]


def test_a_failure_costs_the_drawn_wait_and_is_told(
    dead_client: FeedClient, log: SqliteEventLog, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    poller = Poller(dead_client, log, 5, uniform=lambda _, bound: bound)
    for wait in (5, 10, 20, 40, 60, 360, 360):
        assert poller.poll_once() == wait
        clock.now += wait
    assert caplog.messages[0] == "the feed did not answer: ConnectionError; next call in 5 s"
    assert caplog.messages[-1].endswith("it counts as down, next try in 360 s")


def test_a_success_ends_the_waiting(feed: FakeFeed, client: FeedClient, log: SqliteEventLog, clock: Clock) -> None:
    poller = Poller(client, log, 5, uniform=lambda _, bound: bound)
    waits = []
    for status in ("500 Broken", "500 Broken", "200 OK", "500 Broken"):
        feed.answer = response(split_frame(), status)
        waits.append(poller.poll_once())
        clock.now += waits[-1]
    assert waits == [5, 10, 12, 5]


def test_the_feed_may_ask_for_a_longer_wait(feed: FakeFeed, client: FeedClient, log: SqliteEventLog) -> None:
    feed.answer = response(status="429 Too Many Requests", Retry_After="40")
    assert Poller(client, log, 5).poll_once() == 40


@pytest.mark.parametrize("calls", [1, 5, 20])
def test_no_minute_holds_more_calls_than_allowed(
    feed: FakeFeed, client: FeedClient, log: SqliteEventLog, calls: int, clock: Clock
) -> None:
    """Two workers that share the log and poll as often as they can."""
    pollers = [Poller(client, each, calls) for each in (log, SqliteEventLog(log.path, clock))]
    moments = []
    for step in range(100):
        before = len(feed.requests)
        wait = pollers[step % 2].poll_once()
        moments += [clock.now] * (len(feed.requests) - before)
        assert wait > 0
        if len(feed.requests) == before:
            assert wait <= BUDGET_SECONDS
        clock.now += 2
    assert len(moments) >= calls * 3
    assert all(sum(start <= at < start + 60 for at in moments) <= calls for start in moments)


def test_a_poll_without_budget_calls_nobody_and_tells_how_long_to_wait(
    feed: FakeFeed, client: FeedClient, log: SqliteEventLog, clock: Clock
) -> None:
    poller = Poller(client, log, 2)
    assert [poller.poll_once() for _ in range(2)] == [30, 30]
    clock.now += 45
    assert poller.poll_once() == pytest.approx(BUDGET_SECONDS - 45)
    assert len(feed.requests) == 2
    clock.now += BUDGET_SECONDS - 45
    assert poller.poll_once() == 30
    assert len(feed.requests) == 3
