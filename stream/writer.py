"""From the log into the graph: each batch's edges and the offset move in one transaction."""

import logging
from dataclasses import dataclass, field

from common.errors import RecommenderError
from graph.errors import ContentRefusedError
from graph.repositories.ingest import Ingest
from graph.repositories.ingest_transaction import IngestTransaction
from graph.repositories.interactions import Interaction, KnownEvent
from graph.titles import title_of
from stream.event_log.base import EventLog
from stream.events import FEED, LATEST, SIGHTINGS, Event, EventType, Outcome
from stream.metrics import EVENTS_APPLIED
from stream.viewings import FinishRules, ViewingTracker

logger = logging.getLogger(__name__)

BATCH = 5000
Record = tuple[int, Event | None]  # an offset of the log, and its event; None if that could not be decoded
VIEWING_TYPES = {*SIGHTINGS, EventType.FINISHED}


class CatalogueError(RecommenderError):
    """The feed speaks of another catalogue than the loaded one."""


class Writer:
    """Applies the log to the graph."""

    def __init__(self, log: EventLog, ingest: Ingest, rules: FinishRules, catalogue: str | None = None) -> None:
        """`catalogue`: whose ids the events use; while another one is loaded, they wait."""
        self._catalogue = catalogue
        self._log = log
        self._ingest = ingest
        self._rules = rules

    def apply_pending(self) -> int:
        """Apply the next batch of each partition, where there is one; returns how many records that was.

        A partition that cannot be applied now does not keep the others waiting; its error is raised in the end.
        """
        applied, failure = 0, None
        for partition in self._log.assigned():
            try:
                applied += self._apply_partition(partition)
            except RecommenderError as error:
                failure = error
        if failure is not None:
            raise failure
        return applied

    def _apply_partition(self, partition: int) -> int:
        # Read and decoded before anything is locked: a POST needs the same lock.
        offset = self._ingest.read_offset(self._log.name, partition).offset
        records = self._log.read(partition, offset, BATCH)
        if not records:
            return 0
        try:
            return self._apply(partition, offset, records)
        except Exception as error:
            _require_content(error)
            logger.warning("a batch cannot be applied (%s): its events are, one by one", type(error).__name__)
        applied = 0
        for record in records:
            if not self._apply_or_bury(partition, offset, record):
                break
            applied, offset = applied + 1, record[0] + 1
        return applied

    def _apply_or_bury(self, partition: int, offset: int, record: Record) -> int:
        try:
            return self._apply(partition, offset, [record])
        except Exception as error:
            _require_content(error)
            reason = f"an event of partition {partition} cannot be applied: {error}"
            logger.warning("an event cannot be applied (%s), kept as a dead letter", type(error).__name__)
        number, event = record
        if event is not None:
            self._log.bury(event.model_dump_json(by_alias=True), reason)
        return self._apply(partition, offset, [(number, None)])

    def _apply(self, partition: int, offset: int, records: list[Record]) -> int:
        """Apply records read from an offset on; returns how many, 0 if the graph is not at that offset any more."""
        name, after = self._log.name, records[-1][0] + 1
        events = [event for _, event in records if event is not None]

        def apply(batch: IngestTransaction) -> int:
            if batch.lock_offset(name, partition) != offset:  # another writer has applied them, or a restore came
                return 0
            if self._catalogue is not None:  # a load may have put another one in its place
                require_catalogue(batch.get_catalogue(), self._catalogue)
            logger.debug("applying %d records of partition %d", len(records), partition)
            apply_events(batch, events, self._rules, (partition, self._log.partitions))
            batch.move_offset(name, partition, after)
            logger.debug("committing up to offset %d", after)
            return len(records)

        applied = self._ingest.transact(apply)
        EVENTS_APPLIED.inc(applied)
        logger.debug("idle")
        return applied


def require_catalogue(loaded: str | None, expected: str) -> None:
    """Raise CatalogueError if the ids of the loaded catalogue mean other movies than the feed's."""
    if loaded != expected:
        raise CatalogueError(
            f"the feed uses the ids of catalogue {expected!r}, the database holds {loaded!r}: "
            "load that catalogue, or set RECOMMENDER_FEED_CATALOGUE"
        )


def _require_content(error: Exception) -> None:
    """Raise an error again that is not about the events themselves: they must wait, not become dead letters."""
    if isinstance(error, RecommenderError) and not isinstance(error, ContentRefusedError):
        raise error


@dataclass
class Applied:
    """What became of events: of each, by its identity, which ids were known, and how many edges were taken back."""

    removed: int = 0
    known: set[str] = field(default_factory=set)
    _outcomes: dict[int, Outcome] = field(default_factory=dict)

    def outcome(self, event: Event) -> Outcome:
        """What became of one."""
        return self._outcomes[id(event)]

    def note(self, event: Event, outcome: Outcome) -> None:
        """Remember what became of one."""
        self._outcomes[id(event)] = outcome


