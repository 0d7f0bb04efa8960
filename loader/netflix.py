"""The Netflix Prize's files: `combined_data_[1-4].txt` or `training_set/mv_*.txt`, and `movie_titles.csv|.txt`."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from loader.lines import LARGEST_ID, Block, Reject, name_reason, parse_id, read_blocks, split_fields, whole_number

LAYOUT = "CustomerID,Rating,YYYY-MM-DD"
UNREADABLE = -1

# Id, title, year, genres.
MovieRow = tuple[int, str, int | None, list[str]]
MOVIE_SCHEMA: dict[str, pl.DataType] = {
    "movieId": pl.Int32(),
    "title": pl.String(),
    "year": pl.Int32(),
    "genres": pl.List(pl.String),
}


class NetflixPrizeFolder:
    """A folder with the Netflix Prize's ratings, as distributed."""

    catalogue = "netflix-prize"

    def __init__(self, path: Path) -> None:
        self.path = path
        combined = sorted(path.glob("combined_data_*.txt"))
        self.rating_files = combined or sorted((path / "training_set").glob("mv_*.txt"))
        titles = [path / name for name in ("movie_titles.csv", "movie_titles.txt")]
        self.title_file = next((file for file in titles if file.is_file()), None)

    def read_ratings(self, file: Path) -> Iterator[Block]:
        """Ratings of one file; a line `MovieID:` heads the ratings of its movie."""
        movie_id = UNREADABLE

        def parse(lines: pl.DataFrame) -> pl.DataFrame:
            nonlocal movie_id
            parsed = parse_lines(lines, movie_id)
            movie_id = parsed["movie"][-1]
            return parsed

        return read_blocks(file, parse)

    def read_movies(self) -> tuple[pl.DataFrame, list[Reject]]:
        """The titles (latin-1, `MovieID,Year,Title`, commas in titles not quoted, Year may be NULL)."""
        if self.title_file is None:
            return movie_frame([]), []
        rows: list[MovieRow] = []
        rejects: list[Reject] = []
        # Not splitlines: a title may hold what latin-1 takes for another line end (0x85 is … in Windows-1252).
        lines = self.title_file.read_text(encoding="latin-1").split("\n")
        for number, line in enumerate(lines, start=1):
            key, _, rest = line.partition(",")
            year, _, title = rest.partition(",")
            if (movie_id := whole_number(key)) and title.strip():
                rows.append((movie_id, title.strip(), whole_number(year), []))
            elif line.strip():
                rejects.append(Reject(str(self.title_file), number, "not of the form MovieID,Year,Title", line[:200]))
        return movie_frame(rows), rejects


def parse_lines(lines: pl.DataFrame, movie_id: int) -> pl.DataFrame:
    """Parse lines that follow the header of `movie_id`; column `movie` tells whose ratings each line heads or is.

    After a header that cannot be read no line is a rating: it would count for the movie before. A line without a comma
    may be a header that lost its colon.
    """
    line = pl.col("line").str.strip_chars()
    header = line.str.ends_with(":")
    heading = line.str.strip_suffix(":").str.strip_chars().cast(pl.Int64, strict=False)
    heading = pl.when(header & heading.is_between(1, LARGEST_ID)).then(heading).otherwise(UNREADABLE)
    heads = header | ((line != "") & ~line.str.contains(",", literal=True))
    movie = pl.when(heads).then(heading).forward_fill().fill_null(movie_id)
    parsed = lines.with_columns(*split_fields(",", 3), movie.alias("movie"))
    rating = pl.col("field_1").cast(pl.Int64, strict=False)
    at = pl.col("field_2").str.to_datetime("%Y-%m-%d", time_unit="ms", strict=False)
    parsed = parsed.with_columns(
        parse_id("field_0").alias("userId"),
        pl.when(pl.col("movie") != UNREADABLE).then(pl.col("movie")).cast(pl.Int32).alias("movieId"),
        pl.when(rating.is_between(1, 5)).then(rating).alias("rating"),
        pl.when(at.dt.year().is_between(1, 9999)).then(at).alias("at"),
    )
    reason = (
        pl.when((line == "") | (header & (pl.col("movie") != UNREADABLE)))
        .then(pl.lit(""))
        .when(heads)
        .then(pl.lit(f"neither of the form MovieID: nor {LAYOUT}"))
        .when(pl.col("movie") == UNREADABLE)
        .then(pl.lit("no readable MovieID: line before it"))
        .otherwise(name_reason(3, LAYOUT))
    )
    return parsed.with_columns(reason.alias("reason"))


def movie_frame(rows: list[MovieRow]) -> pl.DataFrame:
    """Movies as staged; of an id that comes twice the first counts."""
    return pl.DataFrame(rows, schema=MOVIE_SCHEMA, orient="row").unique("movieId", keep="first", maintain_order=True)
