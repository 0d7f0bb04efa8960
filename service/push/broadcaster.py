"""Server-sent events: each process follows the graph's sequence and tells its listeners what changed."""

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from common.errors import RecommenderError
from graph.repositories.ingest import Ingest, ViewingChange
from graph.repositories.recommendations import Recommendations, StoredBatch
from service.capacity.executor import OverloadedError
from service.health.metrics import LISTENERS
from service.push.change_feed import ChangeFeed

logger = logging.getLogger(__name__)

FAILURE_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = ": still here\n\n"
# A listener this slow is dropped; it comes back with its Last-Event-ID.
BUFFERED_BATCHES = 1000
# Each keeps one of gunicorn's threads, some of which must be left for the others.
MOST_LISTENERS = 1024
# Who comes back later than so many batches ago is told only of the latest ones.
RESUMED_BATCHES = 1000


@dataclass(frozen=True)
class Push:
    """One message of the batch with this sequence number; `data` is JSON."""

    sequence: int
    user_id: int
    kind: str
    data: str


def encode_batch(pushes: list[Push]) -> str:
    """The messages of one batch as text/event-stream.

    The last one carries the batch's number, so that who comes back with it has seen the whole batch.
    """
    messages = [f"event: {push.kind}\ndata: {push.data}\n\n" for push in pushes]
    return "".join([*messages[:-1], f"id: {pushes[-1].sequence}\n", messages[-1]])


class Listener:
    """Somebody who follows; a bounded buffer, closed when it overflows."""

    def __init__(self, user_id: int | None) -> None:
        self._user_id = user_id
        self._batches: queue.Queue[str | None] = queue.Queue(BUFFERED_BATCHES + 1)

    def offer(self, batch: list[Push]) -> bool:
        """Hand over what this listener wants of a batch; False if it is too slow and must go."""
        wanted = [push for push in batch if self._user_id in (None, push.user_id)]
        if not wanted:
            return True
        keeps_up = self._batches.qsize() < BUFFERED_BATCHES
        self._batches.put_nowait(encode_batch(wanted) if keeps_up else None)
        return keeps_up

    def end(self) -> None:
        """Let the messages end once what is buffered is read."""
        with suppress(queue.Full):  # It has been told so already.
            self._batches.put_nowait(None)

    def messages(self) -> Iterator[str]:
        """Encoded pushes as they come, heartbeats between; ends when the listener was too slow."""
        yield HEARTBEAT
        while True:
            try:
                batch = self._batches.get(timeout=HEARTBEAT_SECONDS)
            except queue.Empty:
                yield HEARTBEAT
                continue
            if batch is None:
                return
            yield batch


class Broadcaster:
    """Follows the sequence in a thread of its own, while anybody listens."""

    def __init__(
        self, ingest: Ingest, recommendations: Recommendations, follower: ChangeFeed, ended: threading.Event
    ) -> None:
        """`ended`: set once the process stops, perhaps before anybody has listened."""
        self._ingest = ingest
        self._follower = follower
        self._recommendations = recommendations
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self._following = False
        self._ended = ended
        self._sequence = 0

    def listen(self, user_id: int | None, after: int | None, recent: int = 0) -> Listener:
        """A new listener, who is told until `leave`; `after` is the last number it has seen, if it comes back.

        One that is new begins with so many `recent` batches.

        Raises OverloadedError if too many listen.
        """
        listener = Listener(user_id)
        with self._lock:
            if len(self._listeners) >= MOST_LISTENERS:
                raise OverloadedError("too many follow the stream; try again, another process may have room")
            if not self._following:
                self._sequence = self._follower.get_sequence()
                threading.Thread(target=self._follow, name="pusher", daemon=True).start()
                self._following = True
            if after is None and recent > 0:
                after = max(0, self._sequence - recent)
            if after is not None:
                for batch in self._read_changes(max(after, self._sequence - RESUMED_BATCHES), self._sequence):
                    listener.offer(batch)
            self._listeners.add(listener)
            if self._ended.is_set():
                listener.end()
        LISTENERS.inc()
        return listener

    def leave(self, listener: Listener) -> None:
        """Tell a listener nothing any more."""
        LISTENERS.dec()
        with self._lock:
            self._listeners.discard(listener)

    def end(self) -> None:
        """End all streams, also those that come now: the process stops, and listeners come back to another one."""
        with self._lock:
            self._ended.set()
            for listener in self._listeners:
                listener.end()

    def _follow(self) -> None:
        pause = threading.Event()
        while self._has_listeners():
            try:
                self._push_changes(self._follower.await_sequence(self._sequence, FAILURE_SECONDS))
            except RecommenderError as error:
                logger.warning("cannot follow the graph: %s", error)
                pause.wait(FAILURE_SECONDS)

    def _has_listeners(self) -> bool:
        with self._lock:
            self._following = bool(self._listeners)
            return self._following

    def _push_changes(self, sequence: int) -> None:
        if sequence == self._sequence:
            return
        with self._lock:
            for batch in self._read_changes(self._sequence, sequence):
                self._listeners = {listener for listener in self._listeners if listener.offer(batch)}
            self._sequence = sequence

    def _read_changes(self, after: int, until: int) -> list[list[Push]]:
        """What happened in the batches `after` < number ≤ `until`, batch by batch."""
        viewings = [_push("watch", change) for change in self._ingest.read_viewings_since(after, until)]
        lists = [
            _push("recommendations", batch) for batch in self._recommendations.read_recommendations_since(after, until)
        ]
        pushes = sorted([*viewings, *lists], key=_sequence_of)
        return [list(batch) for _, batch in groupby(pushes, key=_sequence_of)]


def _push(kind: str, message: ViewingChange | StoredBatch) -> Push:
    return Push(message.sequence, message.user_id, kind, message.model_dump_json(by_alias=True))


def _sequence_of(push: Push) -> int:
    return push.sequence
