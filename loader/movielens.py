"""MovieLens folders of every age: `ratings.csv`, `ratings.dat` (`::`) and `u.data` (tabs)."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from loader.lines import Block, Reject, name_reason, parse_id, read_blocks, split_fields, whole_number
from loader.netflix import MovieRow, movie_frame

NO_GENRES = "(no genres listed)"


@dataclass(frozen=True)
class Layout:
    """One generation of MovieLens files."""

    ratings: str
    movies: str
    separator: str
    movie_separator: str
    encoding: str
    header: str | None = None

    @property
    def form(self) -> str:
        """How a rating's line looks."""
        return self.separator.join(("userId", "movieId", "rating", "timestamp"))


LAYOUTS = (
    Layout("ratings.csv", "movies.csv", ",", ",", "utf-8", header="userId,movieId,rating,timestamp"),
    Layout("ratings.dat", "movies.dat", "::", "::", "latin-1"),
    Layout("u.data", "u.item", "\t", "|", "latin-1"),
)


class MovieLensFolder:
    """A folder with one MovieLens data set."""

    catalogue = "movielens"

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self.layout = layout
        self.rating_files = [path / layout.ratings]
        self.title_file = path / layout.movies

    def read_ratings(self, file: Path) -> Iterator[Block]:
        """Ratings of one file; its column header, if the layout has one, is structure."""
        return read_blocks(file, self._parse_lines)

    def read_movies(self) -> tuple[pl.DataFrame, list[Reject]]:
        """Titles; the year is taken from the end of `Title (1995)`."""
        if not self.title_file.is_file():
            return movie_frame([]), []
        rows: list[MovieRow] = []
        rejects: list[Reject] = []
        for number, fields in self._read_title_fields():
            if len(fields) >= 2 and (movie_id := whole_number(fields[0])):
                title, year = split_year(fields[1])
                rows.append((movie_id, put_article_first(title), year, self._genres(fields)))
            elif any(fields):
                text = self.layout.movie_separator.join(fields)[:200]
                rejects.append(Reject(str(self.title_file), number, "not of the form movieId, title, genres", text))
        return movie_frame(rows), rejects

    def _parse_lines(self, lines: pl.DataFrame) -> pl.DataFrame:
        parsed = lines.with_columns(*split_fields(self.layout.separator, 4))
        rating = pl.col("field_2").cast(pl.Float64, strict=False)
        seconds = pl.col("field_3").cast(pl.Int64, strict=False)
        parsed = parsed.with_columns(
            parse_id("field_0").alias("userId"),
            parse_id("field_1").alias("movieId"),
            pl.when(rating.is_between(0.5, 5) & (rating * 2 == (rating * 2).round())).then(rating).alias("rating"),
            pl.when(seconds.is_between(0, 2**33)).then(seconds * 1000).cast(pl.Datetime("ms")).alias("at"),
        )
        line = pl.col("line").str.strip_chars()
        is_header = (pl.col("number") == 1) & line.eq_missing(pl.lit(self.layout.header, pl.String))
        structure = (line == "") | is_header
        reason = pl.when(structure).then(pl.lit("")).otherwise(name_reason(4, self.layout.form))
        return parsed.with_columns(reason.alias("reason"))

    def _read_title_fields(self) -> Iterator[tuple[int, list[str]]]:
        with self.title_file.open(encoding=self.layout.encoding, errors="replace", newline="") as stream:
            for number, line in enumerate(stream, start=1):
                if number > 1 or self.layout.header is None:
                    yield number, self._split_title_line(line.rstrip("\r\n"))

    def _split_title_line(self, line: str) -> list[str]:
        if self.layout.movie_separator != ",":
            return line.split(self.layout.movie_separator)
        try:
            return next(csv.reader([line], strict=True), [])
        except csv.Error:
            return [line]

    def _genres(self, fields: list[str]) -> list[str]:
        # u.item has a column of 0 and 1 for each genre of u.genre instead.
        if self.layout.movies == "u.item" or len(fields) < 3 or fields[2] == NO_GENRES:
            return []
        return [genre for genre in fields[2].split("|") if genre]


def split_year(title: str) -> tuple[str, int | None]:
    """`Heat (1995)` → `("Heat", 1995)`."""
    found = re.fullmatch(r"(.*\S)\s*\((\d{4})\)", title.strip())
    return (found[1], int(found[2])) if found else (title.strip(), None)


def put_article_first(title: str) -> str:
    """`Matrix, The` → `The Matrix`."""
    return re.sub(r"^(.+), (The|A|An)$", r"\2 \1", title)
