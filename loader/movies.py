"""Movies as read from a titles file, before they are staged."""

import polars as pl

# Id, title, year, genres.
MovieRow = tuple[int, str, int | None, list[str]]
MOVIE_SCHEMA: dict[str, pl.DataType] = {
    "movieId": pl.Int32(),
    "title": pl.String(),
    "year": pl.Int32(),
    "genres": pl.List(pl.String),
}


def movie_frame(rows: list[MovieRow]) -> pl.DataFrame:
    """Movies by id; of an id that comes twice the first counts."""
    frame = pl.DataFrame(rows, schema=MOVIE_SCHEMA, orient="row")
    return frame.unique("movieId", keep="first", maintain_order=True).sort("movieId")
