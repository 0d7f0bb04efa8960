"""What all our commands share: clear errors, exit codes, logging."""

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from graph.errors import RecommenderError
from graph.log_format import make_formatter
from graph.settings import Settings

NO_SPACE = os.strerror(errno.ENOSPC)


class CommandGroup(click.Group):
    """A group of commands that ends with one clear line and exit 1 where we know what went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a RecommenderError becomes `Error: …` on stderr and exit 1."""
        try:
            return super().invoke(ctx)
        except RecommenderError as error:
            raise click.ClickException(str(error)) from error


@contextmanager
def told_system_failures() -> Iterator[None]:
    """A full disk and other failures of the system become a RecommenderError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or NO_SPACE in str(error):  # polars tells no number
            raise RecommenderError(
                f"the disk is full ({error}): free some room, or move RECOMMENDER_DATA and NEO4J_HOME; "
                "then run the same command again"
            ) from error
        raise RecommenderError(str(error)) from error


def start_logging(settings: Settings) -> None:
    """Log to stderr, results go to stdout."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(make_formatter(settings.log_format))
    logging.basicConfig(handlers=[handler], level=settings.log_level)
    for library in ("neo4j", "urllib3", "werkzeug"):
        logging.getLogger(library).setLevel(logging.ERROR)
