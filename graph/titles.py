"""What counts as a movie's title, wherever it comes from.

A movie without one is offered to nobody: queries that offer movies ask whether the title is there, so whoever writes
titles must leave out those that are none.
"""


def title_of(text: str | None) -> str | None:
    """The title, or None if nothing of it can be seen."""
    shows = text is not None and any(sign.isprintable() and not sign.isspace() for sign in text)
    return text if shows else None
