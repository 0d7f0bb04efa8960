"""What is older than it is kept goes, in bounded transactions; the rest stays."""

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.settings import ROOT, Settings
from common.times import utc_now
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.retention import retain
from scripts.sandbox import environment_of
from stream.deadletters import drop_old_letters
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, Event, EventType
from stream.retention import retain_all, retain_hourly
from stream.viewings import FinishRules
from stream.writer import Writer

NOW = datetime(2026, 6, 1, 12)
DAY = timedelta(days=1)
KEPT = {"viewings_days": 10, "interactions_days": 20, "open_viewing_hours": 48, "hit_window": 7}


def make(database: Database, kind: str, event_id: str, age: float, user: int = 1, **properties: Any) -> None:
    at = NOW - age * DAY
    moments = {"startedAt": at, "lastSeenAt": at} if kind == "WATCHED" else {"at": at}
    database.run_text(
        "MERGE (u:User {userId: $user}) MERGE (m:Movie {movieId: 1}) CREATE (u)-[e:$($kind)]->(m) SET e = $properties",
        user=user,
        kind=kind,
        properties={"eventId": event_id, **moments, **properties},
    )


def left(database: Database) -> set[str]:
    return {row["id"] for row in database.run_text("MATCH ()-[e]->() RETURN e.eventId AS id")}


def fill(database: Database) -> None:
    for age in (1, 9, 11, 400):
        make(database, "WATCHED", f"viewing {age}", age, source="api", finishedAt=NOW - age * DAY)
        make(database, "RATED", f"rating {age}", age, rating=3.0)
    for age in (19, 21):
        for kind in ("LIKED", "LISTED", "CLICKED"):
            make(database, kind, f"{kind} {age}", age)
    for user, age in ((1, 1), (1, 8), (1, 9), (2, 30)):
        make(database, "RECOMMENDED", f"list {user} {age}", age, user)


KEPT_FOR_EVER = {f"rating {age}" for age in (1, 9, 11, 400)}
MARKS = {f"{kind} {age}" for kind in ("LIKED", "LISTED", "CLICKED") for age in (19, 21)}


def test_each_kind_is_kept_as_long_as_configured(database: Database) -> None:
    fill(database)
    done = retain(Ingest(database), Settings(**KEPT), NOW)
    assert done == {
        "close_open_viewings": 0,
        "remove_old_viewings": 2,
        "remove_old_marks": 3,
        "remove_old_batches": 2,
    }
    young = {mark for mark in MARKS if mark.endswith("19")}
    assert left(database) == {*KEPT_FOR_EVER, "viewing 1", "viewing 9", *young, "list 1 1", "list 2 30"}
    assert sum(retain(Ingest(database), Settings(**KEPT), NOW).values()) == 0


def test_by_default_viewings_and_marks_are_kept_for_ever(database: Database) -> None:
    fill(database)
    before = left(database)
    retain(Ingest(database), Settings(), NOW)
    assert left(database) == before - {"list 1 8", "list 1 9"}


def test_it_is_done_in_bounded_transactions_and_followers_are_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.repositories.retention.EDGES", 10)
    for number in range(25):
        make(database, "CLICKED", f"click {number}", 30, user=number + 1)
    before = Ingest(database).get_sequence()
    assert retain(Ingest(database), Settings(**KEPT), NOW)["remove_old_marks"] == 25
    assert Ingest(database).get_sequence() == before + 3


def test_a_viewing_that_nobody_ended_is_closed_when_it_was_seen_last(database: Database) -> None:
    make(database, "WATCHED", "old", 3, source="api", pollsSinceSeen=0)
    make(database, "WATCHED", "going on", 3, user=2, source="api", pollsSinceSeen=0)
    database.run_text("MATCH ()-[w:WATCHED {eventId: 'going on'}]->() SET w.lastSeenAt = $now", now=NOW)
    before = Ingest(database).get_sequence()
    assert retain(Ingest(database), Settings(), NOW)["close_open_viewings"] == 1
    rows = database.run_text(
        "MATCH ()-[w:WATCHED]->() RETURN w.eventId AS id, w.abandonedAt AS at, w.pollsSinceSeen AS p"
    )
    ended = {row["id"]: (row["at"].to_native() if row["at"] else None, row["p"]) for row in rows}
    assert ended == {"old": (NOW - 3 * DAY, None), "going on": (None, 0)}
    told = Ingest(database).read_viewings_since(before, before + 1)
    assert [(change.event_id, change.status) for change in told] == [("old", "abandoned")]


def test_a_worker_that_is_catching_up_retains_later(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.retention.BATCH", 3)
    ingest, log = Ingest(database), SqliteEventLog(tmp_path / "events.sqlite")
    at = utc_now() - 3 * DAY
    started = Event(type=EventType.STARTED, source=API, at=at, event_id="old", user_id=1, movie_id=1)
    log.append([started])
    Writer(log, ingest, FinishRules()).apply_pending()
    others = [Event(type=EventType.STARTED, source=API, at=at, user_id=user, movie_id=1) for user in (2, 3)]
    finished = started.model_copy(update={"type": EventType.FINISHED, "event_id": "end", "at": at + DAY / 24})
    log.append([*others, finished])

    def retain_and_look() -> tuple[float, Any]:
        seconds = retain_hourly(log, ingest, Settings())
        [row] = database.run_text(
            "MATCH ()-[w:WATCHED {eventId: 'old'}]->() RETURN w.abandonedAt AS at, w.finishId AS by"
        )
        return seconds, (row["at"], row["by"])

    assert retain_and_look() == (60, (None, None))
    Writer(log, ingest, FinishRules()).apply_pending()
    assert retain_and_look() == (3600, (None, "end"))


def test_dead_letters_go_by_age_and_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = SqliteEventLog(tmp_path / "events.sqlite")
    for name, age in (("old", 31), ("large", 3), ("larger", 2), ("new", 1)):
        monkeypatch.setattr("stream.event_log.sqlite.utc_now", lambda age=age: NOW - age * DAY)
        log.bury(name + " " * (90_000 if name.startswith("large") else 0), "unreadable")
    assert drop_old_letters(log, NOW, Settings()) == 1
    monkeypatch.setattr("stream.deadletters.MEGABYTE", 150_000)
    assert drop_old_letters(log, NOW, Settings(dead_letter_megabytes=1)) == 1
    assert [letter.body.split(" ")[0] for letter in log.dead_letters()] == ["larger", "new"]


def test_the_command_does_it_at_once(database: Database, settings: Settings) -> None:
    database.run_text(
        "CREATE (:User {userId: 1})-[:CLICKED {eventId: 'a', at: $at}]->(:Movie {movieId: 1})", at=utc_now() - 3 * DAY
    )
    kept = settings.model_copy(update={"interactions_days": 2.0})
    environment = environment_of(settings) | {"RECOMMENDER_INTERACTIONS_DAYS": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "stream", "retain"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "remove old marks: 1" in done.stdout
    assert left(database) == set()
    assert sum(retain_all(SqliteEventLog(settings.event_log_path), Ingest(database), kept).values()) == 0
