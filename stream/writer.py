"""From the log into the graph: each batch's edges and the offset move in one transaction."""

from graph.repositories.ingest import Ingest, IngestTransaction, Interaction
from stream.events import FEED, Event, EventType
from stream.log import EventLog
from stream.viewings import ViewingTracker

LOG = "log"
PARTITION = 0
BATCH = 1000


class Writer:
    """Applies the log to the graph."""

    def __init__(self, log: EventLog, ingest: Ingest, finish_after_misses: int) -> None:
        self._log = log
        self._ingest = ingest
        self._finish_after_misses = finish_after_misses

    def apply_pending(self) -> int:
        """Apply the next batch of the log, if there is one; returns how many records that was."""

        def apply(batch: IngestTransaction) -> int:
            offset = batch.lock_offset(LOG, PARTITION)
            records = self._log.read(offset, BATCH)
            if records:
                events = [event for _, event in records if event is not None]
                apply_events(batch, events, self._finish_after_misses)
                batch.move_offset(LOG, PARTITION, records[-1][0] + 1)
            return len(records)

        # Nothing new is the usual case, and needs no lock to be seen.
        if not self._log.read(self._ingest.read_offset(LOG, PARTITION).offset, 1):
            return 0
        return self._ingest.transact(apply)


def apply_events(batch: IngestTransaction, events: list[Event], finish_after_misses: int) -> None:
    """Apply events, in their order, within an open batch. Applying one twice is the same as once."""
    about = [event for event in events if event.user_id is not None and event.movie_id is not None]
    batch.create_nodes(
        {event.movie_id: (event.title, event.year) for event in about if event.movie_id},
        {event.user_id for event in about if event.user_id},
    )
    pairs = {(event.user_id, event.movie_id) for event in about if event.user_id and event.movie_id}
    polled = any(event.type is EventType.POLLED for event in events)
    tracker = ViewingTracker(batch.read_viewings(pairs, FEED if polled else None), finish_after_misses)
    for event in events:
        tracker.apply(event)
    batch.write_viewings(tracker.changed, tracker.told)
    batch.write_interactions([item for event in about if (item := _interaction(event))])


def _interaction(event: Event) -> Interaction | None:
    kinds = {EventType.RATED, EventType.LIKED, EventType.LISTED, EventType.CLICKED}
    if event.type not in kinds or event.user_id is None or event.movie_id is None:
        return None
    value = event.rating if event.type is EventType.RATED else event.value
    kind = event.type.value
    return Interaction(kind, event.user_id, event.movie_id, event.at, event.key, value)  # type: ignore[arg-type]
