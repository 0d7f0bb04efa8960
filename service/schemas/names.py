"""Titles and other names that people read: there is something to see, and nothing that hides or turns the rest."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from graph.titles import CONTROLS, INVISIBLE, VISIBLE

# Half of a surrogate pair is no character at all; Rust's patterns, by which the document is read, too, cannot name it.
CONTROL = re.compile(rf"[{CONTROLS}\ud800-\udfff]")
# For the document, where many read it as JavaScript without its flag u: that breaks on astral characters in a class.
PATTERN = f"^[^{CONTROLS}]*[^{CONTROLS}{INVISIBLE}][^{CONTROLS}]*$"


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
