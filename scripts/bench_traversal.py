"""The traversal on a loaded database: how long it takes, and whether a new version ever mixes with the old one."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from common.errors import RecommenderError
from common.settings import Settings
from engine.dataset import current_dataset
from graph.database import Database
from graph.repositories.recommendations import RecommendationList, Recommendations

RANDOM_USERS = 2000
HEAVIEST_USERS = 500
TEXTBOOK_USERS = 2
TEXTBOOK_SECONDS = 60.0
READERS = 8
# Between two questions of a reader, so that the fit has a core left.
PAUSE_SECONDS = 0.2
# What is written everywhere: other users who liked the same movies, and what else they liked.
TEXTBOOK = """
MATCH (user:User {userId: $userId})-[own:RATED]->(movie:Movie)
MATCH (movie)<-[same:RATED]-(other:User)-[theirs:RATED]->(candidate:Movie)
WHERE own.rating >= 4 AND same.rating >= 4 AND theirs.rating >= 4 AND NOT EXISTS { (user)-[:RATED]->(candidate) }
RETURN candidate.movieId AS movieId, count(*) AS score
ORDER BY score DESC
LIMIT 10
"""

# Takes what was measured, and its figures.
Report = Callable[..., None]


def measure_traversals(settings: Settings, ratings: int, report: Report) -> None:
    """Latency for users at random and for the heaviest, one after the other."""
    counts = count_ratings(settings)
    random = np.random.default_rng(1).permutation(counts["userId"].to_numpy())[:RANDOM_USERS]
    heaviest = counts.sort("len", "userId", descending=True)["userId"].to_numpy()[:HEAVIEST_USERS]
    with Database.from_settings(settings) as database:
        recommendations = Recommendations(database, settings.history_limit)
        for users in ("first", "random", "heaviest"):
            asked = heaviest if users == "heaviest" else random
            milliseconds = time_each(asked, recommendations.recommend_for_user)
            report("traversal", ratings=ratings, users=users, asked=len(asked), **percentiles(milliseconds))


def measure_textbook(settings: Settings, ratings: int, report: Report) -> None:
    """Seconds of the textbook's traversal for a few of the same users; `unfinished` is told at its limit."""
    users = np.random.default_rng(1).permutation(count_ratings(settings)["userId"].to_numpy())[:TEXTBOOK_USERS]
    seconds: list[float | str] = []
    with Database.from_settings(settings) as database:
        for user_id in users:
            begin = time.perf_counter()
            try:
                database.run_text(TEXTBOOK, TEXTBOOK_SECONDS, userId=int(user_id))
                seconds.append(round(time.perf_counter() - begin, 1))
            except RecommenderError as error:
                seconds.append(f"unfinished after {time.perf_counter() - begin:.0f} s: {error}")
    report("textbook traversal", ratings=ratings, seconds=seconds)


def measure_swap(settings: Settings, ratings: int, report: Report, refit: Callable[[], dict[str, object]]) -> None:
    """Readers go on asking while `refit` puts a new version to use; each answer must be wholly of one version."""
    users = count_ratings(settings)["userId"].to_list()[:READERS]
    done = threading.Event()
    failures: list[str] = []
    answers: list[tuple[int, RecommendationList]] = []
    with Database.from_settings(settings, interactive=True) as database:
        recommendations = Recommendations(database, settings.history_limit)

        def read(user_id: int) -> None:
            while not done.is_set():
                try:
                    answers.append((user_id, recommendations.recommend_for_user(user_id)))
                except RecommenderError as error:
                    failures.append(str(error))
                time.sleep(PAUSE_SECONDS)

        before = {user_id: recommendations.recommend_for_user(user_id) for user_id in users}
        readers = [threading.Thread(target=read, args=(user_id,)) for user_id in users]
        for reader in readers:
            reader.start()
        figures = refit()
        done.set()
        for reader in readers:
            reader.join()
        after = {user_id: recommendations.recommend_for_user(user_id) for user_id in users}
    versions = [known[user_id] for known in (before, after) for user_id in users]
    whole = {(one.user_id, one.model_version, fingerprint(one)) for one in versions}
    mixed = sum((user_id, one.model_version, fingerprint(one)) not in whole for user_id, one in answers)
    told = {"answers": dict(Counter(str(one.model_version) for _, one in answers)), "failures": len(failures)}
    report("swap", ratings=ratings, readers=READERS, **told, mixed=mixed, **figures)


def fingerprint(answer: RecommendationList) -> tuple[tuple[int, float], ...]:
    """What an answer holds; scores to 9 digits, since the order of a sum is the database's."""
    return tuple((movie.movie_id, round(movie.score, 9)) for movie in answer.recommendations)


def count_ratings(settings: Settings) -> pl.DataFrame:
    """userId and len, how many staged ratings each user has, by user."""
    shards = current_dataset(settings.staging).shards()
    counts = (pl.read_parquet(shard, columns=["userId"]).group_by("userId").len() for shard in shards)
    return pl.concat(counts).sort("userId")


def time_each(users: Sequence[int] | NDArray[np.int64], ask: Callable[[int], object]) -> list[float]:
    """Milliseconds of each question, one after the other."""
    milliseconds = []
    for user_id in users:
        begin = time.perf_counter()
        ask(int(user_id))
        milliseconds.append((time.perf_counter() - begin) * 1000)
    return milliseconds


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    """p50, p99 and the largest."""
    if not milliseconds:
        raise RecommenderError("nothing was measured: is the machine too busy?")
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {"p50ms": round(float(p50), 1), "p99ms": round(float(p99), 1), "maxMs": round(max(milliseconds), 1)}
