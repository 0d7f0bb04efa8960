"""Time as the graph has it: `localdatetime` in UTC, to the millisecond."""

from datetime import UTC, datetime, timedelta

# A moment that is later than all that happens.
NEVER = datetime(9999, 12, 31)
EPOCH = datetime(1970, 1, 1)
DAY = 86_400_000  # milliseconds


def utc_now() -> datetime:
    """The present moment, UTC without a zone."""
    return to_utc(datetime.now(UTC))


def to_utc(moment: datetime) -> datetime:
    """A moment in UTC without a zone, to the millisecond; one without a zone counts as UTC."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def milliseconds_of(moment: datetime) -> int:
    """A moment as milliseconds since 1970; dividing by a timedelta takes twenty times as long."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def text_of(moment: datetime | None) -> str | None:
    """A moment as the text that Cypher's `localdatetime` takes: a tenth of what the driver needs to pack a datetime."""
    return moment.isoformat() if moment is not None else None


def moment_of(text: str | None) -> datetime | None:
    """A moment of its text, as Cypher's `toString` gives it."""
    return datetime.fromisoformat(text) if text is not None else None


def moment_after(milliseconds: int) -> datetime:
    """The moment so many milliseconds after the beginning of 1970."""
    return EPOCH + timedelta(milliseconds=milliseconds)
