"""Time as the graph has it: `localdatetime` in UTC, to the millisecond."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment, UTC without a zone."""
    return to_utc(datetime.now(UTC))


def to_utc(moment: datetime) -> datetime:
    """A moment in UTC without a zone, to the millisecond; one without a zone counts as UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
