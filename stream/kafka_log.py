"""The durable event log in Kafka, for more than one machine. An event counts as received once all replicas have it.

Topics: TOPIC for the events, TOPIC.dead (compacted) for the dead letters, TOPIC.feed for the calls to the feed; whoever
has that one's partition polls.
"""

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from pydantic import ValidationError

from graph.times import utc_now
from stream.events import Event, EventType
from stream.log import DeadLetter, EventLogError

# Of topics that we make; an operator may make them with other numbers before.
PARTITIONS = 6
REPLICAS = 3
CONNECT_SECONDS = 5.0
DELIVERY_SECONDS = 5.0
# A worker that is not heard of for so long loses its partitions to the others.
SESSION_SECONDS = 10.0
READ_SECONDS = 0.05
NOT_MY_TURN_SECONDS = 1.0
# Messages that are held at a time, of all partitions of a reader.
BUFFERED = 20_000
# What is said of partitions that were made just now.
NOT_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
}


class KafkaEventLog:
    """Events in a topic, partitioned by user."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        """`url`: kafka://HOST:PORT[,HOST:PORT]/TOPIC. `clock` tells seconds since the epoch."""
        parts = urlsplit(url)
        self.topic = parts.path.strip("/")
        if parts.scheme != "kafka" or not parts.netloc or not self.topic or "/" in self.topic:
            raise EventLogError(f"RECOMMENDER_EVENT_LOG: {url!r} is not of the form kafka://HOST:PORT/TOPIC")
        self._servers = parts.netloc
        self._clock = clock
        self._writer: _GroupReader | None = None
        self._poller: _GroupReader | None = None
        self._ends: Consumer | None = None
        with _told_errors(self._servers):
            self.partitions = self._create_topics()
            self._producer = Producer(
                {
                    **self._connection(),
                    "acks": "all",
                    "enable.idempotence": True,
                    "linger.ms": 2,
                    "delivery.timeout.ms": round(DELIVERY_SECONDS * 1000),
                }
            )

    @property
    def name(self) -> str:
        """What tells this log from others."""
        return f"kafka:{self.topic}"

    def close(self) -> None:
        """Leave what this process is assigned to others, at once."""
        for reader in (self._writer, self._poller):
            if reader is not None:
                reader.close()
        if self._ends is not None:
            self._ends.close()
        self._writer = self._poller = self._ends = None

    def check(self) -> str:
        """What this log is, for people. Raises EventLogError if it cannot take events now."""
        with _told_errors(self._servers):
            topic = self._producer.list_topics(self.topic, timeout=CONNECT_SECONDS).topics[self.topic]
        if any(partition.leader < 0 for partition in topic.partitions.values()):
            raise EventLogError(f"a partition of Kafka's topic {self.topic} has no leader")
        return f"kafka {self.topic}, {len(topic.partitions)} partitions"

    def append(self, events: list[Event]) -> list[Event]:
        """Store events durably; returns them as stored. Raises EventLogError if not all of them are known to be."""
        records = [
            (self.topic, partition, None, event.model_dump_json(by_alias=True, exclude_none=True).encode())
            for event in events
            for partition in self._partitions_of(event)
        ]
        self._produce(records)
        return events

    def assigned(self) -> list[int]:
        """The partitions that this process is to apply now."""
        with _told_errors(self._servers):
            if self._writer is None:
                self._writer = _GroupReader(self._connection(), self.topic, "writers")
            return self._writer.assigned()

    def read(self, partition: int, offset: int, limit: int) -> list[tuple[int, Event | None]]:
        """(offset, event) of an assigned partition from an offset on; None for what cannot be decoded."""
        if self._writer is None:
            return []
        with _told_errors(self._servers):
            messages = self._writer.read(partition, offset, limit)
        return [(_offset(message), self._decode(message)) for message in messages]

    def end(self, partition: int) -> int:
        """The offset that the next event of a partition gets."""
        with _told_errors(self._servers):
            if self._ends is None:
                self._ends = Consumer(self._reading("ends"))
            return _watermarks(self._ends, self.topic, partition)[1]

    def trim(self, applied: dict[int, int], days: float, megabytes: int) -> int:
        """Remove applied events that are too old; returns how many. Their size is the broker's to bound."""
        before = round((self._clock() - days * 86400) * 1000)
        with _told_errors(self._servers), _closing(Consumer(self._reading("trim"))) as consumer:
            wanted = [TopicPartition(self.topic, partition, before) for partition in applied]
            young = {found.partition: found.offset for found in consumer.offsets_for_times(wanted, CONNECT_SECONDS)}
            removed, parts = 0, []
            for partition, offset in applied.items():
                first, end = _watermarks(consumer, self.topic, partition)
                # No event is younger: -1.
                until = min(offset, young[partition] if young[partition] >= 0 else end)
                if until > first:
                    removed += until - first
                    parts.append(TopicPartition(self.topic, partition, until))
            if parts:
                admin = AdminClient(self._connection())  # Its answers come only while it is there.
                for done in admin.delete_records(parts).values():
                    done.result()
        return removed

    def take_call(self, calls: int, window: float) -> float:
        """Take one of `calls` calls to the feed in any `window` seconds, for all workers on this log."""
        topic = f"{self.topic}.feed"
        with _told_errors(self._servers):
            if self._poller is None:
                self._poller = _GroupReader(self._connection(), topic, "pollers")
            if not self._poller.assigned():
                return NOT_MY_TURN_SECONDS
            # What others did before is read again each time: it is a handful of records.
            low, high = self._poller.watermarks(0)
            first = max(low, high - calls)
            records = self._poller.read(0, first, calls)
            if len(records) < high - first:
                return READ_SECONDS
        now = self._clock()
        # The clock may have gone back, here or on the machine that called before; that must not block for longer.
        taken = sorted(at for record in records if (at := min(now, float(record.value() or 0))) + window > now)
        if len(taken) >= calls:
            return taken[-calls] + window - now
        self._produce([(topic, 0, None, repr(now).encode())])
        return 0.0

    def bury(self, body: str, reason: str) -> None:
        """Keep something unreadable as a dead letter; the same once more is kept once."""
        key = hashlib.sha256(f"{reason}\0{body}".encode(errors="backslashreplace")).hexdigest()
        letter = json.dumps({"at": utc_now().isoformat(), "reason": reason, "body": body})
        self._produce([(f"{self.topic}.dead", 0, key.encode(), letter.encode())])

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""
        return list(self._letters().values())

    def drop_letters(self, letter_ids: list[int]) -> int:
        """Remove dead letters; returns how many there were."""
        keys = [key for key, letter in self._letters().items() if letter.letter_id in letter_ids]
        self._produce([(f"{self.topic}.dead", 0, key, None) for key in keys])
        return len(keys)

    def _letters(self) -> dict[bytes, DeadLetter]:
        letters: dict[bytes, DeadLetter] = {}
        topic = f"{self.topic}.dead"
        with _told_errors(self._servers), _closing(Consumer(self._reading("letters"))) as consumer:
            low, high = _watermarks(consumer, topic, 0)
            consumer.assign([TopicPartition(topic, 0, low)])
            position = low
            while position < high:
                message = consumer.poll(CONNECT_SECONDS)
                if message is None:
                    raise EventLogError(f"Kafka's topic {topic} cannot be read to its end")
                if error := message.error():
                    raise KafkaException(error)
                position = _offset(message) + 1
                key, value = message.key() or b"", message.value()
                if value is None:
                    letters.pop(key, None)
                elif key not in letters:
                    told = json.loads(value)
                    at = datetime.fromisoformat(told["at"])
                    letters[key] = DeadLetter(_offset(message), at, told["reason"], told["body"])
        return letters

    def _partitions_of(self, event: Event) -> Iterator[int]:
        """A marker that a poll is complete concerns the users of all partitions."""
        if event.type is EventType.POLLED:
            yield from range(self.partitions)
        else:
            yield (event.user_id or 0) % self.partitions

    def _produce(self, records: Sequence[tuple[str, int, bytes | None, bytes | None]]) -> None:
        """Send records and wait until all are stored."""
        errors: list[KafkaError | None] = []  # of each record, as it is stored or not; any thread may be told
        deadline = time.monotonic() + 2 * DELIVERY_SECONDS
        with _told_errors(self._servers):
            for topic, partition, key, value in records:
                while True:
                    try:
                        self._producer.produce(
                            topic, value, key, partition, on_delivery=lambda error, _: errors.append(error)
                        )
                        break
                    except BufferError:
                        self._producer.poll(READ_SECONDS)
            while len(errors) < len(records) and time.monotonic() < deadline:
                self._producer.poll(READ_SECONDS)
        failed = [error.str() for error in errors if error] or ["no answer"] * (len(errors) < len(records))
        if failed:
            raise EventLogError(f"Kafka at {self._servers} did not take all events: {failed[0]}")

    def _decode(self, message: Message) -> Event | None:
        body = message.value() or b""
        try:
            return Event.model_validate_json(body)
        except ValidationError as error:
            reason = f"event {message.partition()}/{message.offset()} is unreadable: {error.errors()[0]['msg']}"
            self.bury(body.decode(errors="replace"), reason)
            return None

    def _connection(self) -> dict[str, Any]:
        return {"bootstrap.servers": self._servers, "client.id": "recommender", "log_level": 2}

    def _reading(self, group: str) -> dict[str, Any]:
        return {**self._connection(), "group.id": f"{self.topic}-{group}", "enable.auto.commit": False}

    def _create_topics(self) -> int:
        """Make the topics that are not there; returns the number of the events' partitions."""
        admin = AdminClient(self._connection())
        known = admin.list_topics(timeout=CONNECT_SECONDS)
        replicas = min(REPLICAS, len(known.brokers))
        wanted = [
            # What is not applied must not go: `trim` removes the rest.
            NewTopic(self.topic, PARTITIONS, replicas, config={"retention.ms": "-1"}),
            NewTopic(f"{self.topic}.dead", 1, replicas, config={"cleanup.policy": "compact"}),
            NewTopic(f"{self.topic}.feed", 1, replicas),
        ]
        missing = [topic for topic in wanted if topic.topic not in known.topics]
        for created in admin.create_topics(missing).values() if missing else ():
            try:
                created.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
        deadline = time.monotonic() + CONNECT_SECONDS
        while not (found := admin.list_topics(self.topic, timeout=CONNECT_SECONDS).topics[self.topic].partitions):
            if time.monotonic() > deadline:
                raise EventLogError(f"Kafka does not make the topic {self.topic}")
            time.sleep(READ_SECONDS)
        return len(found)


