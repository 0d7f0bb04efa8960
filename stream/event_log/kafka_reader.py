"""Reading Kafka's partitions from wherever the graph says, as a member of a consumer group."""

import time
from collections import deque
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

CONNECT_SECONDS = 5.0
# A worker that is not heard of for so long loses its partitions to the others.
SESSION_SECONDS = 10.0
READ_SECONDS = 0.05
# Messages that are held at a time, of all partitions of a reader.
BUFFERED = 20_000
# What is said of partitions that were made just now.
NOT_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
}


class GroupReader:
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
        return find_watermarks(self._consumer, self._topic, partition)

    def read(self, partition: int, offset: int, limit: int) -> list[Message]:
        """Messages from an offset on. The same again as long as it is asked for."""
        if partition not in self._read:
            return []
        read = self._read[partition]
        first = offset_of(read[0]) if read else self._next[partition]
        if not first <= offset <= self._next[partition]:
            try:
                self._consumer.seek(TopicPartition(self._topic, partition, offset))
            except KafkaException as error:
                if error.args[0].code() == KafkaError._STATE:
                    return []
                raise
            read.clear()
            self._next[partition] = offset
        while read and offset_of(read[0]) < offset:
            read.popleft()
        deadline = time.monotonic() + READ_SECONDS
        while len(read) < limit and self._consume(limit, max(0.0, deadline - time.monotonic())):
            pass
        if (
            self._read.get(partition) is not read
        ):  # It was taken away meanwhile, and may be here again from its beginning.
            return []
        return [message for _, message in zip(range(limit), read, strict=False)]

    def _consume(self, limit: int, seconds: float) -> int:
        if sum(map(len, self._read.values())) >= BUFFERED:
            return 0
        consumed = self._consumer.consume(limit, seconds)
        # The messages beside an error come only once.
        messages = [message for message in consumed if not message.error()]
        for message in messages:
            partition = message.partition()
            # One that was on its way when the position was moved belongs nowhere.
            if partition in self._read and offset_of(message) >= self._next[partition]:
                self._read[partition].append(message)
                self._next[partition] = offset_of(message) + 1
        for message in consumed:
            if error := message.error():
                raise KafkaException(error)
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


def find_watermarks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
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


def offset_of(message: Message) -> int:
    return message.offset() or 0
