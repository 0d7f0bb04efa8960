"""Time as the graph has it: `localdatetime` in UTC, to the millisecond."""

from datetime import UTC, datetime

from neo4j.time import DateTime


def utc_now() -> datetime:
    """The present moment, UTC without a zone."""
    return to_utc(datetime.now(UTC))


def to_utc(moment: datetime) -> datetime:
    """A moment in UTC without a zone, to the millisecond; one without a zone counts as UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def native(moment: DateTime | None) -> datetime | None:
    """A moment as Python's own type, of one that the driver read."""
    return moment.to_native() if moment is not None else None
