"""What a user did."""

from typing import Literal

from service.schemas.base import Schema, Timestamp


class HistoryEntry(Schema):
    """A rating or a viewing."""

    type: Literal["rated", "started", "finished", "abandoned"]
    movie_id: int
    title: str | None
    year: int | None
    at: Timestamp
    rating: float | None
    started_at: Timestamp | None
    finished_at: Timestamp | None
    source: str | None
    event_id: str | None


class History(Schema):
    """A user's ratings and viewings, newest first."""

    user_id: int
    history: list[HistoryEntry]


class Watch(Schema):
    """Pushed when a viewing starts or ends; `abandoned` if it was too short to count as finished."""

    user_id: int
    movie_id: int
    title: str | None
    year: int | None
    status: Literal["started", "finished", "abandoned"]
    at: Timestamp
    event_id: str
