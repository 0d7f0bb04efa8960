"""From the log into the graph: each batch's edges and the offset move in one transaction."""

import logging

from graph.repositories.ingest import Ingest, IngestTransaction, Interaction
from stream.events import FEED, Event, EventType
from stream.log import EventLog
from stream.viewings import FinishRules, ViewingTracker

logger = logging.getLogger(__name__)

BATCH = 1000


class Writer:
    """Applies the log to the graph."""

    def __init__(self, log: EventLog, ingest: Ingest, rules: FinishRules) -> None:
        self._log = log
        self._ingest = ingest
        self._rules = rules

    def apply_pending(self) -> int:
        """Apply the next batch of each partition, where there is one; returns how many records that was."""
        return sum(self._apply_partition(partition) for partition in self._log.assigned())

    def _apply_partition(self, partition: int) -> int:
        log = self._log

        def apply(batch: IngestTransaction) -> int:
            offset = batch.lock_offset(log.name, partition)
            records = log.read(partition, offset, BATCH)
            if records:
                logger.debug("applying %d records of partition %d", len(records), partition)
                events = [event for _, event in records if event is not None]
                apply_events(batch, events, self._rules, (partition, log.partitions))
                batch.move_offset(log.name, partition, records[-1][0] + 1)
                logger.debug("committing up to offset %d", records[-1][0] + 1)
            return len(records)

        # Nothing new is the usual case, and needs no lock to be seen.
        if not log.read(partition, self._ingest.read_offset(log.name, partition).offset, 1):
            return 0
        return self._ingest.transact(apply)


def apply_events(
    batch: IngestTransaction, events: list[Event], rules: FinishRules, part: tuple[int, int] = (0, 1)
) -> int:
    """Apply events, in their order, within an open batch. Applying one twice is the same as once.

    `part`: which partition of how many a poll's marker among them is of. Returns how many earlier ones were taken back.
    """
    removed = batch.undo_events(sorted({event.undoes for event in events if event.undoes}))
    standing = _standing(batch, events)
    about = [event for event in standing if event.user_id is not None and event.movie_id is not None]
    batch.create_nodes(
        {event.movie_id: (event.title, event.year) for event in about if event.movie_id},
        {event.user_id for event in about if event.user_id},
    )
    pairs = {(event.user_id, event.movie_id) for event in about if event.user_id and event.movie_id}
    polled = any(event.type is EventType.POLLED for event in standing)
    tracker = ViewingTracker(batch.read_viewings(pairs, FEED if polled else None, part), rules)
    for event in standing:
        tracker.apply(event)
    batch.write_viewings(tracker.changed, tracker.told)
    batch.mark_hits(tracker.begun)
    batch.write_interactions([item for event in about if (item := _interaction(event))])
    return removed


def _standing(batch: IngestTransaction, events: list[Event]) -> list[Event]:
    """The events that count: of those with one id the first, if it was not taken back."""
    first: dict[str, Event] = {}
    for event in events:
        if event.event_id:
            first.setdefault(event.event_id, event)
    void = batch.find_void_events({key: (event.user_id, event.movie_id) for key, event in first.items()})
    return [
        event
        for event in events
        if not event.event_id or (event is first[event.event_id] and event.event_id not in void)
    ]


def _interaction(event: Event) -> Interaction | None:
    kinds = {EventType.RATED, EventType.LIKED, EventType.LISTED, EventType.CLICKED}
    if event.type not in kinds or event.user_id is None or event.movie_id is None:
        return None
    value = event.rating if event.type is EventType.RATED else event.value
    kind = event.type.value
    return Interaction(kind, event.user_id, event.movie_id, event.at, event.key, value)  # type: ignore[arg-type]
