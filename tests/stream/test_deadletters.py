"""What could not be read can be looked at, tried again and dropped, by the command as people use it."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from common.settings import Settings
from scripts.sandbox import environment_of
from stream.__main__ import main
from stream.deadletters import LetterError, replay_letters, select_letters
from stream.decoding import decode_answer
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, Event, EventType

NOON = datetime(2026, 3, 1, 12)
FUTURE = Settings().future
GOOD = [2001, "Amélie", NOON.isoformat(), 7]
BAD = [2001, "Amélie", NOON.isoformat(), "nobody"]


@pytest.fixture
def log(tmp_path: Path) -> SqliteEventLog:
    return SqliteEventLog(tmp_path / "events.sqlite")


def frame(*rows: list[object]) -> str:
    columns = ["YearRelease", "Name", "current_time", "customerID"]
    return json.dumps({"columns": columns, "index": [30] * len(rows), "data": rows})


def run(log: SqliteEventLog, *arguments: str) -> Result:
    settings = Settings(event_log=f"sqlite:///{log.path}", data=log.path.parent)
    return CliRunner().invoke(main, ["deadletters", *arguments], env=environment_of(settings))


def sightings(log: SqliteEventLog) -> list[tuple[int | None, int | None]]:
    return [(event.user_id, event.movie_id) for _, event in log.read(0, 0, 100) if event]


def test_a_row_that_can_be_read_by_now_becomes_an_event(log: SqliteEventLog) -> None:
    log.bury(frame(GOOD), "an earlier version could not read this")
    assert replay_letters(log, log.dead_letters(), FUTURE) == (1, 0)
    assert sightings(log) == [(7, 30)]
    assert log.dead_letters() == []


def test_a_row_of_the_future_is_an_event_of_when_its_letter_came(log: SqliteEventLog) -> None:
    log.bury(frame([2001, "Amélie", "2500-01-01T00:00:00", 7]), "an earlier version could not read this")
    [letter] = log.dead_letters()
    assert replay_letters(log, [letter], FUTURE) == (1, 0)
    assert [event.at for _, event in log.read(0, 0, 10) if event] == [letter.at]


def test_what_is_still_unreadable_stays_as_it_was(log: SqliteEventLog) -> None:
    [(row, reason)] = decode_answer(frame(BAD).encode(), NOON, FUTURE).unreadable
    for body, why in ((row, reason), ("<html>", "no frame"), ("{}", "no event")):
        log.bury(body, why)
    before = log.dead_letters()
    assert replay_letters(log, before, FUTURE) == (0, 3)
    assert log.dead_letters() == before
    assert sightings(log) == []


def test_of_a_whole_answer_the_bad_rows_alone_stay(log: SqliteEventLog) -> None:
    log.bury(frame(GOOD, BAD, GOOD), "an earlier version could not read this")
    assert replay_letters(log, log.dead_letters(), FUTURE) == (2, 0)
    assert sightings(log) == [(7, 30), (7, 30)]
    [letter] = log.dead_letters()
    assert "nobody" in letter.body
    assert "nobody" in letter.reason


def test_a_record_of_the_log_comes_back_as_the_event_it_was_once_it_can_be_read(log: SqliteEventLog) -> None:
    event = Event(type=EventType.RATED, source=API, at=NOON, event_id="a", user_id=1, movie_id=2, rating=4)
    log.bury(event.model_dump_json(by_alias=True, exclude_none=True), "event 5 is unreadable: unknown type")
    assert replay_letters(log, log.dead_letters(), FUTURE) == (1, 0)
    assert [event for _, event in log.read(0, 0, 10)] == [event]


def test_an_event_that_could_not_be_applied_is_on_the_log_again(log: SqliteEventLog) -> None:
    event = Event(type=EventType.RATED, source=API, at=NOON, event_id="a", user_id=1, movie_id=2, rating=4)
    log.append([event, event])
    log.bury(event.model_dump_json(by_alias=True), "an event of partition 0 cannot be applied: too large")
    assert replay_letters(log, log.dead_letters(), FUTURE) == (1, 0)
    assert [event for _, event in log.read(0, 0, 10)] == [event, event]


def test_an_unknown_id_changes_nothing(log: SqliteEventLog) -> None:
    log.bury("a", "b")
    with pytest.raises(LetterError, match="no dead letter 5, 9"):
        select_letters(log, (1, 5, 9))


def test_the_command_lists_replays_and_drops(log: SqliteEventLog) -> None:
    for body in (frame(GOOD), "<html>" * 50, "rubbish"):
        log.bury(body, "unreadable")
    listed = run(log, "list")
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["1", "2", "3"]
    assert "unreadable: '<html><html>" in listed.stdout
    assert max(map(len, listed.stdout.splitlines())) < 120
    letters = [json.loads(line) for line in run(log, "list", "--json").stdout.splitlines()]
    assert [(letter["letter_id"], letter["body"]) for letter in letters][1] == (2, "<html>" * 50)
    assert run(log, "replay", "--all").stdout == "1 events are on the event log; 2 letters are still unreadable\n"
    assert run(log, "drop", "2").stdout == "1 dropped\n"
    assert run(log, "drop", "--all").stdout == "1 dropped\n"
    assert run(log, "list").stdout == ""
    assert sightings(log) == [(7, 30)]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["replay"], 2, "name the ids of dead letters, or give --all"),
        (["drop", "1", "--all"], 2, "name the ids of dead letters, or give --all"),
        (["drop", "99"], 1, "no dead letter 99"),
        (["drop", "one"], 2, "'one' is not a valid integer"),
    ],
)
def test_wrong_use_is_told_and_changes_nothing(log: SqliteEventLog, arguments: list[str], code: int, told: str) -> None:
    log.bury("a", "b")
    ended = run(log, *arguments)
    assert ended.exit_code == code
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(log.dead_letters()) == 1


def test_a_broken_log_is_one_line_not_a_traceback(log: SqliteEventLog) -> None:
    with closing(sqlite3.connect(log.path)) as connection:
        connection.execute("DROP TABLE dead_letters")
        connection.execute("CREATE VIEW dead_letters AS SELECT 1 AS id")
        connection.commit()
    ended = run(log, "list")
    assert ended.exit_code == 1
    assert str(log.path) in ended.stderr
    assert "Traceback" not in ended.stderr
