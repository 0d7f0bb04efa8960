"""Invented ratings in the Netflix Prize's format and with its shapes, for tests and for those without the data.

Users draw movies according to their tastes and are then spilled by movie, since the format lists ratings by movie.
Stars are cut from scores when all scores are known, so that Netflix's shares of 1 to 5 stars are met at any size.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.random import Generator

from common.errors import RecommenderError
from graph.repositories.interactions import LARGEST_ID
from loader.synthesis.formatting import (
    DATE_LENGTH,
    LONGEST_HEADER,
    LONGEST_LINE,
    SCORE_LIMIT,
    format_ratings,
    group_records,
)
from loader.synthesis.kernels import BLOCKS, LATEST, draw_ratings
from loader.synthesis.population import ID_RATIO, draw_years, make_movies, make_users
from loader.synthesis.tables import END_DAY, FIRST_DAY, RECORD, Bytes, Integers, Movies, Records, Users
from loader.synthesis.titles import make_titles

FILES = 4
PARTS = 64  # spilled files; what one of them holds is in memory at once
CHUNK = 2_000_000  # ratings drawn at once
MOST_MOVIES = 200_000  # the tables of tastes have 64 MB each then
STAR_SHARES = np.array([4.6, 10.1, 28.7, 33.6, 23.1])
PROBE_SHARE = 1_408_395 / 100_480_507
UNKNOWN_YEARS = 1 / 2500  # as rare as NULL is in Netflix's titles


class SynthesisError(RecommenderError):
    """Data of this size cannot be made, or not in this folder."""


@dataclass(frozen=True)
class Size:
    """How many users, movies and ratings; the defaults are Netflix's. Raises SynthesisError if they do not fit."""

    users: int = 480_189
    movies: int = 17_770
    ratings: int = 100_480_507

    def __post_init__(self) -> None:
        for name in ("users", "movies", "ratings"):
            if getattr(self, name) < 1:
                raise SynthesisError(f"{name} is {getattr(self, name):,}: give a positive number")
        most_users = int((LARGEST_ID - 1) / ID_RATIO)
        if self.users > most_users:
            raise SynthesisError(f"users is {self.users:,}: give at most {most_users:,}, so that ids fit in 31 bits")
        if self.movies > MOST_MOVIES:
            raise SynthesisError(
                f"movies is {self.movies:,}: give at most {MOST_MOVIES:,}, so that their tastes fit in memory"
            )
        if self.ratings < self.users:
            raise SynthesisError(
                f"ratings is {self.ratings:,}: give at least one for each user, {self.users:,}, or fewer users"
            )
        most = self.users * self.movies // 3
        if self.ratings > most:
            raise SynthesisError(f"ratings is {self.ratings:,}: give at most {most:,}, a third of users x movies")


def synthesize(folder: Path, size: Size, seed: int, progress: Callable[[int], object]) -> None:
    """Write combined_data_1.txt to _4, movie_titles.csv and probe.txt into a new or empty folder.

    The same size and seed give the same bytes. `progress` is told numbers of ratings that add up to size.ratings, half
    of them while they are drawn. All files appear together at the end; an error or Ctrl-C leaves none. Raises
    SynthesisError if the folder holds anything or cannot be written.
    """
    if seed < 0:
        raise SynthesisError(f"seed is {seed}: give 0 or a positive number")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SynthesisError(f"{folder} is not empty: empty it, or name a new folder")
        with tempfile.TemporaryDirectory(prefix="synthesis-", dir=folder) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            _make(made, Path(temporary), size, np.random.default_rng(seed), _halved(progress))
            for file in sorted(made.iterdir()):
                file.rename(folder / file.name)
    except OSError as error:
        raise SynthesisError(f"cannot write to {folder}: {error}; free room, or name another folder") from error


