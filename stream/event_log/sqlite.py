"""The durable event log, embedded: one SQLite file. An event counts as received once `append` returns."""

import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from common.disk import free_bytes
from common.files import LockedError, exclusive, keep_private, make_private_folder
from common.times import utc_now
from stream.event_log.base import (
    LONGEST_BODY,
    DeadLetter,
    EventIdTakenError,
    EventLogError,
    NoRoomError,
    digest_letter,
)
from stream.events import UNDO_PREFIX, Event
from stream.mentions import is_record_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  offset INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT UNIQUE, body TEXT NOT NULL, received_at REAL);
CREATE TABLE IF NOT EXISTS dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, reason TEXT NOT NULL, body TEXT NOT NULL, digest TEXT);
CREATE TABLE IF NOT EXISTS feed_calls (at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL);
INSERT INTO identity SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM identity);
"""
LEAST_ROOM = 64 << 20
# With less, what SQLite calls an error of input or output is a full disk.
NO_ROOM = 1 << 20
TRIMMED_ROWS = 10_000
# How long others may keep the WAL from being cut off; the next time does it then.
CUT_SECONDS = 1.0
# The body of an event that was forgotten.
FORGOTTEN = '{"type":"forgotten"}'


class SqliteEventLog:
    """The embedded log: WAL, fsynced at every append, safe for several processes."""

    partitions = 1

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds that all processes count alike and nobody sets."""
        self.path = path
        self._clock = clock
        self._lead: ExitStack | None = None
        try:
            make_private_folder(path.parent)
            path.touch(mode=0o600)  # SQLite gives the files beside it the same mode
            for file in (path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))):
                keep_private(file)
            # SQLite refuses, without waiting, the second who turns a new file into one with a WAL.
            with exclusive(path.with_name(f"{path.name}.lock")), self._connection() as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(SCHEMA)
                # What logs of earlier versions lack.
                for table, column, kind in (("events", "received_at", "REAL"), ("dead_letters", "digest", "TEXT")):
                    if column not in {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}:
                        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
                connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS letters_by_digest ON dead_letters (digest)")
                # Another file has other offsets, also if it lies where this one lay.
                [identity] = connection.execute("SELECT id FROM identity").fetchone()
            self.name = f"log:{identity}"
            # While this one is open, closing another does not write the WAL into the file: twice the time of an append.
            self._kept = sqlite3.connect(path, check_same_thread=False)
            self._kept.execute("SELECT count(*) FROM identity").fetchone()
            weakref.finalize(self, self._kept.close)
        except (OSError, sqlite3.Error, EventLogError) as error:
            told = f"cannot open the event log {path}: {error}; see RECOMMENDER_EVENT_LOG"
            raise _kind_of_failure(path)(told) from error

    def assigned(self) -> list[int]:
        """The one partition; two writers on it wait for each other."""
        return [0]

    @property
    def leading(self) -> bool:
        """Whether this process is the one worker that polls, recommends and delivers, as lead() found last."""
        return self._lead is not None

    def lead(self) -> bool:
        """Become that worker, or stay it, if nobody else is."""
        if self._lead is None:
            file = self.path.with_name(f"{self.path.name}.leader")
            with suppress(LockedError), ExitStack() as stack:
                stack.enter_context(exclusive(file, "another worker leads"))
                self._lead = stack.pop_all()
        return self.leading

    def close(self) -> None:
        """Lead no more, and let go of the file."""
        self._kept.close()
        if self._lead is not None:
            self._lead.close()
            self._lead = None

    def check(self) -> str:
        """What this log is, for people. Raises EventLogError if it cannot take events now."""
        free = free_bytes(self.path)
        if free < LEAST_ROOM:
            raise NoRoomError(
                f"no room for the event log {self.path}: {free >> 20} MB are free, {LEAST_ROOM >> 20} needed"
            )
        with self._connection() as connection:
            connection.execute("SELECT 1 FROM events LIMIT 1")
        return f"sqlite {self.path.name}"

    def append(self, events: list[Event], *, again: bool = False) -> list[Event]:
        """Store events durably, all or none; returns them as stored."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            if again:
                ids = [(event.event_id,) for event in events]
                connection.executemany("UPDATE events SET event_id = NULL WHERE event_id = ?", ids)
            stored = [_append(connection, event) for event in events]
            if taken := [
                event.key for event, first in zip(events, stored, strict=True) if first.as_known() != event.as_known()
            ]:
                raise EventIdTakenError(taken)
            connection.commit()
        return stored

    def read(self, partition: int, offset: int, limit: int) -> list[tuple[int, Event | None]]:
        """(offset, event) from an offset on, oldest first; None for what was forgotten or cannot be decoded."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT offset, body FROM events WHERE offset >= ? ORDER BY offset LIMIT ?", (offset, limit)
            ).fetchall()
        return [(position, self._decode(position, body)) for position, body in rows]

    def end(self, partition: int) -> int:
        """The offset that the next event gets."""
        with self._connection() as connection:
            [end] = connection.execute("SELECT coalesce(max(offset) + 1, 0) FROM events").fetchone()
        return int(end)

    def trim(self, applied: dict[int, int], days: float, megabytes: int) -> int:
        """Remove events before `applied` (offsets by partition) that are too old, or too many; returns how many."""
        removed = 0
        before, offset = time.time() - days * 86400, applied.get(0, 0)
        with self._connection() as connection:
            while True:
                pages, free, size = (
                    connection.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in ("page_count", "freelist_count", "page_size")
                )
                oldest = before if (pages - free) * size <= megabytes << 20 else float("inf")
                trimmed = connection.execute(
                    "DELETE FROM events WHERE coalesce(received_at, 0) < ? AND offset IN"
                    " (SELECT offset FROM events WHERE offset < ? ORDER BY offset LIMIT ?)",
                    (oldest, offset, TRIMMED_ROWS),
                ).rowcount
                connection.commit()
                removed += trimmed
                if trimmed == 0:
                    break
        self._cut_off_wal()
        return removed

    def forget(self, user_ids: set[int], before: datetime, seconds: float) -> int:
        """Remove what events of some users say, from up to a moment; returns of how many. It begins with the oldest."""
        deadline = time.monotonic() + seconds
        forgotten, offset = 0, 0
        with self._connection() as connection:
            while rows := connection.execute(
                "SELECT offset, event_id, CAST(body AS TEXT) FROM events WHERE offset >= ? ORDER BY offset LIMIT ?",
                (offset, TRIMMED_ROWS),
            ).fetchall():
                found = [row for row in rows if is_record_of(row[2], user_ids, before)]
                forgotten += _forget(connection, found) if found else 0
                offset = rows[-1][0] + 1
                if time.monotonic() > deadline:
                    break
        if forgotten:
            self._cut_off_wal()
        return forgotten

    def bury(self, body: str, reason: str) -> None:
        """Keep something unreadable as a dead letter; the same once more is kept once."""
        with self._connection() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO dead_letters (at, reason, body, digest) VALUES (?, ?, ?, ?)",
                (utc_now().isoformat(), reason, body[:LONGEST_BODY], digest_letter(body, reason)),
            )
            connection.commit()

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""
        with self._connection() as connection:
            rows = connection.execute("SELECT id, at, reason, body FROM dead_letters ORDER BY id").fetchall()
        return [DeadLetter(number, datetime.fromisoformat(at), reason, body) for number, at, reason, body in rows]

    def count_letters(self) -> int:
        """How many dead letters there are."""
        with self._connection() as connection:
            [letters] = connection.execute("SELECT count(*) FROM dead_letters").fetchone()
        return int(letters)

    def drop_letters(self, letter_ids: list[int]) -> int:
        """Remove dead letters; returns how many there were."""
        with self._connection() as connection:
            dropped = connection.executemany("DELETE FROM dead_letters WHERE id = ?", [(one,) for one in letter_ids])
            connection.commit()
        self._cut_off_wal()
        return dropped.rowcount

    def take_call(self, calls: int, window: float) -> float:
        """Take one of `calls` calls to the feed in any `window` seconds, for all workers on this log."""
        now = self._clock()
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM feed_calls WHERE at + ? <= ?", (window, now))
            # A call from the future, because another worker took its turn first or the machine was started anew, still
            # counts, but must not block for longer than a window.
            connection.execute("UPDATE feed_calls SET at = ? WHERE at > ?", (now, now))
            taken = [at for (at,) in connection.execute("SELECT at FROM feed_calls ORDER BY at")]
            if len(taken) < calls:
                connection.execute("INSERT INTO feed_calls (at) VALUES (?)", (now,))
            connection.commit()
        return 0.0 if len(taken) < calls else taken[-calls] + window - now

    def _cut_off_wal(self) -> None:
        """Bring the WAL into the file and empty it: what was removed is zeros in the file, and still in the WAL."""
        with self._connection(CUT_SECONDS) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _decode(self, position: int, body: str) -> Event | None:
        if body == FORGOTTEN:
            return None
        try:
            return Event.model_validate_json(body)
        except ValidationError as error:
            self.bury(body, f"event {position} is unreadable: {error.errors()[0]['msg']}")
            return None

    @contextmanager
    def _connection(self, seconds: float = 10) -> Iterator[sqlite3.Connection]:
        """A connection that waits so many seconds for others."""
        try:
            with closing(sqlite3.connect(self.path, timeout=seconds)) as connection:
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA secure_delete=ON")  # what is removed is overwritten
                # A record of broken text must be readable to become a dead letter.
                connection.text_factory = lambda text: text.decode(errors="replace")
                yield connection
        except sqlite3.Error as error:
            raise _kind_of_failure(self.path)(f"event log {self.path}: {error}") from error


def _kind_of_failure(path: Path) -> type[EventLogError]:
    """SQLite has several words for a full disk, some of which stand for other things, too."""
    return NoRoomError if free_bytes(path) < NO_ROOM else EventLogError


def _append(connection: sqlite3.Connection, event: Event) -> Event:
    body = event.model_dump_json(by_alias=True, exclude_none=True)
    added = connection.execute(
        "INSERT INTO events (event_id, body, received_at) VALUES (?, ?, ?) ON CONFLICT (event_id) DO NOTHING",
        (event.event_id, body, time.time()),
    )
    if added.rowcount:
        return event
    [first] = connection.execute("SELECT body FROM events WHERE event_id = ?", (event.event_id,)).fetchone()
    return Event.model_validate_json(first)


def _forget(connection: sqlite3.Connection, rows: list[tuple[int, str | None, str]]) -> int:
    """Leave nothing of events (offset, event_id, body) but their offsets, nor of what takes them back."""
    connection.executemany(
        "UPDATE events SET event_id = NULL, body = ? WHERE offset = ? OR event_id = ?",
        [(FORGOTTEN, offset, f"{UNDO_PREFIX}{event_id}") for offset, event_id, _ in rows],
    )
    connection.commit()
    return len(rows)
