"""The configured event log."""

from common.settings import Settings
from stream.kafka_log import KafkaEventLog
from stream.log import EventLog
from stream.sqlite_log import SqliteEventLog


def open_log(settings: Settings) -> EventLog:
    """The configured log. Raises EventLogError if it cannot be opened."""
    if settings.event_log.startswith("kafka://"):
        return KafkaEventLog(settings.event_log)
    return SqliteEventLog(settings.event_log_path)
