"""What clients tell: logged durably first, then applied at once, so that the answer reflects it."""

import logging
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future, wait
from datetime import datetime, timedelta

from flask import url_for
from flask_openapi3 import APIBlueprint, Tag

from common.times import utc_now
from graph.errors import ContentRefusedError, DatabaseRefusedError, DatabaseUnavailableError
from graph.repositories.interactions import KnownEvent
from graph.repositories.recommendations import LIST_LENGTH
from graph.shapes import own_id
from service import schemas
from service.access.guard import key_name
from service.capacity.executor import DeadlineError, OverloadedError
from service.capacity.single_flight import NoAnswerError, result_of
from service.components import Components, Write, components
from service.health.metrics import REFUSED_EVENTS
from service.http.policy import writes
from service.http.problems import CONFLICT_PROBLEM, name_place, refuse_fields
from service.http.responses import Reply, reply
from service.views.event_ids import NewEvents
from service.views.prices import EVENTS, LISTED_USERS
from stream.event_log.base import EventIdTakenError
from stream.events import API, FEED, UNDO_PREFIX, Event, EventType, Outcome
from stream.writer import Applied

logger = logging.getLogger(__name__)

# What is on the log by then is applied by the worker, or becomes a dead letter.
NOT_APPLIED = (DatabaseUnavailableError, DatabaseRefusedError, ContentRefusedError)
IN_GRAPH = {Outcome.APPLIED, Outcome.REPEATED}
REFUSE = "refuse"  # RECOMMENDER_UNKNOWN_MOVIES

blueprint = APIBlueprint("events", __name__, url_prefix="/v1/events", abp_tags=[Tag(name="events")])


@blueprint.post("", responses={200: schemas.EventResults, 202: schemas.EventResults, **CONFLICT_PROBLEM})
@writes(leads_to={"events_undo": {"eventId": "/results/0/eventId"}}, price=EVENTS)
def receive(header: schemas.EventsHeader, body: schemas.EventsBody) -> Reply:
    """Take one event or up to 1,000. A finished one carries fresh recommendations.

    200: what became of each. 202: on the durable log while Neo4j is away; it will be applied. The same eventId of the
    same API key with the same content, `at` aside, is one event. 409: with other content. 409 and 422: nothing of the
    request is taken. Events for movies that no catalogue has are kept, or refused (422), as the operator has set it.
    """
    access = components()
    now = utc_now()
    _refuse_future(body, now, access.settings.future_minutes)
    _require_room(access)
    _refuse_unknown(access, body)
    new = NewEvents.of(body, header.idempotency_key, key_name(), now)
    known = _find_known(access, new.places) if new.places else {}
    new.require_no_conflicts(known)
    try:
        events = access.log.append(new.events)
    except EventIdTakenError as error:
        new.refuse(error.event_ids, error.event_ids)
    try:
        applied = access.writes.write(Write(events=events), access.budget.apply)
    except NOT_APPLIED as error:
        logger.warning("events are logged, not applied yet: %s", error)
        return reply(schemas.EventResults(results=[_result(event, Outcome.LOGGED) for event in events]), 202)
    outcomes = new.outcomes(events, applied, known)
    lists = _recommend(access, [event for event, outcome in zip(events, outcomes, strict=True) if outcome in IN_GRAPH])
    results = [_result(event, outcome, lists) for event, outcome in zip(events, outcomes, strict=True)]
    return reply(schemas.EventResults(results=results))


@blueprint.delete("/<rest:eventId>", responses={200: schemas.UndoneEvent, 202: schemas.UndoneEvent})
@writes()
def undo(path: schemas.EventPath) -> Reply:
    """Take back one of the API key's own events, also if it comes again; the rating that it replaced comes back.

    An eventId that is not known is taken back in advance. 202: on the durable log while Neo4j is away.
    """
    access = components()
    event_id = _find_own(access, path.event_id)
    undone = Event(
        type=EventType.UNDONE,
        source=API,
        at=utc_now(),
        event_id=UNDO_PREFIX + event_id,
        undoes=event_id,
    )
    events = access.log.append([undone])
    try:
        effects = access.apply(events).removed
    except NOT_APPLIED as error:
        logger.warning("an event is taken back on the log, not in the graph yet: %s", error)
        return reply(schemas.UndoneEvent(event_id=path.event_id, applied=False, effects=None), 202)
    return reply(schemas.UndoneEvent(event_id=path.event_id, applied=True, effects=effects))


