"""Reading what the live feed answers.

The answer is a JSON string that contains JSON, a pandas frame in `split` orient: columns `YearRelease`, `Name`,
`current_time`, `customerID`, the index holding the movie ids.
"""

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from common.errors import RecommenderError
from common.times import to_utc
from graph.repositories.interactions import LARGEST_ID
from stream.events import FEED, Event, EventType

MOST_ROWS = 10_000
LONGEST_REASON = 100
COLUMNS = ("YearRelease", "Name", "current_time", "customerID")
# Epochs above this are milliseconds: as seconds they would be in the year 5138.
FIRST_MILLISECONDS = 10**11


class FeedError(RecommenderError):
    """The feed gave no sightings; `retry_after` is how many seconds it asks us to wait, if it does."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnreadableAnswerError(FeedError):
    """The feed answered something else than a frame with our columns; `text` is the answer."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text = text


@dataclass(frozen=True)
class FeedAnswer:
    """Who is watching what now, and the rows that could not be read.

    `unreadable`: (text, reason); the text is an answer that holds just this row. `ahead`: how many sightings had a
    moment too far in the future.
    """

    sightings: list[Event] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    ahead: int = 0


def decode_answer(body: bytes, received: datetime, future: timedelta) -> FeedAnswer:
    """Sightings in a body; a bad row never costs the others.

    A sighting further ahead of the time of receipt than `future` counts as of that time: the feed's times may be local.
    Raises UnreadableAnswerError if it is no frame with our columns.
    """
    columns, rows = _parse(body)
    fits = [isinstance(row, list) and len(row) == len(columns) for _, row in rows]
    fitting = [row for row, fit in zip(rows, fits, strict=True) if fit]
    frame = _frame(columns, fitting)
    unreadable = [(_encode(row), "not one value a column") for row, fit in zip(rows, fits, strict=True) if not fit]
    sightings: list[Event] = []
    ahead = 0
    for key, *values in frame.itertuples(name=None):
        row = dict(zip(COLUMNS, values, strict=True))
        try:
            at = _moment(row["current_time"])
            is_ahead = at - received > future
            sightings.append(_sighting(key, row, received if is_ahead else at))
            ahead += is_ahead
        except (ValueError, TypeError, OverflowError, OSError) as error:
            unreadable.append((_encode((key, values)), str(error)[:LONGEST_REASON]))
    return FeedAnswer(sightings, unreadable, ahead)


def _parse(body: bytes) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """Columns and (index, values) rows."""
    try:
        split = json.loads(body)
        if isinstance(split, str):
            split = json.loads(split)
        columns, index, data = (_list(split[part], part) for part in ("columns", "index", "data"))
        rows = list(zip(index, data, strict=True))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _unreadable(f"is no split-orient frame: {str(error)[:LONGEST_REASON]}", body) from error
    if missing := [name for name in COLUMNS if columns.count(name) != 1]:
        raise _unreadable(f"lacks the columns {', '.join(missing)}", body)
    if len(rows) > MOST_ROWS:
        raise _unreadable(f"has {len(rows)} rows, more than {MOST_ROWS}", body)
    return columns, rows


def _unreadable(reason: str, body: bytes) -> UnreadableAnswerError:
    return UnreadableAnswerError(f"the feed's answer {reason}", body.decode(errors="backslashreplace"))


def _encode(row: tuple[Any, Any]) -> str:
    """One row, without columns that are not ours, as an answer of its own."""
    return json.dumps({"columns": COLUMNS, "index": [row[0]], "data": [row[1]]})


def _frame(columns: list[Any], rows: list[tuple[Any, list[Any]]]) -> pd.DataFrame:
    """Our columns of (index, values) rows, every value as it came."""
    index = pd.Index([key for key, _ in rows], dtype=object)
    values = pd.DataFrame([row for _, row in rows], index=index, columns=range(len(columns)), dtype=object)
    return values[[columns.index(name) for name in COLUMNS]]


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{name} is no list")
    return value


def _sighting(movie_id: Any, row: dict[str, Any], at: datetime) -> Event:
    return Event(
        type=EventType.WATCHING,
        source=FEED,
        at=at,
        user_id=_integer(row["customerID"], "customerID"),
        movie_id=_integer(movie_id, "movie id"),
        title=row["Name"] if isinstance(row["Name"], str) and row["Name"].isprintable() else None,
        year=_year(row["YearRelease"]),
    )


def _integer(value: Any, name: str) -> int:
    number = float(value) if isinstance(value, str | float) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{name} {value!r} is no number")
    if not math.isfinite(number) or number != int(number) or not 1 <= number <= LARGEST_ID:
        raise ValueError(f"{name} {value!r} is no id")
    return int(number)


def _year(value: Any) -> int | None:
    try:
        year = _integer(value, "year")
    except (ValueError, TypeError, OverflowError):
        return None
    return year if 1800 <= year <= 2200 else None


def _moment(value: Any) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if abs(value) >= FIRST_MILLISECONDS else value
        return to_utc(datetime.fromtimestamp(seconds, UTC))
    return to_utc(datetime.fromisoformat(str(value)))
