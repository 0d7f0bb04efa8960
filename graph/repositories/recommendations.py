"""The recommendation traversals, and the batches that are stored of them."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from neo4j import Record
from prometheus_client import Histogram

from common.metrics import SECONDS
from common.times import text_of, utc_now
from graph.database import Database, Transaction
from graph.diversity import diversify
from graph.repositories.movies import MovieFilter, Movies
from graph.serving_rule import LARGEST_DIAL, LEAST_EXPONENT, ServingRule

# Of a list, unless told otherwise; those that are stored and pushed are as long.
LIST_LENGTH = 10
REASONS = 3
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


@dataclass(frozen=True)
class Reason:
    """A movie of the history and what it adds to a score."""

    movie_id: int
    title: str | None
    contribution: float


@dataclass(frozen=True)
class Recommendation:
    """A recommended movie; `because` holds the largest contributions first.

    `current` is what the movie being current adds to the score; with all contributions it is the score.
    """

    movie_id: int
    title: str | None
    year: int | None
    score: float
    because: list[Reason] = field(default_factory=list)
    current: float = 0.0


@dataclass(frozen=True)
class RecommendationList:
    """What a user is offered. `basis` is `history`, `trending` or `popular`.

    `based_on` is the number of a batch: it and all before are taken into account; None if that is not known.
    """

    user_id: int | None
    basis: str
    model_version: str | None
    generated_at: datetime
    recommendations: list[Recommendation]
    based_on: int | None = None


@dataclass(frozen=True)
class _Question:
    """Who asks, by whose history or by which session, what is left out, and the dial, or None for the version's."""

    user_id: int | None = None
    movie_ids: tuple[int, ...] = ()
    keep: MovieFilter = MovieFilter()
    current: float | None = None


@dataclass(frozen=True)
class StoredBatch:
    """A stored list: `batch_id` is the eventId of the finish that led to it, `sequence` its place among all changes."""

    sequence: int
    user_id: int
    batch_id: str
    basis: str
    model_version: str | None
    at: datetime
    recommendations: list[Recommendation]


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
        self._rule = rule

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

        Pages fit together, each movie once, until no rated movie is left. `diversity`, from 0 to 1, trades relevance
        for variety among the first DIVERSE. `current`: the dial, in the place of the version's.
        """
        question = _Question(user_id, (), keep, current)
        if diversity == 0 or offset >= DIVERSE:
            return self._recommend(question, limit, offset)
        found = self._recommend(question, max(DIVERSE, offset + limit), 0)
        movies = found.recommendations
        movies = self._diversify(movies[:DIVERSE], diversity) + movies[DIVERSE:]
        return replace(found, recommendations=movies[offset : offset + limit])

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
    ) -> Recommendation | None:
        """One movie's score for a user with all contributions, which add up to it; None if it is no candidate."""
        question = _Question(user_id, current=current)
        for record in self._recommend_movies(question, 1, 0, only_movie_id=movie_id, reasons=ALL):
            return _recommendation(record)
        return None

    def get_current_list(self, user_id: int) -> RecommendationList | None:
        """The user's newest stored list if it would be the same now, made from the history alone; else None."""
        since = utc_now() - CURRENT_FOR
        for record in self._database.read("get_current_list", userId=user_id, reach=REACH, since=since):
            return RecommendationList(
                user_id=user_id,
                basis=record["basis"],
                model_version=record["modelVersion"],
                generated_at=record["at"].to_native(),
                recommendations=[_recommendation(row) for row in record["recommendations"]],
                based_on=record["basedOn"],
            )
        return None

    def read_recommendations_since(self, after: int, until: int) -> list[StoredBatch]:
        """Lists stored in the batches `after` < number ≤ `until`, oldest first."""
        return [
            StoredBatch(
                sequence=record["sequence"],
                user_id=record["userId"],
                batch_id=record["batchId"],
                basis=record["basis"],
                model_version=record["modelVersion"],
                at=record["at"].to_native(),
                recommendations=[_recommendation(row) for row in record["recommendations"]],
            )
            for record in self._database.read("read_recommendations_since", after=after, until=until)
        ]

    def _diversify(self, movies: list[Recommendation], diversity: float) -> list[Recommendation]:
        movie_ids = [movie.movie_id for movie in movies]
        records = self._database.read("read_similar_among", movieIds=movie_ids)
        similar = {(record["source"], record["target"]): record["weight"] for record in records}
        order = diversify(movie_ids, [movie.score for movie in movies], similar, diversity)
        return [movies[place] for place in order]

    def _recommend(self, question: _Question, limit: int, offset: int) -> RecommendationList:
        now = utc_now()
        records = self._recommend_movies(question, limit, offset)
        movies = [_recommendation(record) for record in records]
        if len(movies) < limit:
            movies += self._find_others(question, limit - len(movies), offset, movies)
        first = records[0] if records else {"modelVersion": None, "sequence": None}
        return RecommendationList(
            question.user_id, _basis(records), first["modelVersion"], now, movies, first["sequence"]
        )

    def _find_others(
        self, question: _Question, limit: int, offset: int, page: list[Recommendation]
    ) -> list[Recommendation]:
        """What follows behind all candidates, of which `page` has the last: the most watched of the other movies.

        Their score is 0: neither history nor what is current speaks for them.
        """
        candidates = [movie.movie_id for movie in page]
        if offset:
            found = self._recommend_movies(question, ALL, 0, reasons=0)
            candidates = [record["movieId"] for record in found]
        behind = question.keep.without((*question.movie_ids, *candidates))
        others = self._movies.find_popular_movies(max(0, offset - len(candidates)), limit, behind, question.user_id)
        return [Recommendation(movie.movie_id, movie.title, movie.year, score=0.0) for movie in others]

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
                rule=self._rule.to_properties(),
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


def _recommendation(record: Any) -> Recommendation:
    return Recommendation(
        movie_id=record["movieId"],
        title=record["title"],
        year=record["year"],
        score=record["score"],
        because=[Reason(row["movieId"], row["title"], row["contribution"]) for row in record["because"]],
        current=record["current"],
    )


def _basis(records: list[Record]) -> str:
    """What a list owes most to: a history, if it adds to any movie; else those who watched lately, or ever."""
    if any(record["because"] for record in records):
        return "history"
    lately = sum(record["lately"] for record in records)
    return "trending" if 2 * lately > len(records) else "popular"
