"""The recommendation traversals, and the batches that are stored of them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from neo4j import Record
from prometheus_client import Histogram
from pydantic import Field

from common.metrics import SECONDS
from common.times import text_of, utc_now
from graph.database import Database, Transaction
from graph.diversity import Similar, diversify
from graph.repositories.movies import MovieFilter, Movies, NamedMovie
from graph.serving_rule import LARGEST_DIAL, LEAST_EXPONENT, ServingRule
from graph.shapes import EventId, Shape, Timestamp

# Of a list, unless another length is asked for; those that are stored and pushed are as long.
LIST_LENGTH = 10
REASONS = 3
# Of a list, all pages together: further pages are empty.
LONGEST = 1000
# Variety is sought among so many of the best.
DIVERSE = 200
# Candidates of the movies watched most lately, and of those watched most ever, beside those that a history leads to.
INDEXED = 200
ALL = 100_000
# Interactions of a user that are looked at, at least: a movie may have several, and not all count.
INTERACTIONS = 1000
# A stored list is looked at again if no more batches have come since; there are notes of a thousand.
REACH = 500
# What others watch does not make a list another one at once: its current part may be so old.
CURRENT_FOR = timedelta(minutes=10)

TRAVERSAL_SECONDS = Histogram(
    "recommender_traversal_seconds", "One recommendation traversal in Neo4j, seen from here", buckets=SECONDS
)


Basis = Annotated[
    Literal["history", "trending", "popular"],
    Field(
        description="`history` if any of the movies owes something to it; else `trending` if most are there for those "
        "who watched them lately, or `popular`"
    ),
]


class Reason(Shape):
    """A movie of the history and what it adds to the score."""

    movie_id: int
    title: str | None
    contribution: float


class RecommendedMovie(NamedMovie):
    """A recommended movie; `because` names the largest contributions first."""

    score: float = Field(
        description="`current` and all contributions together; behind all of these movies, how popular a movie is"
    )
    current: float = Field(description="What the movie being current adds to the score")
    because: list[Reason] = Field(description="Empty for a movie that the history does not lead to")


class OfferedMovie(RecommendedMovie):
    """A recommended movie, with the stars that the user would give it, if they are asked for."""

    predicted_rating: float | None = None


class RecommendationList(Shape):
    """What to watch next.

    First what the history leads to and what is current, by their score, then the other watched movies, the most popular
    first; up to 1,000, all pages together.
    """

    user_id: int | None
    basis: Basis
    model_version: str | None
    generated_at: Timestamp = Field(
        description="UTC. What the user did until then is in the list; what others did later may not change it for ten "
        "minutes"
    )
    recommendations: list[OfferedMovie]
    # Number of a batch: it and all before are taken into account; None if that is not known.
    based_on: int | None = Field(None, exclude=True)

    def with_movies(self, movies: list[OfferedMovie]) -> Self:
        """The same list with other movies, or with more known of them."""
        return self.model_copy(update={"recommendations": movies})


class StoredBatch(Shape):
    """A stored list, as it is pushed. `batch_id` is the eventId of the finish that led to it, else the viewing's."""

    sequence: int = Field(exclude=True)  # its place among all changes
    user_id: int
    batch_id: EventId
    basis: Basis
    model_version: str | None
    at: Timestamp
    recommendations: list[RecommendedMovie]


@dataclass(frozen=True)
class _Question:
    """Who asks, by whose history or by which session, what is left out, and the dial, or None for the version's."""

    user_id: int | None = None
    movie_ids: tuple[int, ...] = ()
    keep: MovieFilter = MovieFilter()
    current: float | None = None


