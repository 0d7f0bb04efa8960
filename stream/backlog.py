"""How far the graph is behind the event log."""

from graph.repositories.ingest import Ingest
from stream.event_log.base import EventLog


def measure_backlog(log: EventLog, ingest: Ingest) -> int:
    """The events on the log that are not in the graph by the writer's count; those of a POST may be there already.

    Raises DatabaseUnavailableError and EventLogError.
    """
    positions = ingest.read_offsets(log.name)
    ends = {partition: log.end(partition) for partition in range(log.partitions)}
    return sum(max(0, end - positions.get(partition, 0)) for partition, end in ends.items())
