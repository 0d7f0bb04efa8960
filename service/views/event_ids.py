"""The ids of a request's events: whose they are, and whether one is that of another event."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, Self

from graph.repositories.interactions import KnownEvent
from graph.shapes import show_id
from service import schemas
from service.http.problems import name_place, refuse_conflicts
from stream.events import Event, Outcome
from stream.writer import Applied

# Of ids that follow from an Idempotency-Key and a place in the request.
NAMESPACE = uuid.UUID("3c0d5a0e-5d4e-4a0a-9f53-3f0c2f6f0f7e")


@dataclass(frozen=True)
class NewEvents:
    """The events of a request, each with an id, and where each id is that the client may send again."""

    events: list[Event]
    places: dict[str, list[int]]
    _body: schemas.EventsBody
    _request_key: str | None

    @classmethod
    def of(cls, body: schemas.EventsBody, request_key: str | None, owner: str | None, now: datetime) -> Self:
        """`request_key`: the Idempotency-Key. `owner`: the name of the API key, whose the ids are."""
        events, places = [], dict[str, list[int]]()
        for place, one in enumerate(body.root):
            made = uuid.uuid5(NAMESPACE, f"{request_key} {place}") if request_key else uuid.uuid4()
            event = one.to_event(now, str(made), owner)
            events.append(event)
            if one.event_id or request_key:
                places.setdefault(event.key, []).append(place)
        return cls(events, places, body, request_key)

    def require_no_conflicts(self, known: dict[str, KnownEvent]) -> None:
        """Refuse all if one has the id of another event, be that in the graph (`known`) or in the same request."""
        taken = []
        for event_id, places in self.places.items():
            first = known.get(event_id, self.events[places[0]].as_known())
            if any(self.events[place].as_known() != first for place in places):
                taken.append(event_id)
        if taken:
            self.refuse(taken, known)

    def refuse(self, taken: Collection[str], known: Collection[str] = ()) -> NoReturn:
        """409 for ids that are those of other events; of two in one request that share one, the second is named."""
        problems = [
            self._describe(place, event_id)
            for event_id in taken
            for place in self.places[event_id][0 if event_id in known or len(self.places[event_id]) == 1 else 1 :]
        ]
        refuse_conflicts(list({problem.name: problem for problem in problems}.values()))

    def outcomes(self, stored: list[Event], applied: Applied, known: Collection[str]) -> list[Outcome]:
        """What became of each event; `known`: the ids that were in the graph before.

        The worker may have applied an event from the log before this process did: it repeats nothing.
        """
        found, seen = [], set(known)
        for event in stored:
            outcome = applied.outcome(event)
            new = event.key in applied.known and event.key not in seen
            found.append(Outcome.APPLIED if new and outcome is Outcome.REPEATED else outcome)
            seen.add(event.key)
        return found

    def _describe(self, place: int, event_id: str) -> schemas.FieldProblem:
        if self._body.root[place].event_id is None:
            detail = f"{self._request_key!r} is the key of another request: give this one a key of its own"
            return schemas.FieldProblem(name="Idempotency-Key", detail=detail)
        detail = f"eventId {show_id(event_id)!r} is that of another event: give this one an id of its own"
        return schemas.FieldProblem(name=name_place((place, "eventId")), detail=detail)
