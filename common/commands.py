"""What all our commands share: clear errors, exit codes, progress bars."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from tqdm import tqdm

from common.disk import is_full
from common.errors import RecommenderError

NO_SPACE = os.strerror(errno.ENOSPC)


class CommandGroup(click.Group):
    """A group of commands that ends with one clear line and exit 1 where we know what went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a RecommenderError, or a full disk, becomes `Error: …` on stderr and exit 1."""
        try:
            return super().invoke(ctx)
        except RecommenderError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if not is_full(error):
                raise
            raise click.ClickException(describe_full_disk(error)) from error


@contextmanager
def translated_system_failures() -> Iterator[None]:
    """A full disk and other failures of the system become a RecommenderError."""
    try:
        yield
    except OSError as error:
        if is_full(error) or NO_SPACE in str(error):  # polars tells no number
            raise RecommenderError(describe_full_disk(error)) from error
        raise RecommenderError(str(error)) from error


def describe_full_disk(error: OSError) -> str:
    """What to do about a full disk."""
    return (
        f"the disk is full ({error}): free some room, or move RECOMMENDER_DATA and NEO4J_HOME; "
        "then run the same command again"
    )


def progress_bar(description: str, total: int, unit: str, *, quiet: bool) -> "tqdm[NoReturn]":
    """A bar that counts up to `total` units; silent if asked, and where stderr is no terminal."""
    return tqdm(total=total, unit=unit, unit_scale=True, desc=description, disable=quiet or None, dynamic_ncols=True)
