"""Finish detection, pure: sightings and events in, viewings out.

The feed tells who is watching now. A viewing ends when its user is missing from enough polls in a row, or shows up with
another movie; it is finished then, or abandoned if it was too short. A client may also say that it is finished. Every
rule compares moments, so an event that comes twice or late leads to the same viewings.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from common.settings import Settings
from graph.repositories.interactions import Viewing
from stream.events import SIGHTINGS, Event, EventType


@dataclass(frozen=True)
class FinishRules:
    """Polls without a viewing until it has ended, and how long it must have lasted to be a finish."""

    misses: int = Settings().finish_after_misses
    shortest: timedelta = timedelta(seconds=Settings().shortest_viewing)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """As configured."""
        return cls(settings.finish_after_misses, timedelta(seconds=settings.shortest_viewing))


class ViewingTracker:
    """The viewings that a batch of events can change."""

    def __init__(self, viewings: Iterable[Viewing], rules: FinishRules) -> None:
        self._rules = rules
        self._before = {viewing.event_id: viewing for viewing in viewings}
        self._now = dict(self._before)
        self._of_user: dict[int, set[str]] = defaultdict(set)
        self._changed = False
        for viewing in self._before.values():
            self._of_user[viewing.user_id].add(viewing.event_id)

    @property
    def begun(self) -> list[Viewing]:
        """Viewings that are new."""
        return [viewing for key, viewing in self._now.items() if key not in self._before]

    @property
    def updated(self) -> list[Viewing]:
        """Known viewings that are other than before."""
        return [self._now[key] for key, viewing in self._before.items() if self._now[key] != viewing]

    @property
    def told(self) -> set[str]:
        """Event ids of viewings that started or ended: what followers want to hear of."""
        ended = {v.event_id for v in self.updated if self._before[v.event_id].ended_at != v.ended_at}
        return ended | {viewing.event_id for viewing in self.begun}

    def apply(self, event: Event) -> bool:
        """Take one event into account; events that say nothing of viewings change nothing. Returns whether it did."""
        self._changed = False
        if event.type is EventType.POLLED:
            self._end_poll(event)
        elif event.type in SIGHTINGS:
            self._see(event)
        elif event.type is EventType.FINISHED:
            self._finish(event)
        return self._changed

    def _see(self, event: Event) -> None:
        viewing = self._viewing_at(event)
        if viewing is None:
            self._open(event)
            if next_sighting := self._next_sighting(event):
                self._end(self._now[event.key], next_sighting)
        elif viewing.ended_at is None:
            started_at, seen_at = min(viewing.started_at, event.at), max(viewing.last_seen_at, event.at)
            self._put(replace(viewing, started_at=started_at, last_seen_at=seen_at, polls_since_seen=0))
        for other in self._others(event):
            if other.ended_at is None and other.last_seen_at < event.at:
                self._end(other, event.at)

    def _finish(self, event: Event) -> None:
        viewing = self._viewing_at(event)
        if viewing is None or viewing.started_at > event.at:
            self._open(event, finished_at=event.at)
        elif viewing.finished_at is None:
            seen_at = max(viewing.last_seen_at, event.at)
            finished = replace(viewing, last_seen_at=seen_at, finished_at=seen_at, abandoned_at=None)
            self._put(replace(finished, finish_id=event.key))

    def _end_poll(self, event: Event) -> None:
        for viewing in list(self._now.values()):
            if viewing.ended_at is None and viewing.source == event.source:
                missed = replace(viewing, polls_since_seen=viewing.polls_since_seen + 1)
                self._put(missed)
                if missed.polls_since_seen > self._rules.misses:
                    self._end(missed, max(event.at, viewing.last_seen_at))

    def _viewing_at(self, event: Event) -> Viewing | None:
        """The viewing of this user and movie that was going on at the event, else the open one that began later."""
        known = [viewing for viewing in self._viewings_of(event) if viewing.movie_id == event.movie_id]
        going_on = [v for v in known if v.ended_at is None or v.started_at <= event.at <= v.ended_at]
        return max(going_on, key=lambda viewing: (viewing.started_at <= event.at, viewing.started_at), default=None)

    def _next_sighting(self, event: Event) -> datetime | None:
        """When this user is known to have been seen next; a viewing that is told of late ended by then."""
        viewings = [viewing for viewing in self._viewings_of(event) if viewing.last_seen_at > event.at]
        return min((v.started_at if v.started_at > event.at else v.last_seen_at for v in viewings), default=None)

    def _others(self, event: Event) -> list[Viewing]:
        return [viewing for viewing in self._viewings_of(event) if viewing.movie_id != event.movie_id]

    def _viewings_of(self, event: Event) -> list[Viewing]:
        return [self._now[key] for key in self._of_user[event.user_id or 0]]

    def _end(self, viewing: Viewing, at: datetime) -> None:
        long_enough = at - viewing.started_at >= self._rules.shortest
        self._put(replace(viewing, finished_at=at) if long_enough else replace(viewing, abandoned_at=at))

    def _open(self, event: Event, finished_at: datetime | None = None) -> None:
        viewing = Viewing(
            event_id=event.key,
            user_id=event.user_id or 0,
            movie_id=event.movie_id or 0,
            source=event.source,
            started_at=event.at,
            last_seen_at=event.at,
            finished_at=finished_at,
        )
        self._put(viewing)
        self._of_user[viewing.user_id].add(viewing.event_id)

    def _put(self, viewing: Viewing) -> None:
        self._changed = self._changed or self._now.get(viewing.event_id) != viewing
        self._now[viewing.event_id] = viewing
