"""The catalogue."""

from collections import Counter
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from graph.repositories.movies import CountedRatings, Genre, Movie, ScoredMovie
from graph.repositories.unknown_movies import UnknownMovie
from graph.shapes import Shape
from service.schemas.base import Body
from service.schemas.names import ShownText
from stream.events import Year

Title = Annotated[ShownText, Field(max_length=500)]
GenreText = Annotated[ShownText, Field(max_length=50)]


class MovieBody(Body):
    """All that is told of a movie; what is left out is empty."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"title": "Heat", "year": 1995, "genres": ["Crime"], "available": True}}
    )

    title: Title
    year: Year | None = Field(None)
    genres: list[GenreText] = Field([], max_length=30)
    available: bool = Field(True, description="Whether it may be recommended")


class StarCount(Shape):
    """How many ratings have so many stars."""

    rating: float
    count: int


class YearCount(Shape):
    """How many ratings are of a year."""

    year: int
    count: int


class RatingCounts(Shape):
    """How a movie was rated."""

    movie_id: int
    rating_count: int = Field(description="All ratings of the movie")
    counted: int = Field(description="Those that are counted here: of a movie with very many, a part")
    stars: list[StarCount]
    years: list[YearCount] = Field(description="Ratings without a time are in none")

    @classmethod
    def of(cls, movie: Movie, ratings: list[CountedRatings]) -> Self:
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


class GenreList(Shape):
    """The genres of the catalogue, by name."""

    genres: list[Genre]


class MovieList(Shape):
    """Movies, the highest score first."""

    movies: list[ScoredMovie]


class UnknownMovieList(Shape):
    """Movies that are in no catalogue, the most frequent first."""

    movies: list[UnknownMovie]


class DeletedMovie(Shape):
    """A movie that is offered to nobody any more."""

    movie_id: int
    applied: bool = Field(description="All is removed; false while that goes on")
