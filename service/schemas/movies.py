"""The catalogue."""

from collections import Counter
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from graph.repositories import movies as repository
from service.schemas.base import Body, Schema
from service.schemas.base import Genre as GenreName
from stream.events import Year

Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]


class MovieBody(Body):
    """All that is told of a movie; what is left out is empty."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"title": "Heat", "year": 1995, "genres": ["Crime"], "available": True}}
    )

    title: Text
    year: Year | None = Field(None)
    genres: list[GenreName] = Field([], max_length=30)
    available: bool = Field(True, description="Whether it may be recommended")


class Movie(Schema):
    """A movie of the catalogue."""

    movie_id: int
    title: str | None
    year: int | None
    genres: list[str]
    available: bool = Field(description="Whether it may be recommended")
    rating_count: int
    rating_mean: float | None


class ScoredMovie(Schema):
    """A movie in a list."""

    movie_id: int
    title: str | None
    year: int | None
    score: float = Field(
        description="How well a title matches, how similar a movie is, or how many people watched it; of those who did "
        "lately each counts the less the longer ago that was"
    )
    available: bool = Field(description="Whether it may be recommended; only a search finds others")


class StarCount(Schema):
    """How many ratings have so many stars."""

    rating: float
    count: int


class YearCount(Schema):
    """How many ratings are of a year."""

    year: int
    count: int


class RatingCounts(Schema):
    """How a movie was rated."""

    movie_id: int
    rating_count: int = Field(description="All ratings of the movie")
    counted: int = Field(description="Those that are counted here: of a movie with very many, a part")
    stars: list[StarCount]
    years: list[YearCount] = Field(description="Ratings without a time are in none")

    @classmethod
    def of(cls, movie: repository.Movie, ratings: list[repository.CountedRatings]) -> Self:
        """From ratings by stars and year."""
        stars, years = Counter[float](), Counter[int]()
        for entry in ratings:
            stars[entry.rating] += entry.count
            if entry.year is not None:
                years[entry.year] += entry.count
        return cls(
            movie_id=movie.movie_id,
            rating_count=movie.rating_count,
            counted=stars.total(),
            stars=[StarCount(rating=rating, count=count) for rating, count in sorted(stars.items())],
            years=[YearCount(year=year, count=count) for year, count in sorted(years.items())],
        )


class Genre(Schema):
    """A genre and how many movies have it."""

    genre: str
    movies: int


class GenreList(Schema):
    """The genres of the catalogue, by name."""

    genres: list[Genre]


class MovieList(Schema):
    """Movies, the highest score first."""

    movies: list[ScoredMovie]
