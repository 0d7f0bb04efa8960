"""The event log: its interface (`base`), SQLite's and Kafka's, and which one is configured."""

from common.settings import Settings
from stream.event_log.base import EventLog
from stream.event_log.kafka import KafkaEventLog
from stream.event_log.sqlite import SqliteEventLog


def open_log(settings: Settings) -> EventLog:
    """The configured log. Raises EventLogError if it cannot be opened."""
    if settings.event_log.startswith("kafka://"):
        return KafkaEventLog(settings.event_log)
    return SqliteEventLog(settings.event_log_path)
