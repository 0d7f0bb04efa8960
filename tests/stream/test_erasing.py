"""Erased users: removed with all they left, and nothing of them comes back, whatever is applied again."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import OpenLog, make_list

from common.settings import Settings
from common.times import utc_now
from graph.__main__ import main
from graph.database import Database
from graph.repositories.erasures import Erasures
from graph.repositories.ingest import Ingest
from graph.tombstones import Tombstone, keep_tombstones, merge_tombstones, read_tombstones
from scripts.sandbox import environment_of
from stream.erasing import GRACE, erase_user, finish_erasures, forget_erased
from stream.event_log.base import EventLog
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, FEED, Event, EventType
from stream.viewings import FinishRules
from stream.writer import Writer, apply_events

NOON = datetime(2026, 1, 1, 12)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def erasures(database: Database, tmp_path: Path) -> Erasures:
    return Erasures(database, tmp_path / "erased.json")


def told(kind: str, user: int = 1, movie: int = 7, at: datetime = NOON, **more: Any) -> Event:
    event_id = f"{kind}-{user}-{movie}-{at:%H%M%S%f}"
    return Event(type=EventType(kind), source=API, at=at, event_id=event_id, user_id=user, movie_id=movie, **more)


def erased(user: int = 1, at: datetime = NOON + MINUTE) -> Event:
    return Event(type=EventType.ERASED, source=API, at=at, user_id=user)


def everything(user: int) -> list[Event]:
    return [
        told("rated", user, 7, rating=4),
        told("rated", user, 8, rating=1),
        told("finished", user, 7),
        told("liked", user, 8, value=1),
        told("listed", user, 9),
        told("clicked", user, 9),
        Event(type=EventType.WATCHING, source=FEED, at=NOON, user_id=user, movie_id=10, title="Movie 10"),
    ]


def apply(database: Database, *events: Event) -> None:
    Ingest(database).transact(lambda batch: apply_events(batch, list(events), FinishRules()))


def edges(database: Database) -> set[tuple[int, str, int]]:
    rows = database.run_text("MATCH (u:User)-[e]->(m:Movie) RETURN u.userId, type(e), m.movieId")
    return {tuple(row.values()) for row in rows}


def users(database: Database) -> list[int]:
    return [row["id"] for row in database.run_text("MATCH (u:User) RETURN u.userId AS id ORDER BY id")]


def write_all(log: EventLog, database: Database) -> None:
    ingest = Ingest(database)
    writer = Writer(log, ingest, FinishRules())
    while any(ingest.read_offset(log.name, part).offset < log.end(part) for part in range(log.partitions)):
        writer.apply_pending()


def test_all_of_a_user_goes_and_the_others_and_the_statistics_stay(database: Database, any_log: EventLog) -> None:
    erasures = Erasures(database, Path("/nowhere"))
    apply(database, *everything(1), *everything(2))
    offered = make_list(1, NOON, 11)
    apply(database, told("clicked", 3, 11))
    Ingest(database).store_lists([("batch", offered)])
    for undone in ("feed:1:10:x", "feed:2:10:x"):
        apply(database, Event(type=EventType.UNDONE, source=API, at=NOON, event_id=f"undo {undone}", undoes=undone))
    others = {edge for edge in edges(database) if edge[0] != 1}
    before = Ingest(database).get_sequence()
    apply(database, erased(1))
    removal = erasures.remove(1)
    assert removal.complete
    assert removal.edges == {"RATED": 2, "WATCHED": 2, "LIKED": 1, "LISTED": 1, "CLICKED": 1, "RECOMMENDED": 1}
    assert (edges(database), users(database)) == (others, [2, 3])
    rows = database.run_text("MATCH (m:Movie) WHERE m.ratingCount > 0 RETURN m.movieId, m.ratingCount, m.ratingMean")
    assert {tuple(row.values()) for row in rows} == {(7, 1, 4.0), (8, 1, 1.0)}
    assert [row["id"] for row in database.run_text("MATCH (u:Undone) RETURN u.eventId AS id")] == ["feed:2:10:x"]
    assert Ingest(database).get_sequence() > before
    # A list that was being made meanwhile finds nobody to offer it to.
    apply(database, *everything(1))
    Ingest(database).store_lists([("late", offered)])
    assert users(database) == [2, 3]


def test_many_edges_go_in_bounded_transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph.repositories.erasures.EDGES", 10)
    apply(database, *(told("rated", 1, movie, rating=3) for movie in range(1, 36)))
    before = Ingest(database).get_sequence()
    apply(database, erased(1))
    interrupted = Erasures(database, Path("/nowhere")).remove(1, seconds=-1)
    assert (interrupted.complete, interrupted.edges) == (False, {"RATED": 10})
    assert Erasures(database, Path("/nowhere")).find_unfinished(utc_now()) == [1]
    assert Erasures(database, Path("/nowhere")).remove(1).edges == {"RATED": 25}
    assert Ingest(database).get_sequence() == before + 1 + 4 + 1
    assert users(database) == []


def test_the_log_played_again_brings_nothing_back(
    database: Database, erasures: Erasures, open_any_log: OpenLog
) -> None:
    log = open_any_log()
    log.append([*everything(1), *everything(2)])
    write_all(log, database)
    others = {edge for edge in edges(database) if edge[0] == 2}
    log.append([told("clicked", 1, 12)])  # waits on the log when the user goes
    [event] = log.append([erased(1)])
    apply(database, event)
    erase_user(log, erasures, 1)
    log.append([told("clicked", 1, 13, NOON + 9 * MINUTE)])
    write_all(log, database)
    assert edges(database) == others
    database.run_text("MATCH (position:IngestOffset) SET position.offset = 0")
    write_all(log, database)
    assert (edges(database), users(database)) == (others, [2])


def test_an_erasure_that_came_by_the_log_alone_is_finished_by_the_worker(
    database: Database, erasures: Erasures, any_log: EventLog, tmp_path: Path
) -> None:
    any_log.append(everything(1))
    write_all(any_log, database)
    any_log.append([erased(1)])
    write_all(any_log, database)
    assert users(database) == [1]
    finish_erasures(any_log, erasures)
    assert users(database) == []
    assert [one.user_id for one in read_tombstones(tmp_path / "erased.json")] == [1]
    assert erasures.find_unfinished(utc_now()) == []


def test_the_worker_leaves_a_fresh_erasure_to_whom_it_was_told(
    database: Database, erasures: Erasures, any_log: EventLog
) -> None:
    apply(database, *everything(1))
    apply(database, erased(1, utc_now()))
    finish_erasures(any_log, erasures)
    assert users(database) == [1]
    database.run_text("MATCH (e:Erased) SET e.at = e.at - duration({seconds: $grace})", grace=GRACE.seconds)
    finish_erasures(any_log, erasures)
    assert users(database) == []


def test_lifted_the_user_comes_back_with_what_happens_then(database: Database, erasures: Erasures) -> None:
    assert not erasures.lift(1)
    apply(database, *everything(1))
    apply(database, erased(1))
    assert not erasures.lift(1)  # not yet
    erasures.remove(1)
    assert erasures.lift(1)
    assert not erasures.lift(1)
    later = utc_now() + MINUTE
    apply(database, *everything(1), erased(1), told("clicked", 1, 20, later))
    assert edges(database) == {(1, "CLICKED", 20)}
    assert erasures.find_unfinished(utc_now()) == []
    apply(database, erased(1, later + MINUTE))
    assert erasures.find_unfinished(later + MINUTE) == [1]
    erasures.remove(1)
    assert edges(database) == set()


def test_dead_letters_of_the_user_go(database: Database, erasures: Erasures, any_log: EventLog) -> None:
    columns = ["YearRelease", "Name", "current_time", "customerID"]

    def frame(user: object) -> str:
        return json.dumps({"columns": columns, "index": [3], "data": [[2000, "M", "no time", user]]})

    others = [frame(2), told("clicked", 2).model_dump_json(by_alias=True), "<html>21</html>", "[12]", frame("x")]
    of_user = [frame(1), json.dumps(frame("1.0")), told("clicked", 1).model_dump_json(by_alias=True)]
    of_user += ['{"type": "recommendations", "data": {"userId": 1}}', json.dumps(frame(1))[:-4], "<html>1</html>"]
    others += [frame("9" * 400)]
    for body in [*others, *of_user]:
        any_log.bury(body, "unreadable")
    apply(database, erased(1))
    erase_user(any_log, erasures, 1)
    assert {letter.body for letter in any_log.dead_letters()} == set(others)


def test_what_still_comes_of_erased_users_goes_from_the_log_until_they_come_back(
    database: Database, erasures: Erasures, tmp_path: Path
) -> None:
    log = SqliteEventLog(tmp_path / "events.sqlite")
    for user in (1, 2, 3):
        apply(database, erased(user))
        erasures.remove(user)
    assert erasures.lift(3)
    users_told = (1, 2, 3, 4)
    log.append([told("clicked", user) for user in users_told])
    ahead = told("clicked", 1, 8, utc_now() + 3 * MINUTE)  # it may be of after the user comes back
    log.append([ahead])
    for user in users_told:
        log.bury(told("listed", user).model_dump_json(by_alias=True), "unreadable")
    forget_erased(log, erasures)
    left = [event for _, event in log.read(0, 0, 100)]
    assert left == [None, None, told("clicked", 3), told("clicked", 4), ahead]
    assert [json.loads(letter.body)["userId"] for letter in log.dead_letters()] == [3, 4]


def test_an_erasure_read_again_from_the_log_notes_nobody(database: Database, erasures: Erasures) -> None:
    apply(database, *everything(1), erased(1))
    erasures.remove(1)
    apply(database, erased(1), *everything(1))
    notes = [row["ids"] for row in database.run_text("MATCH (c:Change) RETURN c.userIds AS ids")]
    assert notes
    assert not any(1 in (note or []) for note in notes)


def test_followers_hear_that_all_has_changed_when_a_user_is_removed(database: Database, erasures: Erasures) -> None:
    ingest = Ingest(database)
    apply(database, *everything(1), *everything(2))
    before = ingest.get_sequence()
    apply(database, erased(1))
    erasures.remove(1)
    assert ingest.read_changes(before).user_ids is None
    [row] = database.run_text("MATCH (c:Change {sequence: $number}) RETURN c.userIds AS ids", number=before)
    assert row["ids"] == [2]


def test_the_copy_keeps_the_latest_of_each_user(tmp_path: Path) -> None:
    file = tmp_path / "data" / "erased.json"
    assert read_tombstones(file) == []
    old, lifted = Tombstone(1, NOON), Tombstone(1, NOON, NOON + MINUTE)
    keep_tombstones(file, [old, Tombstone(2, NOON)])
    keep_tombstones(file, [lifted])
    keep_tombstones(file, [old])
    assert read_tombstones(file) == [lifted, Tombstone(2, NOON)]
    again = Tombstone(1, NOON + 2 * MINUTE)
    assert merge_tombstones([again, lifted]) == [again]


def test_the_commands_list_and_lift(database: Database, settings: Settings) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(main, ["erasures", *arguments], env=environment_of(settings))
        return done.exit_code, done.stdout, done.stderr

    apply(database, erased(4))
    Erasures(database, settings.erased_file).remove(4)
    code, output, _ = run("list")
    assert (code, output.split()) == (0, ["4", "erased", "2026-01-01", "12:01:00"])
    assert run("lift", "4")[0] == 0
    assert "lifted" in run("list")[1]
    code, _, errors = run("lift", "5")
    assert (code, errors) == (
        1,
        "Error: user 5 is not erased, or not all is removed yet; see `python -m graph erasures list`\n",
    )