def _halved(progress: Callable[[int], object]) -> Callable[[int], None]:
    """Tell half of what is told, without losing one to rounding."""
    told = 0

    def tell(ratings: int) -> None:
        nonlocal told
        before, told = told // 2, told + ratings
        progress(told // 2 - before)

    return tell


def _make(made: Path, spilled: Path, size: Size, random: Generator, progress: Callable[[int], object]) -> None:
    """Write all files into `made`, by way of `spilled`."""
    years = draw_years(random, size.movies)
    unknown = random.choice(size.movies, max(1, round(size.movies * UNKNOWN_YEARS)), replace=False)
    years[unknown] = 0
    _write_titles(made / "movie_titles.csv", years, make_titles(random, size.movies))
    users = make_users(random, size.users, size.movies, size.ratings)
    movies = make_movies(random, users, size.movies, years)
    bounds = np.linspace(0, size.movies, PARTS + 1).astype(np.int64)
    parts = [spilled / f"part-{number:02}" for number in range(PARTS)]
    scores = _spill(_draw(users, movies, np.uint64(random.integers(2**63))), parts, bounds, progress)
    _write_ratings(made, parts, bounds, _cut_stars(scores), progress)


def _spill(
    drawn: Iterator[Records], parts: list[Path], bounds: Integers, progress: Callable[[int], object]
) -> Integers:
    """Part records by movie, at `bounds`, on disk; returns how often each score occurs."""
    part_of = np.searchsorted(bounds, np.arange(bounds[-1]), side="right") - 1
    scores = np.zeros(2 * (SCORE_LIMIT + 1), dtype=np.int64)
    with ExitStack() as stack:
        streams = [stack.enter_context(part.open("wb")) for part in parts]
        for records in drawn:
            scores += np.bincount(records["score"].astype(np.int64) + SCORE_LIMIT + 1, minlength=len(scores))
            parted, begins = group_records(records, part_of, len(parts))
            for stream, (begin, end) in zip(streams, pairwise(begins.tolist()), strict=True):
                stream.write(parted[begin:end].data)
            progress(len(records))
    return scores


def _draw(users: Users, movies: Movies, seed: np.uint64) -> Iterator[Records]:
    """All ratings, all of some users' at a time."""
    begins = np.concatenate(([0], np.cumsum(users.counts)))
    candidates = int(np.minimum(users.counts // 2, LATEST).sum())
    chance = min(1.0, PROBE_SHARE * int(begins[-1]) / max(candidates, 1))
    chunks = np.searchsorted(begins, np.arange(0, begins[-1], CHUNK))
    for first, last in pairwise([*chunks.tolist(), len(users.ids)]):
        blocks = np.linspace(begins[first], begins[last], BLOCKS + 1)
        out = np.zeros(begins[last] - begins[first], dtype=RECORD)
        draw_ratings(users, movies, begins, np.searchsorted(begins, blocks), chance, seed, out)
        yield out


def _cut_stars(scores: Integers) -> Bytes:
    """Stars of each score, given how often each score occurs."""
    share = (np.cumsum(scores) - scores / 2) / scores.sum()
    cuts = np.cumsum(STAR_SHARES)[:-1] / STAR_SHARES.sum()
    return np.asarray(1 + np.searchsorted(cuts, share), dtype=np.uint8)


def _write_ratings(
    made: Path, parts: list[Path], bounds: Integers, stars: Bytes, progress: Callable[[int], object]
) -> None:
    """Turn the spilled parts into the training files and the probe set."""
    with (made / "probe.txt").open("wb") as probe:
        for number in range(FILES):
            with (made / f"combined_data_{number + 1}.txt").open("wb") as training:
                for part in range(number * PARTS // FILES, (number + 1) * PARTS // FILES):
                    records = np.fromfile(parts[part], RECORD)
                    parts[part].unlink()
                    first, last = bounds[part : part + 2].tolist()
                    training.write(_format(records, first, last, stars, full=True))
                    probe.write(_format(records[records["probe"] == 1], first, last, stars, full=False))
                    progress(len(records))


def _format(records: Records, first: int, last: int, stars: Bytes, *, full: bool) -> memoryview:
    """The lines of the movies from `first` up to `last`, given all their records."""
    dates = np.arange(FIRST_DAY, END_DAY).astype(f"S{DATE_LENGTH}").view(np.uint8).reshape(-1, DATE_LENGTH)
    by_movie, begins = group_records(records, np.arange(last) - first, last - first)
    out = np.empty(len(records) * LONGEST_LINE + (last - first) * LONGEST_HEADER, dtype=np.uint8)
    return out[: format_ratings(by_movie, begins, first, stars, dates, full, out)].data


def _write_titles(file: Path, years: Integers, titles: list[str]) -> None:
    with file.open("w", encoding="latin-1", newline="\n") as stream:
        for movie, (year, title) in enumerate(zip(years.tolist(), titles, strict=True), start=1):
            stream.write(f"{movie},{year or 'NULL'},{title}\n")
