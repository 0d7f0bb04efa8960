"""The catalogue: one movie, search, lists for everybody."""

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Self

from pydantic import Field

from graph.database import Database
from graph.serving_rule import ServingRule
from graph.shapes import Shape

# Ratings of one movie that are counted; at most a few movies have more.
MOST_COUNTED = 100_000


class NamedMovie(Shape):
    """A movie with what it is known by."""

    movie_id: int
    title: str | None
    year: int | None


class Movie(NamedMovie):
    """A movie of the catalogue."""

    genres: list[str]
    available: bool = Field(description="Whether it may be recommended")
    rating_count: int
    rating_mean: float | None


class ScoredMovie(NamedMovie):
    """A movie in a list."""

    score: float = Field(
        description="How well a title matches, how similar a movie is, or how many people watched it; of those who did "
        "lately each counts the less the longer ago that was"
    )
    available: bool = Field(description="Whether it may be recommended; only a search finds others")


class CountedRatings(Shape):
    """A movie's ratings of so many stars in a year; no year where the ratings tell no time."""

    rating: float
    year: int | None
    count: int


class Genre(Shape):
    """A genre and how many movies have it."""

    genre: str
    movies: int


@dataclass(frozen=True)
class MovieFilter:
    """What a list leaves out."""

    exclude: tuple[int, ...] = ()
    genre: str | None = None
    year_from: int | None = None
    year_to: int | None = None

    def without(self, movie_ids: tuple[int, ...]) -> Self:
        """The same that also leaves out some movies."""
        return replace(self, exclude=(*self.exclude, *movie_ids))

    @property
    def is_narrow(self) -> bool:
        """Whether movies are left out by what they are, so that none may be left."""
        return (self.genre, self.year_from, self.year_to) != (None, None, None)

    def parameters(self) -> dict[str, object]:
        """As the queries want it."""
        return {
            "exclude": list(self.exclude),
            "genre": self.genre,
            "yearFrom": self.year_from,
            "yearTo": self.year_to,
        }


class Movies:
    """Reads of movies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_missing_movies(self, movie_ids: list[int]) -> list[int]:
        """Those of some movies that there are not, each once, in the order given."""
        missing = {record["movieId"] for record in self._database.read("find_missing_movies", movieIds=movie_ids)}
        return [movie_id for movie_id in dict.fromkeys(movie_ids) if movie_id in missing]

    def get_movie(self, movie_id: int) -> Movie | None:
        """One movie, or None."""
        return next(map(Movie.from_record, self._database.read("get_movie", movieId=movie_id)), None)

    def count_ratings(self, movie_id: int) -> list[CountedRatings]:
        """How a movie was rated, by stars and year; of at most MOST_COUNTED ratings."""
        records = self._database.read("count_ratings", movieId=movie_id, most=MOST_COUNTED)
        return [CountedRatings.from_record(record) for record in records]

    def list_genres(self) -> list[Genre]:
        """All genres, by name."""
        return [Genre.from_record(record) for record in self._database.read("list_genres")]

    def has_any(self, keep: MovieFilter) -> bool:
        """Whether any movie that may be in a list has the genre and years of a filter."""
        kinds = {"genre": keep.genre, "yearFrom": keep.year_from, "yearTo": keep.year_to}
        return not keep.is_narrow or bool(self._database.read("find_any_movie", **kinds))

    def search_movies(self, text: str, offset: int, limit: int) -> list[ScoredMovie]:
        """Movies whose title matches, accents and one-letter typos forgiven; those that are not available, too."""
        search = lucene_query(text)
        return self._scored("search_movies", search=search, offset=offset, limit=limit) if search else []

    def find_similar_movies(self, movie_id: int, offset: int, limit: int) -> list[ScoredMovie]:
        """Movies most similar to one movie, by SIMILAR weight."""
        return self._scored("find_similar_movies", movieId=movie_id, offset=offset, limit=limit)

    def find_popular_movies(
        self, offset: int, limit: int, keep: MovieFilter = MovieFilter(), user_id: int | None = None
    ) -> list[ScoredMovie]:
        """Movies watched by most persons, without what `user_id` has seen."""
        return self._scored("find_popular_movies", userId=user_id, offset=offset, limit=limit, **keep.parameters())

    def find_trending_movies(
        self, offset: int, limit: int, keep: MovieFilter = MovieFilter(), user_id: int | None = None
    ) -> list[ScoredMovie]:
        """Movies watched most lately by the half-life of the version in use, without what `user_id` has seen."""
        return self._scored(
            "find_trending_movies",
            userId=user_id,
            offset=offset,
            limit=limit,
            halfLife=ServingRule().half_life,
            **keep.parameters(),
        )

    def sample_movies(self, limit: int) -> list[Movie]:
        """The most rated movies."""
        records = self._database.read("sample_movies", limit=limit)
        return [Movie.from_record(record) for record in records]

    def _scored(self, name: str, **parameters: object) -> list[ScoredMovie]:
        return [ScoredMovie.from_record(record) for record in self._database.read(name, **parameters)]


def lucene_query(text: str) -> str:
    """Lucene query for a title as people type it: each word exact, as a beginning, or with one letter wrong.

    Accents go, as the index drops them too; Lucene's own signs never reach it, since only letters and digits are kept.
    """
    folded = unicodedata.normalize("NFKD", text).lower()
    words = re.findall(r"[^\W_]+", "".join(sign for sign in folded if not unicodedata.combining(sign)))
    return " AND ".join(_word_query(word) for word in words[:10])


def _word_query(word: str) -> str:
    word = word[:50]
    return f"({word}^4 OR {word}*^2 OR {word}~1)" if len(word) > 2 else f"({word}^4 OR {word}*)"
