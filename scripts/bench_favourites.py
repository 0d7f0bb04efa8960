"""`python -m scripts.bench favourites`: how long the favourites of Neo4j Browser take on a loaded database."""

import statistics
import time
from pathlib import Path

from common.settings import Settings
from graph.database import Database
from graph.favourites import NAMES
from graph.repositories.recommendations import Recommendations
from scripts.bench_traversal import Report, count_ratings

RUNS = 5


def measure_favourites(settings: Settings, ratings: int, report: Report) -> None:
    """Milliseconds of each favourite, the first time and the median after it, for the user with the most ratings."""
    user_id = int(count_ratings(settings).sort("len", descending=True)["userId"][0])
    with Database.from_settings(settings) as database:
        recommended = Recommendations(database, settings.history_limit).recommend_for_user(user_id)
        movie_id = recommended.recommendations[0].movie_id
        for name in NAMES:
            milliseconds = []
            for _ in range(1 + RUNS):
                begin = time.perf_counter()
                rows = database.read(name, userId=user_id, movieId=movie_id)
                milliseconds.append((time.perf_counter() - begin) * 1000)
            first, rest = round(milliseconds[0], 1), round(statistics.median(milliseconds[1:]), 1)
            report("favourite", ratings=ratings, name=Path(name).name, rows=len(rows), firstMs=first, medianMs=rest)
