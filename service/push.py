"""Server-sent events: each process follows the graph's sequence and tells its listeners what changed."""

import logging
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from graph.errors import RecommenderError
from graph.repositories.ingest import Ingest
from graph.repositories.recommendations import Recommendations
from service import schemas

logger = logging.getLogger(__name__)

FOLLOW_SECONDS = 0.05
FAILURE_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
BUFFERED_PUSHES = 1000
# Behind the changes of one sequence number, so that a listener who resumes there misses none of them.
HEARTBEAT = ": still here\n\n"


@dataclass(frozen=True)
class Push:
    """One message: `data` is JSON."""

    sequence: int
    user_id: int
    kind: str
    data: str

    def encode(self) -> str:
        """As text/event-stream."""
        return f"id: {self.sequence}\nevent: {self.kind}\ndata: {self.data}\n\n"


class Listener:
    """Somebody who follows; a bounded buffer, closed when it overflows."""

    def __init__(self, user_id: int | None) -> None:
        self._user_id = user_id
        self._pushes: queue.Queue[Push | None] = queue.Queue(BUFFERED_PUSHES + 1)

    def offer(self, push: Push) -> bool:
        """Hand over a push; False if the listener is too slow and must go."""
        if self._user_id is not None and push.user_id != self._user_id:
            return True
        if self._pushes.qsize() >= BUFFERED_PUSHES:
            self._pushes.put_nowait(None)
            return False
        self._pushes.put_nowait(push)
        return True

    def messages(self) -> Iterator[str]:
        """Encoded pushes as they come, heartbeats between; ends when the listener was too slow."""
        yield HEARTBEAT
        while True:
            try:
                push = self._pushes.get(timeout=HEARTBEAT_SECONDS)
            except queue.Empty:
                yield HEARTBEAT
                continue
            if push is None:
                return
            yield push.encode()


class Pusher:
    """Follows the sequence in a thread of its own, from the first listener on."""

    def __init__(self, ingest: Ingest, recommendations: Recommendations) -> None:
        self._ingest = ingest
        self._recommendations = recommendations
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._sequence = 0

    def listen(self, user_id: int | None, after: int | None) -> Iterator[str]:
        """Messages for a new listener; `after` is the last sequence number it has seen, if it comes back."""
        listener = Listener(user_id)
        with self._lock:
            if self._thread is None:
                self._sequence = self._ingest.get_sequence()
                self._thread = threading.Thread(target=self._follow, name="pusher", daemon=True)
                self._thread.start()
            if after is not None:
                for push in self._changes_since(after):
                    if push.sequence <= self._sequence:
                        listener.offer(push)
            self._listeners.add(listener)
        return self._messages(listener)

    def _messages(self, listener: Listener) -> Iterator[str]:
        try:
            yield from listener.messages()
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def _follow(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._push_changes()
                pause.wait(FOLLOW_SECONDS)
            except RecommenderError as error:
                logger.warning("cannot follow the graph: %s", error)
                pause.wait(FAILURE_SECONDS)

    def _push_changes(self) -> None:
        if self._ingest.get_sequence() == self._sequence:
            return
        with self._lock:
            for push in self._changes_since(self._sequence):
                self._listeners = {listener for listener in self._listeners if listener.offer(push)}
                self._sequence = max(self._sequence, push.sequence)

    def _changes_since(self, sequence: int) -> list[Push]:
        viewings = [
            Push(change.sequence, change.user_id, "watch", schemas.Watch.model_validate(change).model_dump_json(by_alias=True))
            for change in self._ingest.read_viewings_since(sequence)
        ]
        batches = [
            Push(
                batch.sequence,
                batch.user_id,
                "recommendations",
                schemas.PushedRecommendations.model_validate(batch).model_dump_json(by_alias=True),
            )
            for batch in self._recommendations.read_recommendations_since(sequence)
        ]
        return sorted([*viewings, *batches], key=lambda push: (push.sequence, push.kind != "watch"))