class Recommendations:
    """Reads of recommendations, each a fresh traversal."""

    def __init__(
        self,
        database: Database,
        history_limit: int | None = None,
        current: float | None = None,
        rule: ServingRule = ServingRule(),
    ) -> None:
        """`history_limit` and `current` take the place of what the version has; `rule` serves where there is none."""
        self._database = database
        self._movies = Movies(database)
        self._history_limit = history_limit
        self._current = current
        self._rule = rule.to_properties()

    def recommend_for_user(
        self,
        user_id: int,
        limit: int = LIST_LENGTH,
        offset: int = 0,
        keep: MovieFilter = MovieFilter(),
        diversity: float = 0,
        current: float | None = None,
    ) -> RecommendationList:
        """What to watch next: by the user's history and by what is current, then the other rated movies.

        Pages fit together, each movie once, until no rated movie is left, or LONGEST were listed. `diversity`,
        from 0 to 1, trades relevance for variety among the first DIVERSE. `current`: the dial, in the place of the
        version's.
        """
        question = _Question(user_id, (), keep, current)
        if diversity == 0 or offset >= DIVERSE:
            return self._recommend(question, limit, offset)
        found = self._recommend(question, max(DIVERSE, offset + limit), 0)
        movies = found.recommendations
        movies = self._diversify(movies[:DIVERSE], diversity) + movies[DIVERSE:]
        return found.with_movies(movies[offset : offset + limit])

    def recommend_for_session(
        self,
        movie_ids: tuple[int, ...],
        limit: int = LIST_LENGTH,
        offset: int = 0,
        keep: MovieFilter = MovieFilter(),
        current: float | None = None,
    ) -> RecommendationList:
        """The same for somebody without a name, known by a list of movies, all of one moment."""
        return self._recommend(_Question(None, movie_ids, keep, current), limit, offset)

    def explain_recommendation(
        self, user_id: int, movie_id: int, current: float | None = None
    ) -> RecommendedMovie | None:
        """One movie's score for a user with all contributions, which add up to it; None if it is no candidate."""
        question = _Question(user_id, current=current)
        records = self._recommend_movies(question, 1, 0, only_movie_id=movie_id, reasons=ALL)
        return next(map(RecommendedMovie.from_record, records), None)

    def get_current_list(self, user_id: int) -> RecommendationList | None:
        """The user's newest stored list if it would be the same now, made from the history alone; else None."""
        since = utc_now() - CURRENT_FOR
        records = self._database.read("get_current_list", userId=user_id, reach=REACH, since=since)
        return next(map(RecommendationList.from_record, records), None)

    def read_recommendations_since(self, after: int, until: int) -> list[StoredBatch]:
        """Lists stored in the batches `after` < number ≤ `until`, oldest first."""
        records = self._database.read("read_recommendations_since", after=after, until=until)
        return [StoredBatch.from_record(record) for record in records]

    def find_offered(self, movie_ids: list[int]) -> set[int]:
        """Those of some movies that may be offered by now: a stored list may have waited."""
        return {record["movieId"] for record in self._database.read("find_offered_movies", movieIds=movie_ids)}

    def _diversify(self, movies: list[OfferedMovie], diversity: float) -> list[OfferedMovie]:
        movie_ids = [movie.movie_id for movie in movies]
        [record] = self._database.read("read_similar_among", movieIds=movie_ids)
        order = diversify(movie_ids, [movie.score for movie in movies], Similar(**record), diversity)
        return [movies[place] for place in order]

    def _recommend(self, question: _Question, limit: int, offset: int) -> RecommendationList:
        now = utc_now()
        limit = min(limit, LONGEST - offset)
        if limit > 0 and self._movies.has_any(question.keep):
            records, movies = self._find_page(question, limit, offset)
        else:
            records, movies = [], []
        first = records[0] if records else {"modelVersion": None, "sequence": None}
        return RecommendationList(
            user_id=question.user_id,
            basis=_basis(records),
            model_version=first["modelVersion"],
            generated_at=now,
            recommendations=movies,
            based_on=first["sequence"],
        )

    def _find_page(self, question: _Question, limit: int, offset: int) -> tuple[list[Record], list[OfferedMovie]]:
        """The candidates of a page, and all of its movies."""
        records = self._recommend_movies(question, limit, offset)
        movies = [OfferedMovie.from_record(record) for record in records]
        if len(movies) < limit:
            movies += self._find_others(question, limit - len(movies), offset, movies)
        return records, movies

    def _find_others(
        self, question: _Question, limit: int, offset: int, page: list[OfferedMovie]
    ) -> list[OfferedMovie]:
        """What follows behind all candidates, of which `page` has the last: the most watched of the other movies.

        Their score is 0: neither history nor what is current speaks for them.
        """
        candidates = [movie.movie_id for movie in page]
        if offset:
            found = self._recommend_movies(question, offset, 0, reasons=0)
            candidates = [record["movieId"] for record in found] + candidates
        behind = question.keep.without((*question.movie_ids, *candidates))
        others = self._movies.find_popular_movies(max(0, offset - len(candidates)), limit, behind, question.user_id)
        return [
            OfferedMovie(
                movie_id=movie.movie_id, title=movie.title, year=movie.year, score=0.0, current=0.0, because=[]
            )
            for movie in others
        ]

    def _recommend_movies(
        self,
        question: _Question,
        limit: int,
        offset: int,
        only_movie_id: int | None = None,
        reasons: int = REASONS,
    ) -> list[Record]:
        with TRAVERSAL_SECONDS.time():
            return self._database.read(
                "recommend_movies",
                userId=question.user_id,
                movieIds=list(question.movie_ids),
                onlyMovieId=only_movie_id,
                rule=self._rule,
                current=self._current if question.current is None else question.current,
                historyLimit=self._history_limit,
                interactions=max(INTERACTIONS, 10 * (self._history_limit or 0)),
                leastExponent=LEAST_EXPONENT,
                largestDial=LARGEST_DIAL,
                indexed=INDEXED,
                limit=limit,
                offset=offset,
                reasonLimit=reasons,
                now=utc_now(),
                **question.keep.parameters(),
            )


def store_recommendations(
    transaction: Transaction, lists: list[tuple[str, RecommendationList]], sequence: int, hit_window: timedelta
) -> bool:
    """Store lists under their batch ids and let those older than the hit window go. False: all were stored before."""
    rows = [_list_row(batch_id, recommended) for batch_id, recommended in lists]
    oldest = min(recommended.generated_at for _, recommended in lists) - hit_window
    [record] = transaction.run("store_recommendations", lists=rows, sequence=sequence, oldest=text_of(oldest))
    return bool(record["stored"])


def _list_row(batch_id: str, recommended: RecommendationList) -> dict[str, Any]:
    rows = [
        {
            "movieId": movie.movie_id,
            "rank": rank,
            "score": movie.score,
            "current": movie.current,
            "because": [reason.movie_id for reason in movie.because],
            "contributions": [reason.contribution for reason in movie.because],
        }
        for rank, movie in enumerate(recommended.recommendations, start=1)
    ]
    return {
        "userId": recommended.user_id,
        "batchId": batch_id,
        "basedOn": recommended.based_on,
        "at": text_of(recommended.generated_at),
        "basis": recommended.basis,
        "modelVersion": recommended.model_version,
        "recommendations": rows,
    }


def _basis(records: list[Record]) -> Basis:
    """What a list owes most to: a history, if it adds to any movie; else those who watched lately, or ever."""
    if any(record["because"] for record in records):
        return "history"
    lately = sum(record["lately"] for record in records)
    return "trending" if 2 * lately > len(records) else "popular"
