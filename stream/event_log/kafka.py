"""The durable event log in Kafka, for more than one machine. An event counts as received once its replicas have it.

Topics: TOPIC for the events, TOPIC.dead (compacted) for the dead letters, TOPIC.feed for the calls to the feed; whoever
has that one's partition leads.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from pydantic import ValidationError

from common.times import utc_now
from stream.event_log.base import LONGEST_BODY, DeadLetter, EventLogError, digest_letter
from stream.event_log.kafka_reader import (
    CONNECT_SECONDS,
    READ_SECONDS,
    SESSION_SECONDS,
    GroupReader,
    find_watermarks,
    offset_of,
)
from stream.events import Event, EventType

# Of topics that we make; an operator may make them with other numbers before.
PARTITIONS = 6
REPLICAS = 3
DELIVERY_SECONDS = 5.0
NOT_LEADING_SECONDS = 1.0
# A dead letter that was dropped is still on the broker's disk for so long.
COMPACTED_WITHIN = {"cleanup.policy": "compact", "max.compaction.lag.ms": "86400000"}
# Leadership that was not confirmed for so long may be another worker's: less than the group's session.
LEASE_SECONDS = SESSION_SECONDS / 2


class KafkaEventLog:
    """Events in a topic, partitioned by user."""

    def __init__(self, url: str) -> None:
        """`url`: kafka://HOST:PORT[,HOST:PORT]/TOPIC."""
        parts = urlsplit(url)
        self.topic = parts.path.strip("/")
        if parts.scheme != "kafka" or not parts.netloc or not self.topic or "/" in self.topic:
            raise EventLogError(f"RECOMMENDER_EVENT_LOG: {url!r} is not of the form kafka://HOST:PORT/TOPIC")
        self._servers = parts.netloc
        self._writer: GroupReader | None = None
        self._leader: GroupReader | None = None
        self._led_at = float("-inf")  # when this process was last known to lead
        self._leader_lock = threading.Lock()
        self._ends: Consumer | None = None
        with _translated_errors(self._servers):
            self.partitions, topic_id = self._create_topics()
            self._producer = Producer(
                {
                    **self._connection(),
                    "acks": "all",
                    "enable.idempotence": True,
                    "linger.ms": 2,
                    "delivery.timeout.ms": round(DELIVERY_SECONDS * 1000),
                }
            )
        # A topic of that name that is made anew has other offsets.
        self.name = f"kafka:{self.topic}:{topic_id}"

    @property
    def leading(self) -> bool:
        """Whether this process is the one worker that polls, recommends and delivers; lead() found so just now."""
        return time.monotonic() - self._led_at < LEASE_SECONDS

    def lead(self) -> bool:
        """Become that worker, or stay it, if nobody else is: the group gives TOPIC.feed's partition to one member."""
        asked_at = time.monotonic()
        with self._leader_lock, _translated_errors(self._servers):
            if self._leader is None:
                self._leader = GroupReader(self._connection(), f"{self.topic}.feed", "leaders")
            self._led_at = asked_at if self._leader.assigned() else float("-inf")
        return self.leading

    def close(self) -> None:
        """Leave what this process is assigned to others, at once."""
        if self._writer is not None:
            self._writer.close()
        with self._leader_lock:
            if self._leader is not None:
                self._leader.close()
            self._leader = None
        if self._ends is not None:
            self._ends.close()
        self._writer = self._ends = None
        self._led_at = float("-inf")

    def check(self) -> str:
        """What this log is, for people. Raises EventLogError if it cannot take events now."""
        with _translated_errors(self._servers):
            topic = self._producer.list_topics(self.topic, timeout=CONNECT_SECONDS).topics[self.topic]
        if any(partition.leader < 0 for partition in topic.partitions.values()):
            raise EventLogError(f"a partition of Kafka's topic {self.topic} has no leader")
        return f"kafka {self.topic}, {len(topic.partitions)} partitions"

    def append(self, events: list[Event], *, again: bool = False) -> list[Event]:
        """Store events durably; returns them as stored. Raises EventLogError if not all of them are known to be.

        A topic takes an event as often as it comes, so `again` makes no difference.
        """
        # A poll counts once its marker is there, so that comes after all its sightings.
        for markers in (False, True):
            self._produce(
                [
                    (self.topic, partition, None, event.model_dump_json(by_alias=True, exclude_none=True).encode())
                    for event in events
                    if (event.type is EventType.POLLED) is markers
                    for partition in self._partitions_of(event)
                ]
            )
        return events

    def assigned(self) -> list[int]:
        """The partitions that this process is to apply now."""
        with _translated_errors(self._servers):
            if self._writer is None:
                self._writer = GroupReader(self._connection(), self.topic, "writers")
            return self._writer.assigned()

    def read(self, partition: int, offset: int, limit: int) -> list[tuple[int, Event | None]]:
        """(offset, event) of an assigned partition from an offset on; None for what cannot be decoded."""
        if self._writer is None:
            return []
        with _translated_errors(self._servers):
            messages = self._writer.read(partition, offset, limit)
        return [(offset_of(message), self._decode(message)) for message in messages]

    def end(self, partition: int) -> int:
        """The offset that the next event of a partition gets."""
        with _translated_errors(self._servers):
            if self._ends is None:
                self._ends = Consumer(self._reading("ends"))
            return find_watermarks(self._ends, self.topic, partition)[1]

    def trim(self, applied: dict[int, int], days: float, megabytes: int) -> int:
        """Remove applied events that are too old; returns how many. Their size is the broker's to bound."""
        if not applied:
            return 0
        before = round((time.time() - days * 86400) * 1000)
        with _translated_errors(self._servers), _closing(Consumer(self._reading("trim"))) as consumer:
            wanted = [TopicPartition(self.topic, partition, before) for partition in applied]
            young = {found.partition: found.offset for found in consumer.offsets_for_times(wanted, CONNECT_SECONDS)}
            removed, parts = 0, []
            for partition, offset in applied.items():
                first, end = find_watermarks(consumer, self.topic, partition)
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

    def forget(self, user_ids: set[int], before: datetime, seconds: float) -> int:
        """A record of a topic cannot be changed: events of erased users go with the others, when they are trimmed."""
        return 0

    def take_call(self, calls: int, window: float) -> float:
        """Take one of `calls` calls to the feed in any `window` seconds, for all workers on this log."""
        topic = f"{self.topic}.feed"
        if not self.lead() or self._leader is None:
            return NOT_LEADING_SECONDS
        with self._leader_lock, _translated_errors(self._servers):
            # What others did before is read again each time: it is a handful of records.
            low, high = self._leader.watermarks(0)
            first = max(low, high - calls)
            records = self._leader.read(0, first, calls)
            if len(records) < high - first:
                return READ_SECONDS
        now = time.time()
        # The clock may have gone back, here or on the machine that called before; that must not block for longer.
        taken = sorted(at for record in records if (at := min(now, float(record.value() or 0))) + window > now)
        if len(taken) >= calls:
            return taken[-calls] + window - now
        self._produce([(topic, 0, None, repr(now).encode())])
        return 0.0

    def bury(self, body: str, reason: str) -> None:
        """Keep something unreadable as a dead letter; the same once more is kept once."""
        letter = json.dumps({"at": utc_now().isoformat(), "reason": reason, "body": body[:LONGEST_BODY]})
        self._produce([(f"{self.topic}.dead", 0, digest_letter(body, reason).encode(), letter.encode())])

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""
        return list(self._letters().values())

    def count_letters(self) -> int:
        """How many dead letters there are."""
        return len(self._letters())

    def drop_letters(self, letter_ids: list[int]) -> int:
        """Remove dead letters; returns how many there were."""
        keys = [key for key, letter in self._letters().items() if letter.letter_id in letter_ids]
        self._produce([(f"{self.topic}.dead", 0, key, None) for key in keys])
        return len(keys)

    def _letters(self) -> dict[bytes, DeadLetter]:
        letters: dict[bytes, DeadLetter] = {}
        topic = f"{self.topic}.dead"
        with _translated_errors(self._servers), _closing(Consumer(self._reading("letters"))) as consumer:
            low, high = find_watermarks(consumer, topic, 0)
            consumer.assign([TopicPartition(topic, 0, low)])
            position = low
            while position < high:
                message = consumer.poll(CONNECT_SECONDS)
                if message is None:
                    raise EventLogError(f"Kafka's topic {topic} cannot be read to its end")
                if error := message.error():
                    raise KafkaException(error)
                position = offset_of(message) + 1
                key, value = message.key() or b"", message.value()
                if value is None:
                    letters.pop(key, None)
                elif key not in letters:
                    told = json.loads(value)
                    at = datetime.fromisoformat(told["at"])
                    letters[key] = DeadLetter(offset_of(message), at, told["reason"], told["body"])
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
        with _translated_errors(self._servers):
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

    def _create_topics(self) -> tuple[int, str]:
        """Make the topics that are not there; returns the number of the events' partitions, and the topic's own id."""
        admin = AdminClient(self._connection())
        known = admin.list_topics(timeout=CONNECT_SECONDS)
        replicas = min(REPLICAS, len(known.brokers))
        safe = {"min.insync.replicas": str(max(1, replicas - 1))}
        wanted = [
            # What is not applied must not go: `trim` removes the rest.
            NewTopic(self.topic, PARTITIONS, replicas, config={**safe, "retention.ms": "-1"}),
            NewTopic(f"{self.topic}.dead", 1, replicas, config={**safe, **COMPACTED_WITHIN}),
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
        described = admin.describe_topics(TopicCollection([self.topic]))[self.topic].result()
        return len(found), str(described.topic_id)


@contextmanager
def _closing(consumer: Consumer) -> Iterator[Consumer]:
    try:
        yield consumer
    finally:
        consumer.close()


@contextmanager
def _translated_errors(servers: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise EventLogError(f"Kafka at {servers}: {error.args[0].str()}") from error
