"""Titles and other names that people read: there is something to see, and nothing that hides or turns the rest."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

# C0 and C1 controls, separators of lines, and what changes the direction of all that follows (Unicode's Bidi_Control).
_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# White space, and what is drawn as nothing by itself (Unicode's Default_Ignorable_Code_Point, the empty braille cell).
_INVISIBLE = (
    r"\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
_INVISIBLE_ASTRAL = r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
# Half of a surrogate pair is no character at all; Rust's patterns, by which the document is read, too, cannot name it.
CONTROL = re.compile(rf"[{_CONTROLS}\ud800-\udfff]")
VISIBLE = re.compile(f"[^{_CONTROLS}{_INVISIBLE}{_INVISIBLE_ASTRAL}]")
# For the document, where many read it as JavaScript without its flag u: that breaks on astral characters in a class.
PATTERN = f"^[^{_CONTROLS}]*[^{_CONTROLS}{_INVISIBLE}][^{_CONTROLS}]*$"


def check_shown(text: str) -> str:
    """A text that can be shown. Raises ValueError, which names the character that is in the way."""
    if found := CONTROL.search(text):
        raise ValueError(f"has the character U+{ord(found[0]):04X}, which cannot be shown")
    if not VISIBLE.search(text):
        raise ValueError("is blank")
    return text


ShownText = Annotated[
    str,
    AfterValidator(check_shown),
    Field(
        min_length=1,
        description="Something can be seen of it, astral characters included, and it has no control characters",
        json_schema_extra={"pattern": PATTERN},
    ),
]
