"""The live feed: calling it, and reading what it answers.

The answer is a JSON string that contains JSON, a pandas frame in `split` orient: columns `YearRelease`, `Name`,
`current_time`, `customerID`, the index holding the movie ids.
"""

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import requests
import urllib3

from graph.errors import RecommenderError
from graph.times import to_utc
from stream.events import FEED, LARGEST_ID, Event, EventType

TIMEOUT_SECONDS = (3.05, 10)
LARGEST_ANSWER = 4 << 20
MOST_ROWS = 10_000
COLUMNS = ("YearRelease", "Name", "current_time", "customerID")
# Epochs above this are milliseconds: as seconds they would be in the year 5138.
FIRST_MILLISECONDS = 10**11


class FeedError(RecommenderError):
    """The feed gave no sightings; `retry_after` is how many seconds it asks us to wait, if it does."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class FeedAnswer:
    """Who is watching what now, and the rows that could not be read: (text, reason)."""

    sightings: list[Event] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


class FeedClient:
    """Calls the feed over HTTP."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self.url = url
        self._session = session

    def fetch(self) -> FeedAnswer:
        """One call. Raises FeedError for no answer, any status but 200, and a body that is no such frame."""
        try:
            with self._session.get(self.url, timeout=TIMEOUT_SECONDS, stream=True) as answer:
                if answer.status_code != requests.codes.ok:
                    wait = _seconds(answer.headers.get("Retry-After"))
                    raise FeedError(f"the feed answered {answer.status_code} {answer.reason}", wait)
                body = answer.raw.read(LARGEST_ANSWER + 1, decode_content=True)
        # requests lets pass what a broken body (HTTPError) or an absurd redirect (ValueError) raises.
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise FeedError(f"the feed did not answer: {type(error).__name__}") from error
        if len(body) > LARGEST_ANSWER:
            raise FeedError(f"the feed's answer is larger than {LARGEST_ANSWER} bytes")
        return decode_answer(body)


def decode_answer(body: bytes) -> FeedAnswer:
    """Sightings in a body; a bad row never costs the others. Raises FeedError if it is no frame with our columns."""
    try:
        split = json.loads(body)
        if isinstance(split, str):
            split = json.loads(split)
        columns, index, data = (_list(split[part], part) for part in ("columns", "index", "data"))
        rows = list(zip(index, data, strict=True))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FeedError(f"the feed's answer is no split-orient frame: {str(error)[:100]}") from error
    if missing := [name for name in COLUMNS if columns.count(name) != 1]:
        raise FeedError(f"the feed's answer lacks the columns {', '.join(missing)}")
    if len(rows) > MOST_ROWS:
        raise FeedError(f"the feed's answer has {len(rows)} rows, more than {MOST_ROWS}")
    fits = [isinstance(row, list) and len(row) == len(columns) for _, row in rows]
    frame = _frame(columns, [row for row, fit in zip(rows, fits, strict=True) if fit])
    ragged = [(repr(row), "not one value a column") for row, fit in zip(rows, fits, strict=True) if not fit]
    answer = FeedAnswer(unreadable=ragged)
    for key, *values in frame.itertuples(name=None):
        row = dict(zip(COLUMNS, values, strict=True))
        try:
            answer.sightings.append(_sighting(key, row))
        except (ValueError, TypeError, OverflowError, OSError) as error:
            answer.unreadable.append((repr((key, row)), str(error)))
    return answer


def _frame(columns: list[Any], rows: list[tuple[Any, list[Any]]]) -> pd.DataFrame:
    """Our columns of (index, values) rows, every value as it came."""
    index = pd.Index([key for key, _ in rows], dtype=object)
    values = pd.DataFrame([row for _, row in rows], index=index, columns=range(len(columns)), dtype=object)
    return values[[columns.index(name) for name in COLUMNS]]


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{name} is no list")
    return value


def _sighting(movie_id: Any, row: dict[str, Any]) -> Event:
    return Event(
        type=EventType.WATCHING,
        source=FEED,
        at=_moment(row["current_time"]),
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


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        return None
