"""What Schemathesis cannot know: the moments we take lie between 1900 and now."""

from datetime import UTC, datetime

import schemathesis
from hypothesis import strategies

MOMENTS = strategies.datetimes(datetime(1901, 1, 1), datetime.now(UTC).replace(tzinfo=None)).map(
    lambda moment: moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
)

schemathesis.openapi.format("iso-date-time", MOMENTS)
