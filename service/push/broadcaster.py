"""Server-sent events: each process follows the graph's sequence and sends its listeners what changed."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from common.background import UNTIL_WOKEN, BackgroundLoops
from graph.repositories.ingest import Ingest, ViewingChange
from graph.repositories.recommendations import Recommendations, StoredBatch
from service.capacity.executor import OverloadedError, ShareError
from service.health.metrics import GAPS, LISTENERS
from service.push.change_feed import ChangeFeed

# How long the loop waits at a time for something new.
AWAIT_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = ": still here\n\n"
# The stream of a listener this slow ends; it comes back with its Last-Event-ID.
BUFFERED_BATCHES = 1000
# Each keeps one of gunicorn's threads, some of which must be left for the others.
MOST_LISTENERS = 1024
# Who comes back later than so many batches ago is sent a `gap` and the latest ones.
RESUMED_BATCHES = 1000


@dataclass(frozen=True)
class Holder:
    """Somebody whose listeners are counted: an API key or an address, and how many it may have in this process."""

    name: str
    most: int


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


def encode_gap(after: int, until: int) -> str:
    """A message in place of those of the batches `after` < number ≤ `until`, which are not sent."""
    GAPS.inc()
    return f'event: gap\ndata: {{"after": {after}, "until": {until}}}\nid: {until}\n\n'


class Listener:
    """Somebody who follows; a bounded buffer, closed when it overflows."""

    def __init__(self, user_id: int | None, holders: tuple[Holder, ...] = ()) -> None:
        """`holders`: whose it is."""
        self.holders = holders
        self._user_id = user_id
        self._first: list[str] = []
        self._batches: queue.Queue[str | None] = queue.Queue(BUFFERED_BATCHES + 1)

    def begin_with(self, batches: list[list[Push]], gap: str = "") -> None:
        """What happened before all that is offered; to be called before the messages are read."""
        wanted = (self._wanted(batch) for batch in batches)
        self._first = [*([gap] if gap else []), *(encode_batch(batch) for batch in wanted if batch)]

    def offer(self, batch: list[Push]) -> bool:
        """Hand over what this listener wants of a batch; False if it is too slow and must go."""
        wanted = self._wanted(batch)
        if not wanted:
            return True
        keeps_up = self._batches.qsize() < BUFFERED_BATCHES
        with suppress(queue.Full):  # it has been let go already
            self._batches.put_nowait(encode_batch(wanted) if keeps_up else None)
        return keeps_up

    def end(self) -> None:
        """Let the messages end once what is buffered is read."""
        with suppress(queue.Full):  # It has been told so already.
            self._batches.put_nowait(None)

    def messages(self) -> Iterator[str]:
        """Encoded pushes as they come, heartbeats between; ends when the listener was too slow."""
        yield HEARTBEAT
        yield from self._first
        while True:
            try:
                batch = self._batches.get(timeout=HEARTBEAT_SECONDS)
            except queue.Empty:
                yield HEARTBEAT
                continue
            if batch is None:
                return
            yield batch

    def _wanted(self, batch: list[Push]) -> list[Push]:
        return [push for push in batch if self._user_id in (None, push.user_id)]


class Broadcaster:
    """Follows the sequence in a background loop, while anybody listens. Neo4j is never asked under the lock."""

    def __init__(
        self,
        ingest: Ingest,
        recommendations: Recommendations,
        changes: ChangeFeed,
        loops: BackgroundLoops,
    ) -> None:
        self._ingest = ingest
        self._changes = changes
        self._recommendations = recommendations
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self._loop = loops.add("broadcaster", self._broadcast)
        self._following = False
        self._ended = False
        self._sequence = 0

    def listen(
        self, user_id: int | None, after: int | None, recent: int = 0, holders: tuple[Holder, ...] = ()
    ) -> Listener:
        """A new listener, who is sent what happens until `leave`; `after`: the last number it saw, if it comes back.

        One that is new begins with so many `recent` batches.

        Raises OverloadedError if too many listen, ShareError if too many of one of the `holders` do.
        """
        listener = Listener(user_id, holders)
        begins = self._add(listener, self._changes.get_sequence())
        if after is None and recent > 0:
            after = max(0, begins - recent)
        if after is not None:
            resumed = max(after, begins - RESUMED_BATCHES)
            try:
                batches = self._read_changes(resumed, begins)
            except Exception:
                self._remove(listener)
                raise
            listener.begin_with(batches, encode_gap(after, resumed) if after < resumed else "")
        LISTENERS.inc()
        return listener

    def leave(self, listener: Listener) -> None:
        """Send a listener nothing any more."""
        LISTENERS.dec()
        self._remove(listener)

    def end(self) -> None:
        """End all streams, also those that come now: the process stops, and listeners come back to another one."""
        with self._lock:
            self._ended = True
            for listener in self._listeners:
                listener.end()

    def _add(self, listener: Listener, sequence: int) -> int:
        """Count a listener in; returns the number of the last batch that it is not sent by the loop."""
        with self._lock:
            if len(self._listeners) >= MOST_LISTENERS:
                raise OverloadedError("too many follow the stream; try again, another process may have room")
            for holder in listener.holders:
                if sum(holder in other.holders for other in self._listeners) >= holder.most:
                    raise ShareError(f"{holder.name} follows {holder.most} streams already: end one first")
            if not self._following:
                self._following, self._sequence = True, sequence
                self._loop.wake()
            self._listeners.add(listener)
            if self._ended:
                listener.end()
            return self._sequence

    def _remove(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)

    def _broadcast(self) -> float:
        """Send on what has happened since the last time; returns the seconds until the next look."""
        with self._lock:
            self._following = bool(self._listeners)
            if not self._following:
                return UNTIL_WOKEN
            known = self._sequence
        sequence = self._changes.await_sequence(known, AWAIT_SECONDS)
        if sequence != known:
            batches = self._read_changes(known, sequence)
            with self._lock:
                for batch in batches:
                    self._listeners = {listener for listener in self._listeners if listener.offer(batch)}
                self._sequence = sequence
        return 0.0

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