def _refuse_future(body: schemas.EventsBody, now: datetime, minutes: float) -> None:
    """Refuse all events if one is too far ahead of our clock: it would win over all that comes until then."""
    if places := body.places_after(now + timedelta(minutes=minutes)):
        detail = (
            f"more than {minutes:g} minutes ahead of the service's clock ({now.isoformat(timespec='seconds')}Z): "
            "check the client's clock, or leave at out"
        )
        refuse_fields([schemas.FieldProblem(name=name_place((place, "at")), detail=detail) for place in places])


def _refuse_unknown(access: Components, body: schemas.EventsBody) -> None:
    """Refuse all events if one is of a movie that no catalogue has, where the operator wants that."""
    if access.settings.unknown_movies != REFUSE:
        return
    try:
        unknown = access.unknown_movies.find(sorted({event.movie_id for event in body.root}))
    except NOT_APPLIED:  # as always while Neo4j is away, events are taken
        return
    places = [(place, event.movie_id) for place, event in enumerate(body.root) if event.movie_id in unknown]
    if not places:
        return
    REFUSED_EVENTS.inc(len(places))
    access.writes.submit(Write(refused=Counter(movie_id for _, movie_id in places))).add_done_callback(_log_failure)
    detail = (
        "no catalogue has movie {0}: make it known first (PUT /v1/movies/{0}), or have such events kept "
        "(RECOMMENDER_UNKNOWN_MOVIES=keep)"
    )
    refuse_fields(
        [
            schemas.FieldProblem(name=name_place((place, "movieId")), detail=detail.format(movie_id))
            for place, movie_id in places
        ]
    )


def _find_known(access: Components, event_ids: Iterable[str]) -> dict[str, KnownEvent]:
    """Those of some events that the graph knows; none while it does not answer: they are looked at when applied."""
    try:
        return access.ingest.find_known_events(sorted(event_ids))
    except NOT_APPLIED:
        return {}


def _find_own(access: Components, event_id: str) -> str:
    """An id as it is stored: the caller's own, else one of a time when ids had no owners."""
    own = own_id(key_name(), event_id)
    if own == event_id or event_id.startswith(f"{FEED}:"):
        return own
    known = _find_known(access, [own, event_id])
    return event_id if event_id in known and own not in known else own


def _require_room(access: Components) -> None:
    """Raise OverloadedError if the log is too far ahead; a Neo4j that does not tell holds up nothing."""
    answer = access.backlog.ask()
    wait([answer], access.budget.backlog)
    try:
        behind = result_of(answer)
    except (NoAnswerError, DatabaseUnavailableError, DatabaseRefusedError):
        return
    if behind >= access.settings.largest_backlog:
        logger.error("%d events wait on the log: is `python -m stream worker` running?", behind)
        raise OverloadedError(f"{behind:,} events wait to be applied, and no more are taken now; try again")


def _recommend(access: Components, events: list[Event]) -> dict[int, schemas.RecommendationList]:
    """A fresh list for each user who finished a movie; where that fails now, the worker makes them."""
    try:
        return access.finishes.do(lambda: _list_after_finishes(access, events), access.budget.lists)
    except (DatabaseUnavailableError, DeadlineError, OverloadedError) as error:
        logger.warning("events are applied, their users get their lists later: %s", error)
        return {}


def _list_after_finishes(access: Components, events: list[Event]) -> dict[int, schemas.RecommendationList]:
    """Lists for those who finished a movie, each stored soon after under the latest finish."""
    finishes = {event.user_id: event for event in sorted(events, key=lambda event: event.at) if _is_finish(event)}
    lists = {}
    for user_id, event in list(finishes.items())[:LISTED_USERS]:
        if user_id is not None:
            found = access.recommendations.recommend_for_user(user_id, LIST_LENGTH)
            access.writes.submit(Write(lists=[(event.key, found)])).add_done_callback(_log_failure)
            lists[user_id] = found
    return lists


def _log_failure(stored: Future[Applied]) -> None:
    """A list that is not stored here the worker makes again."""
    if error := stored.exception():
        logger.warning("what was answered is not stored: %s", error)


def _result(
    event: Event, outcome: Outcome, lists: dict[int, schemas.RecommendationList] | None = None
) -> schemas.EventResult:
    user_id = event.user_id or 0
    result = schemas.EventResult(event_id=event.key, applied=outcome in IN_GRAPH, outcome=outcome)
    if not _is_finish(event):
        return result
    listed = (lists or {}).get(user_id) if result.applied else None
    url = None if listed else url_for("users.recommend", userId=user_id)
    return result.model_copy(update={"recommendations": listed, "recommendations_url": url})


def _is_finish(event: Event) -> bool:
    return event.type is EventType.FINISHED
