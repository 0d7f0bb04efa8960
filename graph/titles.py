"""What counts as a movie's title, wherever it comes from.

A movie without one is offered to nobody: queries that offer movies ask whether the title is there, so whoever writes
titles must leave out those that are none.
"""

import re

# C0 and C1 controls, separators of lines, and what changes the direction of all that follows (Unicode's Bidi_Control).
CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# White space, and what is drawn as nothing by itself (Unicode's Default_Ignorable_Code_Point, the empty braille cell).
INVISIBLE = (
    r"\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
_ASTRAL = r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
VISIBLE = re.compile(f"[^{CONTROLS}{INVISIBLE}{_ASTRAL}]")


def title_of(text: str | None) -> str | None:
    """The title, or None if nothing of it can be seen."""
    return text if text is not None and VISIBLE.search(text) else None