class _GroupReader:
    """A member of a consumer group that reads its partitions from wherever it is told."""

    def __init__(self, connection: dict[str, Any], topic: str, group: str) -> None:
        self._topic = topic
        self._read: dict[int, deque[Message]] = {}
        self._next: dict[int, int] = {}
        self._consumer = Consumer(
            {
                **connection,
                "group.id": f"{topic}-{group}",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": round(SESSION_SECONDS * 1000),
                "heartbeat.interval.ms": round(SESSION_SECONDS * 1000 / 4),
            }
        )
        self._consumer.subscribe([topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def assigned(self) -> list[int]:
        """The partitions that this member has now."""
        self._consume(1000, 0.0)
        return sorted(self._read)

    def watermarks(self, partition: int) -> tuple[int, int]:
        """First offset, and the one after the last."""
        return _watermarks(self._consumer, self._topic, partition)

    def read(self, partition: int, offset: int, limit: int) -> list[Message]:
        """Messages from an offset on. The same again as long as it is asked for."""
        if partition not in self._read:
            return []
        read = self._read[partition]
        first = _offset(read[0]) if read else self._next[partition]
        if not first <= offset <= self._next[partition]:
            try:
                self._consumer.seek(TopicPartition(self._topic, partition, offset))
            except KafkaException as error:
                if error.args[0].code() == KafkaError._STATE:
                    return []
                raise
            read.clear()
            self._next[partition] = offset
        while read and _offset(read[0]) < offset:
            read.popleft()
        deadline = time.monotonic() + READ_SECONDS
        while len(read) < limit and self._consume(limit, max(0.0, deadline - time.monotonic())):
            pass
        read = self._read.get(partition, deque())
        return [message for _, message in zip(range(limit), read, strict=False)]

    def _consume(self, limit: int, seconds: float) -> int:
        if sum(map(len, self._read.values())) >= BUFFERED:
            return 0
        messages = self._consumer.consume(limit, seconds)
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            partition = message.partition()
            # One that was on its way when the position was moved belongs nowhere.
            if partition in self._read and _offset(message) >= self._next[partition]:
                self._read[partition].append(message)
                self._next[partition] = _offset(message) + 1
        return len(messages)

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            partition.offset = 0
            self._read[partition.partition] = deque()
            self._next[partition.partition] = 0
        consumer.assign(partitions)

    def _revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self._read.pop(partition.partition, None)


def _watermarks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """First offset of a partition, and the one after the last; a broker may not know yet that it leads a new one."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=CONNECT_SECONDS)
            return int(low), int(high)
        except KafkaException as error:
            if error.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                raise
            time.sleep(READ_SECONDS)


def _offset(message: Message) -> int:
    return message.offset() or 0


@contextmanager
def _closing(consumer: Consumer) -> Iterator[Consumer]:
    try:
        yield consumer
    finally:
        consumer.close()


@contextmanager
def _told_errors(servers: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise EventLogError(f"Kafka at {servers}: {error.args[0].str()}") from error
