"""The recommendation traversals, and the batches that are stored of them."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from neo4j import Record

from graph.database import Database, Transaction
from graph.diversity import diversify
from graph.metrics import TRAVERSAL_SECONDS
from graph.recency import HALF_LIFE
from graph.repositories.movies import MovieFilter, Movies, ScoredMovie
from graph.times import text_of, utc_now

REASONS = 3
# More of a history changes little for the next movie, and costs time (docs/evaluation.md).
HISTORY_LIMIT = 50
# Variety is sought among so many of the best.
DIVERSE = 200
ALL = 100_000
# A stored list is looked at again if no more batches have come since; there are notes of a thousand.
REACH = 500
HIT_WINDOW = timedelta(days=7)


@dataclass(frozen=True)
class HistoryWeights:
    """How much an interaction counts, by kind and by place, the newest being the first (docs/evaluation.md)."""

    rated: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.35, 0.5, 1.0, 1.0, 1.2)  # ½, 1, 1½ … 5 stars
    finished: float = 0.7
    started: float = 0.25
    abandoned: float = 0.0
    liked: float = 1.0
    disliked: float = -0.5
    listed: float = 0.5
    clicked: float = 0.1
    place_boost: float = 16.0
    place_decay: float = 0.9

    def parameters(self) -> dict[str, Any]:
        """As the traversal wants it."""
        kinds = ("rated", "finished", "started", "abandoned", "liked", "disliked", "listed", "clicked")
        return {
            "weights": {
                kind: list(value) if isinstance(value := getattr(self, kind), tuple) else value for kind in kinds
            },
            "placeBoost": self.place_boost,
            "placeDecay": self.place_decay,
        }


@dataclass(frozen=True)
class Reason:
    """A movie of the history and what it adds to a score."""

    movie_id: int
    title: str | None
    contribution: float


@dataclass(frozen=True)
class Recommendation:
    """A recommended movie; `because` holds the largest contributions first."""

    movie_id: int
    title: str | None
    year: int | None
    score: float
    because: list[Reason] = field(default_factory=list)


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
        history_limit: int = HISTORY_LIMIT,
        weights: HistoryWeights = HistoryWeights(),
        half_life: int = HALF_LIFE,
    ) -> None:
        self._database = database
        self._movies = Movies(database, half_life)
        self._history_limit = history_limit
        self._weights = weights

    def recommend_for_user(
        self,
        user_id: int,
        limit: int = 10,
        offset: int = 0,
        keep: MovieFilter = MovieFilter(),
        diversity: float = 0,
    ) -> RecommendationList:
        """What to watch next: from the user's history, then what is trending, then the other watched movies.

        Pages fit together, each movie once, until no watched movie is left. `diversity`, from 0 to 1, trades relevance
        for variety among the first DIVERSE of a history's candidates.
        """
        if diversity == 0 or offset >= DIVERSE:
            return self._recommend(user_id, (), limit, offset, keep)
        found = self._recommend(user_id, (), max(DIVERSE, offset + limit), 0, keep)
        movies = found.recommendations
        led_to = sum(bool(movie.because) for movie in movies[:DIVERSE])  # by the history; the others follow behind
        movies = self._diversify(movies[:led_to], diversity) + movies[led_to:]
        return replace(found, recommendations=movies[offset : offset + limit])

    def recommend_for_session(
        self, movie_ids: tuple[int, ...], limit: int = 10, offset: int = 0, keep: MovieFilter = MovieFilter()
    ) -> RecommendationList:
        """The same for somebody without a name, known by a list of movies, all of which count alike."""
        return self._recommend(None, movie_ids, limit, offset, keep)

    def explain_recommendation(self, user_id: int, movie_id: int) -> Recommendation | None:
        """One movie's score for a user with all contributions, which add up to it; None if it is no candidate."""
        for record in self._recommend_movies(user_id, (), 1, 0, MovieFilter(), movie_id, ALL):
            return _recommendation(record)
        return None

    def get_current_list(self, user_id: int) -> RecommendationList | None:
        """The user's newest stored list if it would be the same now, made from the history alone; else None."""
        for record in self._database.read("get_current_list", userId=user_id, reach=REACH):
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

    def _recommend(
        self,
        user_id: int | None,
        movie_ids: tuple[int, ...],
        limit: int,
        offset: int,
        keep: MovieFilter,
    ) -> RecommendationList:
        now = utc_now()
        records = self._recommend_movies(user_id, movie_ids, limit, offset, keep)
        found = [_recommendation(record) for record in records]
        if len(found) == limit:
            first = records[0]
            return RecommendationList(user_id, "history", first["modelVersion"], now, found, first["sequence"])
        led_to = [movie.movie_id for movie in found]
        if offset:
            led_to = [
                record["movieId"] for record in self._recommend_movies(user_id, movie_ids, ALL, 0, keep, reasons=0)
            ]
        behind = keep.without((*movie_ids, *led_to))
        page = max(0, offset - len(led_to)), limit - len(found)
        basis, movies = self._movies.find_movies_for_all(*page, behind, user_id)
        version = None
        if records:
            basis, version = "history", records[0]["modelVersion"]
        return RecommendationList(user_id, basis, version, now, [*found, *map(_from_list, movies)])

    def _recommend_movies(
        self,
        user_id: int | None,
        movie_ids: tuple[int, ...],
        limit: int,
        offset: int,
        keep: MovieFilter,
        only_movie_id: int | None = None,
        reasons: int = REASONS,
    ) -> list[Record]:
        weights, history_limit = self._weights, self._history_limit
        if user_id is None:  # a session has no order: none of its movies is the newest
            weights, history_limit = replace(weights, place_boost=0.0), len(movie_ids)
        with TRAVERSAL_SECONDS.time():
            return self._database.read(
                "recommend_movies",
                userId=user_id,
                movieIds=list(movie_ids),
                onlyMovieId=only_movie_id,
                historyLimit=history_limit,
                limit=limit,
                offset=offset,
                reasonLimit=reasons,
                now=utc_now(),
                **weights.parameters(),
                **keep.parameters(),
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
    )


def _from_list(movie: ScoredMovie) -> Recommendation:
    return Recommendation(movie.movie_id, movie.title, movie.year, movie.score)
