"""Recognising by its name what a file of a data set is."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Literal

from loader.formats.accounts import Account, Rejects
from loader.formats.lines import Lines, MovieRow
from loader.formats.movielens import MovieLensLines, TitleLayout
from loader.formats.netflix import NetflixLines, read_netflix_titles

TitleReader = Callable[[str, BinaryIO, Account, Rejects], list[MovieRow]]


@dataclass(frozen=True)
class RatingsFormat:
    """One way in which ratings are distributed: the names of its files, how their lines are read, and its titles.

    `open_lines` takes the last moment that is believed, in milliseconds since 1970.
    """

    name: str
    catalogue: str
    pattern: str
    open_lines: Callable[[int], Lines]
    titles: tuple[str, ...]


def _netflix_ratings(latest: int) -> Lines:
    return NetflixLines(rated=True, dated=True, latest=latest)


def _movielens_ratings(separator: str) -> Callable[[int], Lines]:
    return partial(MovieLensLines, separator)


NETFLIX_TITLES = ("movie_titles.csv", "movie_titles.txt")
RATINGS_FORMATS = (
    RatingsFormat("combined_data_*.txt", "netflix-prize", r"combined_data_\d+\.txt", _netflix_ratings, NETFLIX_TITLES),
    RatingsFormat("training_set/mv_*.txt", "netflix-prize", r"mv_\d+\.txt", _netflix_ratings, NETFLIX_TITLES),
    RatingsFormat("ratings.csv", "movielens", r"ratings\.csv", _movielens_ratings(","), ("movies.csv",)),
    RatingsFormat("ratings.dat", "movielens", r"ratings\.dat", _movielens_ratings("::"), ("movies.dat",)),
    RatingsFormat("u.data", "movielens", r"u\.data", _movielens_ratings("\t"), ("u.item",)),
)
TITLE_FILES: dict[str, TitleReader] = {
    "movie_titles.csv": read_netflix_titles,
    "movie_titles.txt": read_netflix_titles,
    "movies.csv": TitleLayout(",", "utf-8", has_header=True).read,
    "movies.dat": TitleLayout("::", "latin-1").read,
    "u.item": TitleLayout("|", "latin-1", has_genres=False).read,
}
SETS: dict[str, Literal["probe", "qualifying"]] = {"probe.txt": "probe", "qualifying.txt": "qualifying"}


def find_ratings_format(basename: str) -> RatingsFormat | None:
    """The format whose ratings a file of this name holds, or None."""
    return next((known for known in RATINGS_FORMATS if re.fullmatch(known.pattern, basename)), None)


def is_ratings_file(basename: str) -> bool:
    """Whether a file of this name holds ratings."""
    return find_ratings_format(basename) is not None


def is_wanted(basename: str) -> bool:
    """Whether a file of this name belongs to a data set that we know."""
    return is_ratings_file(basename) or basename in TITLE_FILES or basename in SETS
