"""Moments as clients write them: RFC 3339, or ISO 8601 without zone or seconds."""

import re
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from stream.events import Moment

# The 29th of February is there in leap years alone; neither 1900 nor 2100 is one.
_DAY = (
    "(?:(?:19|2[01])[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:(?:19|2[01])(?:0[48]|[2468][048]|[13579][26])|2000)-02-29)"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:[.,][0-9]+)?)?"
_ZONE = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"
# As JavaScript, Python and Rust read it: it stands in the document, too.
PATTERN = f"^{_DAY}[Tt ]{_TIME}{_ZONE}$"
LEAP_SECOND = re.compile("(:[0-5][0-9]):60")


def read_moment(written: object) -> object:
    """A moment of its text; a leap second counts as the one after it.

    Pydantic would also take numbers and bare dates, of which nobody knows what was meant.
    """
    if written is None:
        return None
    if not isinstance(written, str) or not re.fullmatch(PATTERN, written):
        raise ValueError("not a moment of the form 2026-05-04T20:15:00Z, of 1900 or later")
    text, leaps = LEAP_SECOND.subn(r"\1:59", written.upper())
    return datetime.fromisoformat(text) + timedelta(seconds=leaps)


WrittenMoment = Annotated[
    Moment | None,
    BeforeValidator(read_moment),
    # The format is that of `date-time` with an optional zone, by the name that validators have for it.
    WithJsonSchema({"anyOf": [{"type": "string", "format": "iso-date-time", "pattern": PATTERN}, {"type": "null"}]}),
]