def apply_events(
    batch: IngestTransaction, events: list[Event], rules: FinishRules, part: tuple[int, int] = (0, 1)
) -> Applied:
    """Apply events, in their order, within an open batch. Applying one twice is the same as once.

    `part`: which partition of how many a poll's marker among them is of.
    """
    applied = Applied()
    batch.write_erasures(
        {event.user_id: event.at for event in events if event.type is EventType.ERASED and event.user_id}
    )
    events = _without_deleted(batch, _without_erased(batch, events, applied), applied)
    applied.removed = batch.undo_events(sorted({event.undoes for event in events if event.undoes}))
    standing = _standing(batch, events, applied)
    about = [event for event in standing if event.user_id is not None and event.movie_id is not None]
    user_ids = {event.user_id for event in about if event.user_id}
    batch.create_nodes(_told_movies(about), user_ids, {event.movie_id: event.at for event in about if event.movie_id})
    polled = any(event.type is EventType.POLLED for event in standing)
    if polled or any(event.type in VIEWING_TYPES for event in about):
        since = min((event.at for event in about), default=LATEST)
        tracker = ViewingTracker(batch.read_viewings(user_ids, since, FEED if polled else None, part), rules)
        for event in standing:
            changed = tracker.apply(event)
            applied.note(event, Outcome.APPLIED if changed else Outcome.REPEATED)
        batch.create_viewings(tracker.begun)
        batch.update_viewings(tracker.updated, tracker.told)
    marks = [(event, item) for event in about if (item := _interaction(event))]
    written = batch.write_interactions([item for _, item in marks])
    for event, item in marks:
        applied.note(event, Outcome.APPLIED if item.event_id in written else Outcome.OUTDATED)
    return applied


def _told_movies(events: list[Event]) -> dict[int, tuple[str | None, int | None]]:
    """Title and year of each movie, where any of the events has them: clients send none, the feed does."""
    told: dict[int, tuple[str | None, int | None]] = {}
    for event in events:
        if event.movie_id is not None:
            title, year = told.get(event.movie_id, (None, None))
            told[event.movie_id] = title_of(event.title) or title, event.year or year
    return told


def _without_erased(batch: IngestTransaction, events: list[Event], applied: Applied) -> list[Event]:
    """The events that may be kept: of an erased user only those from after that was lifted."""
    erased = batch.find_erased({event.user_id for event in events if event.user_id})
    kept = []
    for event in events:
        if event.user_id in erased and event.at <= erased[event.user_id]:
            applied.note(event, Outcome.ERASED)
        elif event.type is not EventType.ERASED:
            kept.append(event)
    return kept


def _without_deleted(batch: IngestTransaction, events: list[Event], applied: Applied) -> list[Event]:
    """The events that may be kept: of a deleted movie only those from after that."""
    deleted = batch.find_deleted({event.movie_id for event in events if event.movie_id})
    kept = []
    for event in events:
        if event.movie_id in deleted and event.at <= deleted[event.movie_id].at:
            applied.note(event, Outcome.DELETED)
        else:
            kept.append(event)
    return kept


def _standing(batch: IngestTransaction, events: list[Event], applied: Applied) -> list[Event]:
    """The events that can change something: of those with one id the first, if it is not known already."""
    about = [event for event in events if event.user_id is not None]
    known = batch.find_known_events(sorted({event.key for event in about}))
    applied.known = set(known)
    standing = []
    undone: dict[str, int] = {}
    for event in events:
        if event.user_id is None:
            standing.append(event)
        elif (other := known.get(event.key)) is None:
            known[event.key] = event.as_known()
            standing.append(event)
        else:
            applied.note(event, outcome := _outcome_beside(event, other))
            if outcome is Outcome.UNDONE:
                undone[event.key] = event.user_id
    batch.name_undone(undone)
    return standing


def _outcome_beside(event: Event, known: KnownEvent) -> Outcome:
    """What becomes of an event whose id is known."""
    if known.kind == EventType.UNDONE:
        return Outcome.UNDONE
    if event.as_known() == known:
        return Outcome.OUTDATED if known.replaced else Outcome.REPEATED
    logger.warning("an event (%s) is dropped: its id is that of another one (%s)", event.type, known.kind)
    logger.debug("its id: %s", event.key)
    return Outcome.CONFLICT


def _interaction(event: Event) -> Interaction | None:
    kinds = {EventType.RATED, EventType.LIKED, EventType.LISTED, EventType.CLICKED}
    if event.type not in kinds or event.user_id is None or event.movie_id is None:
        return None
    value = event.rating if event.type is EventType.RATED else event.value
    kind = event.type.value
    return Interaction(kind, event.user_id, event.movie_id, event.at, event.key, value)  # type: ignore[arg-type]
